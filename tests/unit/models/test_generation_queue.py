"""The worker's line of generations: customers before programs, callers in turn, none with every place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from models.generation_queue import End, GenerationQueue, Job, LineFull
from models.runtimes.port import GenerationResult, Message


class Noted:
    """A model that notes what it was asked, and writes nothing."""

    name = device = "noted"
    fallback = ""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        self.asked.append(messages[0].content)
        return GenerationResult("", "stop", 1, 1)

    def close(self) -> None: ...


def job(name: str, ended: list[str]) -> Job:
    """Of the caller that its first letter names; "p…" is a program's, "_" nobody else's."""
    caller = None if name[0] == "_" else name[0]
    return Job(
        [Message("user", name)], 5, lambda _: ended.append(name), caller=caller, program=name[0] == "p"
    )


async def order(names: Sequence[str], leaving: Sequence[str] = ()) -> list[str]:
    """In which they were asked, all in line before the first began."""
    model, ended = Noted(), list[str]()
    queue = GenerationQueue(lambda: model, waiting_max=100)
    jobs = {name: job(name, ended) for name in names}
    for each in jobs.values():
        queue.submit(each, 60.0)
    for name in leaving:
        queue.end(jobs[name], End.CANCELLED)
    running = asyncio.create_task(queue.run())
    while len(ended) < len(names):
        await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    queue.close()
    return model.asked


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a1", "a2", "a3", "b1"], ["a1", "b1", "a2", "a3"]),
        (["p1", "a1", "p2", "b1"], ["a1", "b1", "p1", "p2"]),
        (["a1", "a2", "_1", "_2"], ["a1", "_1", "_2", "a2"]),
    ],
)
async def test_customers_before_programs_and_callers_in_turn(names: list[str], expected: list[str]) -> None:
    assert await order(names) == expected


async def test_who_leaves_the_line_gives_the_turn_back() -> None:
    assert await order(["a1", "a2", "b1", "b2"], leaving=["b1"]) == ["a1", "a2", "b2"]


@pytest.mark.parametrize(("held", "taken"), [(3, True), (4, False), (5, False)])
async def test_a_caller_alone_has_half_of_the_places(held: int, taken: bool) -> None:
    queue = GenerationQueue(Noted, waiting_max=8)
    ended: list[str] = []
    for number in range(min(held, 4)):
        queue.submit(job(f"a{number}", ended), 60.0)
    if taken:
        queue.submit(job("a", ended), 60.0)
    else:
        with pytest.raises(LineFull):
            queue.submit(job("a", ended), 60.0)
    queue.submit(job("b1", ended), 60.0)
    queue.close()
