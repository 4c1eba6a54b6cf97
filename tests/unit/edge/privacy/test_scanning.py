"""Stand-alone scans: in order, within a deadline, in parts of the line, and never a finding that a failure made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest

from edge.inference.scheduler import QueueFull, Scheduler
from edge.inference.waiting import about_tokens
from edge.privacy.scanning import (
    AT_ONCE_TOKENS,
    TEXT_CHARS_MAX,
    ScanFailed,
    ScanLate,
    Scanner,
    ScanTextTooLong,
    told,
)
from models.detect.detector import Detector, ScanUnusable
from models.detect.spans import Span
from models.detect.tagger import Passed, Tagged
from models.errors import RuntimeUnavailable

WAITING_MAX = 64
SECRET = "my name is Zacharias"


class Tagger:
    """Does what a test says; each text is one token, tagged where it is long enough."""

    complete = True

    def __init__(self) -> None:
        self.act: Callable[[], None] = lambda: None
        self.rows = 0
        self.most = 0

    def tag(self, texts: Sequence[str]) -> list[Passed]:
        self.act()
        self.rows += len(texts)
        self.most = max(self.most, len(texts))
        one = Tagged(np.zeros((1, 2), np.int32), np.zeros((1, 1), np.float32))
        return [Passed(np.ones(2, np.float32), one) for _ in texts]


def decode(text: str, _: Tagged) -> list[Span]:
    return [Span("PERSON", 11, 20, 0.8123456)] if len(text) == len(SECRET) else []


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    made = Scheduler(1)
    yield made
    await made.close()


@pytest.fixture
def tagger() -> Tagger:
    return Tagger()


@pytest.fixture
def scanner(scheduler: Scheduler, tagger: Tagger) -> Scanner:
    detector = Detector("US", tagger, None, decode)
    return Scanner(scheduler, detector, waiting_max=WAITING_MAX, wait_s_max=60.0, tokens_max=256)


async def test_one_caller_has_little_in_line_at_once(scanner: Scanner, tagger: Tagger) -> None:
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, len(scanner.line.waiting))

    tagger.act = look
    await scanner.scan_all(["so it was " * 60] * 60)
    assert most * about_tokens("so it was " * 60) <= AT_ONCE_TOKENS
    await scanner.scan_all(["so"] * 300)
    assert most <= WAITING_MAX


async def test_findings_come_in_order_as_the_contract_gives_them(scanner: Scanner) -> None:
    texts = ["", SECRET, "call 617-555-0123", SECRET]
    found = await scanner.scan_all(texts)
    assert [one.types for one in found] == [[], ["PERSON"], ["PHONE"], ["PERSON"]]
    assert told(SECRET, found[1]) == {
        "entities": [{"type": "PERSON", "start": 11, "end": 20, "score": 0.8123}],
        "label": "personal",
        "redacted": "my name is [PERSON]",
        "complete": True,
    }
    assert scanner.complete
    assert await scanner.scan_all([]) == []


async def test_a_long_text_takes_the_line_in_parts(scanner: Scanner, tagger: Tagger) -> None:
    """More windows than the line holds at once."""
    text = "so it was " * (TEXT_CHARS_MAX // 10)
    found = await scanner.scan(text)
    assert found.complete
    assert tagger.rows > WAITING_MAX
    assert tagger.most <= 2  # a pass's budget of tokens


@pytest.mark.parametrize(("chars", "fits"), [(TEXT_CHARS_MAX, True), (TEXT_CHARS_MAX + 1, False)])
async def test_the_longest_text(scanner: Scanner, chars: int, fits: bool) -> None:
    if fits:
        assert (await scanner.scan("a" * chars)).complete
    else:
        with pytest.raises(ScanTextTooLong):
            await scanner.scan_all(["short", "a" * chars])


@pytest.mark.proves("no-text-in-logs")
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError(SECRET), ScanFailed),
        (RuntimeUnavailable("lost"), RuntimeUnavailable),
        (MemoryError(), ScanFailed),
    ],
)
async def test_a_failure_is_raised_without_the_text(
    scanner: Scanner, tagger: Tagger, raised: Exception, expected: type[Exception]
) -> None:
    def fail() -> None:
        raise raised

    tagger.act = fail
    with pytest.raises(expected) as caught:
        await scanner.scan_all(["short", SECRET])
    assert SECRET not in str(caught.value)
    tagger.act = lambda: None
    assert (await scanner.scan(SECRET)).types == ["PERSON"]


async def test_garbage_is_raised(scanner: Scanner, tagger: Tagger) -> None:
    tagger.tag = lambda texts: []  # type: ignore[method-assign]
    with pytest.raises(ScanUnusable):
        await scanner.scan(SECRET)


async def test_a_detector_that_hangs_is_not_waited_for(scanner: Scanner, tagger: Tagger) -> None:
    held = threading.Event()
    tagger.act = lambda: held.wait() and None
    try:
        with pytest.raises(ScanLate):
            await scanner.scan(SECRET, deadline_s=0.05)
        with pytest.raises((ScanLate, QueueFull)):
            await scanner.scan(SECRET, deadline_s=0.0)
    finally:
        held.set()


async def test_more_than_waits_is_refused_whole(scheduler: Scheduler, tagger: Tagger) -> None:
    held = threading.Event()
    tagger.act = lambda: held.wait() and None
    detector = Detector("US", tagger, None, decode)
    small = Scanner(scheduler, detector, waiting_max=2, wait_s_max=60.0, tokens_max=256)
    callers = [asyncio.ensure_future(small.scan_all([SECRET, SECRET])) for _ in range(8)]
    refused, _ = await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
    error = refused.pop().exception()
    assert isinstance(error, QueueFull)
    assert error.retry_after_s
    assert len(small.line.waiting) <= 2
    held.set()
    done = [one for one in await asyncio.gather(*callers, return_exceptions=True) if isinstance(one, list)]
    assert done
    assert all(finding.types == ["PERSON"] for found in done for finding in found)
