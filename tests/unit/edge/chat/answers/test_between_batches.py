"""What belongs to one encoder changes between two batches: no batch sees half of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from edge.chat.answers.answering import Answering
from edge.chat.understanding import Query


def test_a_change_waits_for_batches_and_batches_wait_for_it() -> None:
    inside, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def slowly(queries: Sequence[Query]) -> list[Any]:
        inside.set()
        assert go_on.wait(10)
        seen.append("old batch")
        return []

    def new(queries: Sequence[Query]) -> list[Any]:
        seen.append("new batch")
        return []

    answering = Answering(slowly, cast(Any, None))

    def change() -> None:
        seen.append("change")
        answering.understand = new

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(answering, ())
        assert inside.wait(10)
        changing = threads.submit(answering.between_batches, change)
        while not answering._changing:
            threading.Event().wait(0.001)
        last = threads.submit(answering, ())
        assert not changing.done()
        go_on.set()
        for one in (first, changing, last):
            one.result(10)
    assert seen == ["old batch", "change", "new batch"]


def test_a_change_that_fails_leaves_the_door_open() -> None:
    answering = Answering(lambda _: [], cast(Any, None))

    def fails() -> None:
        raise RuntimeError

    for _ in range(2):
        try:
            answering.between_batches(fails)
        except RuntimeError:
            pass
        assert answering(()) == []
