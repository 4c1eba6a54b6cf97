"""The GenAI server metrics: a whole answer, one that fails, one that is left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from prometheus_client import REGISTRY

from edge.inference.conversation import Message
from edge.inference.measured import Measured
from edge.inference.worker_client import WorkerDied

NAMES = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "postern"}


class Writer:
    ready = True
    first_text_s = 0.5

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.closed = False
        self.about = ""

    async def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str = ""
    ) -> AsyncGenerator[str, None]:
        self.about = about
        try:
            yield "one"
            if self.fails:
                raise WorkerDied
            yield "two"
        finally:
            self.closed = True


def count(metric: str, model: str, **more: str) -> float:
    labels = {**NAMES, "gen_ai_request_model": model, **more}
    return REGISTRY.get_sample_value(f"gen_ai_server_{metric}_seconds_count", labels) or 0.0


async def read(measured: Measured, about: str = "") -> list[str]:
    return [text async for text in measured.generate([], max_new_tokens=2, deadline_s=1, about=about)]


async def test_a_whole_answer() -> None:
    writer = Writer()
    measured = Measured(writer, "postern", "whole")
    assert (measured.ready, measured.first_text_s) == (True, 0.5)
    assert await read(measured, "s-1") == ["one", "two"]
    assert writer.about == "s-1"
    assert count("request_duration", "whole", error_type="") == 1
    assert count("time_to_first_token", "whole") == count("time_per_output_token", "whole") == 1


async def test_a_failed_answer_keeps_its_error() -> None:
    with pytest.raises(WorkerDied):
        await read(Measured(Writer(fails=True), "postern", "failed"))
    assert count("request_duration", "failed", error_type="worker_died") == 1
    assert count("time_per_output_token", "failed") == 0


async def test_leaving_reaches_the_writer() -> None:
    writer = Writer()
    measured = Measured(writer, "postern", "left")
    async with aclosing(measured.generate([], max_new_tokens=2, deadline_s=1)) as pieces:
        await anext(pieces)
    assert writer.closed
    assert count("request_duration", "left", error_type="left") == 1
