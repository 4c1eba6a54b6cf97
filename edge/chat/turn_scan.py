"""The scan of a turn: what is personal in the question as it was given, from the pass of the encoder that the turn has.

The pass reads the question as it is searched for: its slips mended, with the question before where it leans on that.
Where that is not what was given, or it is longer than a window, the given text has rows of its own in the same pass.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from models.detect.detector import Detector, Finding, Part
from models.detect.tagger import Passed

log = logging.getLogger(__name__)

LEAD_IN_WORDS_MAX: Final = 3
""" "And what about": what `followups` takes off."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The text that is encoded and searched; the question itself is [before, end), all of it but a lead-in."""

    text: str = field(repr=False)
    before: int
    end: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """A question's finding, and the seconds of its own that it took. `finding` None: the detector failed."""

    finding: Finding | None
    seconds: float


class TurnScan:
    """One batch: `rows` goes into the encoder's pass behind the texts that are asked, `findings` reads the result."""

    def __init__(self, detector: Detector, given: Sequence[str], asked: Sequence[Asked]) -> None:
        """`given`: the questions as the customers gave them."""
        self._detector = detector
        self._given = given
        self._asked = asked
        self._parts = [self._own_parts(text, one) for text, one in zip(given, asked, strict=True)]

    @property
    def rows(self) -> list[str]:
        """The rows that scanning needs beside the texts that are asked."""
        return [part.row for parts in self._parts for part in parts]

    def findings(self, passes: Sequence[Passed]) -> list[Scanned]:
        """`passes`: one of each text that is asked, then one of each row."""
        shared, own = passes[: len(self._asked)], iter(passes[len(self._asked) :])
        found = []
        for text, asked, parts, passed in zip(self._given, self._asked, self._parts, shared, strict=True):
            began = perf_counter()
            mine = [next(own) for _ in parts]
            finding = self._finding(text, asked, parts, mine, passed)
            found.append(Scanned(finding, perf_counter() - began))
        return found

    def _own_parts(self, text: str, asked: Asked) -> list[Part]:
        """The rows that a question needs for itself; none where the pass reads it as it is, or tags nothing."""
        if not self._detector.complete:
            return []
        parts = self._detector.parts(text)
        return [] if len(parts) == 1 and _reads(asked, text) else parts

    def _finding(
        self, text: str, asked: Asked, parts: Sequence[Part], own: Sequence[Passed], shared: Passed
    ) -> Finding | None:
        """What fails for one question must not end the others of its batch."""
        try:
            if own:
                return self._detector.of_passes(text, parts, own)
            if shared.truncated and shared.tagged is not None:
                return self._detector.scan([text])[0]
            tagged = shared.tagged
            if tagged is not None and asked.text != text:
                at = len(text) - (asked.end - asked.before)
                tagged = tagged.within(asked.before, asked.end, at)
            return self._detector.of_pass(text, tagged, shared.embedding)
        except Exception as error:
            # The type only: a message may quote what a customer wrote.
            log.error("the detector failed on a question", extra={"error": type(error).__name__})
            return None


def _reads(asked: Asked, text: str) -> bool:
    """Whether the pass reads the question as it was given, but for a lead-in that names nobody."""
    tail = asked.text[asked.before : asked.end]
    return bool(tail) and text.endswith(tail) and len(text[: -len(tail)].split()) <= LEAD_IN_WORDS_MAX
