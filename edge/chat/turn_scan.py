"""The scan of a turn: what is personal in the question as it was given, from the pass of the encoder that the turn has.

The pass reads the question as it is searched for: its slips mended, with the question before where it leans on that.
Where that is not what was given, or it is longer than a window, the given text has rows of its own in the same pass.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Final

from edge.inference.conversation import Looked
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
    """A question's finding, and the seconds of its own that it took. `finding` None: the detector failed. `looked`:
    the finding of a pass that read the question as it was given and nothing else; None where that was another one."""

    finding: Finding | None
    seconds: float
    looked: Looked | None = None


class TurnScan:
    """One batch: `rows` goes into the encoder's pass behind the texts that are asked, `findings` reads the result."""

    def __init__(
        self,
        detector: Detector,
        given: Sequence[str],
        asked: Sequence[Asked],
        version: Callable[[], str] = lambda: "",
    ) -> None:
        """`given`: the questions as the customers gave them. `version`: of the detector, with what serves now."""
        self._at_s, self._version_of, self._version = monotonic(), version, version()
        self._detector = detector
        self._given = given
        self._asked = asked
        parts = [detector.parts(text) for text in given]
        # Whether the pass reads all of the question, as it was given: else what it tells is of another text.
        self._shared = [
            len(rows) == 1 and _reads(one, text) for rows, one, text in zip(parts, asked, given, strict=True)
        ]
        complete = detector.complete
        self._parts = [
            rows if complete and not shared else [] for rows, shared in zip(parts, self._shared, strict=True)
        ]

    @property
    def rows(self) -> list[str]:
        """The rows that scanning needs beside the texts that are asked; none where the pass tags nothing."""
        return [part.row for parts in self._parts for part in parts]

    def findings(self, passes: Sequence[Passed]) -> list[Scanned]:
        """`passes`: one of each text that is asked, then one of each row."""
        own = iter(passes[len(self._asked) :])
        same = self._version_of() == self._version
        found = []
        for index, (text, parts) in enumerate(zip(self._given, self._parts, strict=True)):
            began = perf_counter()
            mine = [next(own) for _ in parts]
            finding = self._finding(index, text, parts, mine, passes[index])
            looked = self._looked(index, finding) if same else None
            found.append(Scanned(finding, perf_counter() - began, looked))
        return found

    def _looked(self, index: int, finding: Finding | None) -> Looked | None:
        """With other words around it a text may be found to hold something else: of such a pass nothing is said."""
        text = self._given[index]
        alone = bool(self._parts[index]) or (self._shared[index] and self._asked[index].text == text)
        if finding is None or not finding.complete or not alone:
            return None
        return Looked(text, finding, self._version, self._at_s)

    def _finding(
        self, index: int, text: str, parts: Sequence[Part], own: Sequence[Passed], passed: Passed
    ) -> Finding | None:
        """What fails for one question must not end the others of its batch."""
        try:
            if own:
                return self._detector.of_passes(text, parts, own)
            # The encoder may have changed since the rows were chosen: tags of another text are none of this one.
            tagged = passed.tagged if self._shared[index] else None
            if passed.truncated and tagged is not None:
                return self._detector.scan([text])[0]
            asked = self._asked[index]
            if tagged is not None and asked.text != text:
                at = len(text) - (asked.end - asked.before)
                tagged = tagged.within(asked.before, asked.end, at)
            return self._detector.of_pass(text, tagged, passed.embedding)
        except Exception as error:
            # The type only: a message may quote what a customer wrote.
            log.error("the detector failed on a question", extra={"error": type(error).__name__})
            return None


def _reads(asked: Asked, text: str) -> bool:
    """Whether the pass reads the question as it was given, but for a lead-in that names nobody."""
    tail = asked.text[asked.before : asked.end]
    return bool(tail) and text.endswith(tail) and len(text[: -len(tail)].split()) <= LEAD_IN_WORDS_MAX
