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
        self.error: Exception | None = None
        self.moves = asyncio.Event()
        self.moves.set()

    async def submit(self, _: object, *, caller: str | None) -> str:
        self.asked += 1
        await self.moves.wait()
        self.ended += 1
        if self.error is not None:
            raise self.error
        return "considered"


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


async def test_nobody_waits_for_an_encoder_that_hangs_until_it_moves_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_up, "HANGS_S", 0.02)
    asking = of(line, wait_s=0.0)
    line.moves.clear()
    with pytest.raises(EncoderLost):
        await asking.look_up(QUERY, None)
    with pytest.raises(EncoderLost):
        await asking.look_up(QUERY, None)
    assert line.asked == 1  # the second one did not wait
    line.moves.set()
    line.ended += 1  # the batch that hung came to its end
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
