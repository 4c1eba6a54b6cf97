"""`privacy.scan`: its arguments within bounds, and patience with a busy node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from edge.inference.scheduler import QueueFull
from edge.operations import privacy as privacy_operations
from edge.operations.arguments import BadArguments
from edge.operations.privacy import PAUSE_S_MAX, SCAN_CHARS_MAX, SCAN_TEXTS_MAX, PrivacyOperations
from models.detect.detector import Detector, Finding


class Busy:
    """A scanner that refuses so many times."""

    def __init__(self, refusals: int = 0, retry_s: float = 0.0) -> None:
        self.refusals = refusals
        self.retry_s = retry_s

    async def scan_all(self, texts: Sequence[str]) -> list[Finding]:
        if self.refusals:
            self.refusals -= 1
            raise QueueFull(self.retry_s)
        return Detector("US").scan(texts)


async def scan(scanner: Busy, texts: Sequence[object]) -> Any:
    given: Any = scanner
    return await PrivacyOperations(given).scan({"texts": texts}, lambda _: None)


async def test_one_answer_a_text() -> None:
    found = await scan(Busy(), ["call 617-555-0123", ""])
    assert [one["redacted"] for one in found] == ["call [PHONE]", ""]


@pytest.mark.parametrize(
    ("texts", "fits"),
    [
        (["a"] * SCAN_TEXTS_MAX, True),
        (["a"] * (SCAN_TEXTS_MAX + 1), False),
        (["a" * SCAN_CHARS_MAX], True),
        (["a" * SCAN_CHARS_MAX, "a"], False),
        ([7], False),
    ],
)
async def test_arguments_are_bounded(texts: Sequence[object], fits: bool) -> None:
    if fits:
        assert len(await scan(Busy(), texts)) == len(texts)
    else:
        with pytest.raises(BadArguments):
            await scan(Busy(), texts)


async def test_a_busy_node_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(privacy_operations.asyncio, "sleep", sleep)
    assert await scan(Busy(2), ["a"])
    assert slept == [1.0, 1.0]
    assert await scan(Busy(1, 300.0), ["a"])
    assert slept.pop() == PAUSE_S_MAX
    monkeypatch.setattr(privacy_operations, "PATIENCE_S", 0.5)
    with pytest.raises(QueueFull):
        await scan(Busy(1), ["a"])
