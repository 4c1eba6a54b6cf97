"""A question before an encoder that fails or hangs: who waits, for how long, and from when on nobody does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edge.chat import looking_up
from edge.chat.looking_up import EncoderLost, LookingUp
from edge.inference.scheduler import QueueFull
from models.errors import RuntimeUnavailable

QUERY: Any = object()


class Line:
    """A line whose encoder does what a test says."""

    def __init__(self) -> None:
        self.ended = 0
        self.asked = 0
        self.running: dict[int, object] = {}
        self.error: Exception | None = None
        self.moves = asyncio.Event()
        self.moves.set()

    async def submit(self, _: object, *, caller: str | None) -> str:
        self.asked += 1
        self.running[self.asked] = "a batch"
        await self.moves.wait()
        self.finish()
        if self.error is not None:
            raise self.error
        return "considered"

    def finish(self) -> None:
        self.running.clear()
        self.ended += 1


@pytest.fixture
def line() -> Line:
    return Line()


def of(line: Line, wait_s: float = 60.0) -> LookingUp:
    return LookingUp(line, wait_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeUnavailable("ONNX Runtime failed on this batch."), EncoderLost),
        (QueueFull(3.0), QueueFull),
        (ZeroDivisionError("a fault of ours"), ZeroDivisionError),
    ],
)
async def test_only_an_encoder_that_fails_is_one_that_is_lost(
    line: Line, error: Exception, told: type[Exception]
) -> None:
    line.error = error
    with pytest.raises(told):
        await of(line).look_up(QUERY, None)
    line.error = None
    assert await of(line).look_up(QUERY, None) == "considered"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds now; a question is waited for no time at all."""
    now = [100.0]
    monkeypatch.setattr(looking_up, "monotonic", lambda: now[0])
    monkeypatch.setattr(looking_up, "HANGS_S", 0.02)
    return now


async def test_nobody_waits_for_an_encoder_that_hangs_until_it_moves_again(
    line: Line, clock: list[float]
) -> None:
    asking = of(line, wait_s=0.0)
    line.moves.clear()
    for _ in range(2):
        with pytest.raises(EncoderLost):
            await asking.look_up(QUERY, None)
    assert line.asked == 1  # the second one did not wait
    line.moves.set()
    line.finish()  # the batch that hung
    assert await asking.look_up(QUERY, None) == "considered"


@pytest.mark.parametrize(("later_s", "asked"), [(0.01, 1), (0.02, 2), (0.03, 2)])
async def test_one_question_now_and_then_tries_an_encoder_that_hangs(
    line: Line, clock: list[float], later_s: float, asked: int
) -> None:
    asking = of(line, wait_s=0.0)
    line.moves.clear()
    for seconds in (0.0, later_s, 0.0):
        clock[0] += seconds
        with pytest.raises(EncoderLost):
            await asking.look_up(QUERY, None)
    assert line.asked == asked  # the third did not wait
    line.moves.set()  # for a lane that is free
    clock[0] += 1.0
    assert await asking.look_up(QUERY, None) == "considered"


async def test_a_batch_that_ended_while_the_event_loop_stood_does_not_hang(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit and the batch's end fall into one round of the loop: the end is told before the limit is seen."""
    asking = of(line)
    line.moves.clear()
    monkeypatch.setattr(asking, "_limit_s", 0.0)

    async def submit(_: object, *, caller: str | None) -> str:
        line.running[1] = "a batch"
        asyncio.get_running_loop().call_soon(line.finish)
        await asyncio.Event().wait()
        return ""

    with monkeypatch.context() as standing:
        standing.setattr(line, "submit", submit)
        with pytest.raises(EncoderLost):
            await asking.look_up(QUERY, None)
    line.moves.set()
    assert await asking.look_up(QUERY, None) == "considered"


async def test_whoever_leaves_is_not_told_that_the_encoder_is_lost(line: Line) -> None:
    asking = of(line)
    line.moves.clear()
    waiting = asyncio.create_task(asking.look_up(QUERY, None))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    line.moves.set()
    assert await asking.look_up(QUERY, None) == "considered"
