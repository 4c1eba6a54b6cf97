"""Stand-alone scans: text in, what is personal in it out, through the line of their own before the encoder.

Long texts go through the line window by window, so that none holds a lane for long. A scan that fails, or is not done
in time, raises: nobody takes for clean what was not looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from core.errors import PosternError
from edge.inference.scheduler import Line, Scheduler
from edge.inference.waiting import Rules, Work, about_tokens
from models.detect.detector import Detector, Finding, Found, Part
from models.loaded import PASS_TOKENS_MAX

if TYPE_CHECKING:
    from models.encoder import Encoder

TEXT_CHARS_MAX: Final = 65_536
"""Of one text: twenty pages. It is a second's work of two cores; longer ones are cut by whoever has them."""

ROWS_MAX: Final = 32
"""Rows of a pass; the budget of tokens binds first, except for short texts."""

AT_ONCE_TOKENS: Final = 8 * PASS_TOKENS_MAX
"""Of one caller's texts that wait together; the rest follows. It keeps the lanes of a few cores busy, and what a slow
machine predicts for it stays far below what is refused."""

SCAN_S_MAX: Final = 60.0
"""Of a scan whose caller sets no deadline. Past it something hangs: the longest text takes a few seconds, thrice that
beside customers."""

SCORE_DIGITS: Final = 4


class ScanTextTooLong(PosternError):
    """More text than one scan takes."""

    code = "scan_text_too_long"
    title = "The text is too long to be scanned at once"
    remedy = f"Cut it into texts of at most {TEXT_CHARS_MAX:,} characters."
    status = 413


class ScanFailed(PosternError):
    """The detector could not look at the text."""

    code = "scan_failed"
    title = "The text could not be scanned"
    remedy = "Try again. If it goes on, look at the node's log, and restart the node."
    status = 503
    retry_after_s = 1


class ScanLate(PosternError):
    """The scan was not done in time."""

    code = "scan_late"
    title = "The scan was not done in time"
    remedy = "Try again, with more time or less text."
    status = 503
    retry_after_s = 1


def version_of(encoder: Encoder) -> str:
    """What findings hang on while a node runs: all else of the detector is loaded once."""
    info = encoder.info
    return f"{info.sha256} {info.runtime} {info.device}"


def told(text: str, finding: Finding) -> dict[str, object]:
    """A finding as the contract gives it; `text` is what was scanned."""
    entities = [
        {"type": span.type, "start": span.start, "end": span.end, "score": round(span.score, SCORE_DIGITS)}
        for span in finding.spans
    ]
    redacted = finding.redacted(text)
    return {
        "entities": entities, "label": finding.label.value, "redacted": redacted, "complete": finding.complete
    }  # fmt: skip


class Scanner:
    """Use from one event loop."""

    def __init__(
        self, scheduler: Scheduler, detector: Detector, *, waiting_max: int, wait_s_max: float,
        tokens_max: int, on_batch: Callable[[int, float], None] | None = None,
        version: Callable[[], str] = lambda: "",
    ) -> None:  # fmt: skip
        """`tokens_max`: what the encoder reads of a text, for predictions. `version`: of the encoder that serves."""
        self.detector = detector
        self.version = version
        self._tokens_max = tokens_max
        rules = Rules(ROWS_MAX, waiting_max, wait_s_max, tokens_max=PASS_TOKENS_MAX, lanes=scheduler.lanes)
        self.line: Line[Part, Found] = scheduler.line(
            Work.SCAN, detector.scan_parts, rules, tokens_of=self._tokens_of, on_batch=on_batch
        )

    @property
    def complete(self) -> bool:
        """Whether names are looked for, with the encoder that serves now."""
        return self.detector.complete

    async def scan(self, text: str, *, deadline_s: float | None = None, caller: str | None = None) -> Finding:
        """What is personal in a text. Raises as `scan_all`."""
        return (await self.scan_all((text,), deadline_s=deadline_s, caller=caller))[0]

    async def scan_all(
        self, texts: Sequence[str], *, deadline_s: float | None = None, caller: str | None = None
    ) -> list[Finding]:
        """In the order given, all or none. `deadline_s`: from now, for all of them; `caller`: as for `Line.submit`.

        Raises QueueFull, ScanTextTooLong, ScanLate, ScanFailed.
        """
        for text in texts:
            if len(text) > TEXT_CHARS_MAX:
                raise ScanTextTooLong(
                    f"A text may have {TEXT_CHARS_MAX:,} characters; this one has {len(text):,}."
                )
        try:
            async with asyncio.timeout(SCAN_S_MAX if deadline_s is None else deadline_s):
                return await self._scan_all(texts, deadline_s, caller)
        except TimeoutError:
            raise ScanLate from None
        except PosternError:
            raise
        except Exception as error:
            # The type only: a message may quote what a customer wrote.
            raise ScanFailed(f"The detector failed ({type(error).__name__}).") from None

    async def _scan_all(
        self, texts: Sequence[str], deadline_s: float | None, caller: str | None
    ) -> list[Finding]:
        loop = asyncio.get_running_loop()
        ends_at = None if deadline_s is None else loop.time() + deadline_s
        parts_of = [self.detector.parts(text) for text in texts]
        parts = [part for each in parts_of for part in each]
        found: list[Found] = []
        for group in self._groups(parts):
            left_s = None if ends_at is None else ends_at - loop.time()
            found += await self.line.submit_all(group, deadline_s=left_s, caller=caller)
        findings = []
        for text, each in zip(texts, parts_of, strict=True):
            findings.append(self.detector.finding(text, found[: len(each)]))
            del found[: len(each)]
        return findings

    def _groups(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        """What waits together, in order: at least one part."""
        group: list[Part] = []
        tokens = 0
        for part in parts:
            size = self._tokens_of(part)
            if group and (tokens + size > AT_ONCE_TOKENS or len(group) == self.line.rules.waiting_max):
                yield group
                group, tokens = [], 0
            group.append(part)
            tokens += size
        if group:
            yield group

    def _tokens_of(self, part: Part) -> int:
        return min(about_tokens(part.row), self._tokens_max)
