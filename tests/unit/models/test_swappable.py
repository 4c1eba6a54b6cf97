"""A model is replaced while it is asked: nobody fails, and the old one is closed after its last use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.runtimes.port import GenerationResult, Message
from models.runtimes.scripted import ScriptedGenerator
from models.runtimes.swappable import SwappableGenerator

QUESTION = (Message("user", "Where?"),)
CALLS = 400
CALLERS = 4


class _Model(ScriptedGenerator):
    """Says whether it was closed, and fails whoever uses it then."""

    def __init__(self, word: str) -> None:
        super().__init__((word,))
        self.closed = False

    def generate(
        self, messages: tuple[Message, ...], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:  # type: ignore[override]
        assert not self.closed
        result = super().generate(messages, max_new_tokens=max_new_tokens, on_text=on_text)
        assert not self.closed
        return result

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def _say(model: SwappableGenerator, on_text: Callable[[str], bool] = lambda _: False) -> str:
    return model.generate(QUESTION, max_new_tokens=5, on_text=on_text).text


def test_an_idle_model_is_closed_at_once() -> None:
    old, new = _Model("old"), _Model("new")
    model = SwappableGenerator(old)
    retire = model.swap(new)
    assert not old.closed
    assert _say(model) == "new"
    retire()
    assert old.closed
    model.close()
    assert new.closed


def test_what_runs_ends_on_the_model_that_it_began_with() -> None:
    old, new = _Model("old"), _Model("new")
    model = SwappableGenerator(old)
    running, go_on = threading.Event(), threading.Event()

    def on_text(_: str) -> bool:
        running.set()
        assert go_on.wait(10)
        return False

    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(_say, model, on_text)
        assert running.wait(10)
        model.swap(new)()
        assert not old.closed
        assert _say(model) == "new"
        go_on.set()
        assert first.result() == "old"
    assert old.closed


def test_what_cannot_be_closed_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(_Model):
        def close(self) -> None:
            raise RuntimeError("the device is gone")

    model = SwappableGenerator(Stuck("old"))
    with model.use():
        model.swap(Stuck("new"))()
    model.swap(_Model("newer"))()
    assert _say(model) == "newer"
    assert caplog.text.count("could not be closed") == 2


def test_no_call_fails_while_models_come_and_go() -> None:
    models = [_Model(str(number)) for number in range(50)]
    model = SwappableGenerator(models[0])
    with ThreadPoolExecutor(CALLERS) as threads:
        said = [threads.submit(_say, model) for _ in range(CALLS)]
        for each in models[1:]:
            model.swap(each)()
        assert all(one.result() for one in said)
    assert [each.closed for each in models] == [*[True] * 49, False]
