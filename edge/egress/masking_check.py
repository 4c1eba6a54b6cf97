"""What the guard believes of a detector, and what it looks at once more before text goes. Pure.

A finding that cannot be is worth nothing: a detector that returns it is broken, and so is what it did not return.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

from edge.privacy.pseudonyms.token import ALPHABET, CODE_CHARS, TYPES
from models.detect.detector import Finding
from models.detect.entity_types import ENTITY_TYPES
from models.detect.label import Label, label_of
from models.detect.spans import Span

VALUE_CHARS_MIN: Final = 3
"""Shorter values ("12", "Li") stand in ordinary text by chance: they are hidden where they were found, only there."""

_MARK: Final = re.compile(rf"\[(?:{'|'.join(sorted(TYPES))})_[{ALPHABET}]{{{CODE_CHARS}}}\]")
"""What stands in the place of a value. In a masked text nobody else has written one: such a thing is masked, too."""


class Unbelievable(Exception):
    """A finding that no working detector returns."""


def believed(text: str, finding: Finding) -> Finding:
    """The finding. Raises Unbelievable for spans outside the text, out of order, of no type or without a score."""
    place = 0
    for span in finding.spans:
        if not place <= span.start < span.end <= len(text):
            raise Unbelievable("place")
        if span.type not in ENTITY_TYPES:
            raise Unbelievable("type")
        if not math.isfinite(span.score) or not 0 <= span.score <= 1:
            raise Unbelievable("score")
        place = span.end
    if Label(finding.label) < label_of(finding.spans, special=False):
        raise Unbelievable("label")
    return finding


def spread(text: str, spans: Sequence[Span], values: Iterable[tuple[str, str]]) -> list[Span]:
    """`spans`, and whatever else in `text` is one of `values` (type, value), as a word of its own, in any case."""
    found = list(spans)
    for type_, value in values:
        for match in _form(value).finditer(text):
            if all(match.end() <= span.start or span.end <= match.start() for span in found):
                found.append(Span(type_, match.start(), match.end(), 1.0))
    return sorted(found, key=lambda span: span.start)


def values_of(text: str, spans: Iterable[Span]) -> set[tuple[str, str]]:
    """(type, value) of the spans that are long enough to be looked for elsewhere."""
    found = {(span.type, text[span.start : span.end].strip()) for span in spans}
    return {(type_, value) for type_, value in found if len(value) >= VALUE_CHARS_MIN}


def without_marks(text: str) -> str:
    """What is left of a masked text beside the marks."""
    return _MARK.sub(" ", text)


def still_holds(text: str, values: Iterable[tuple[str, str]]) -> bool:
    """Whether one of the values stands in the text that should not hold any."""
    return any(_form(value).search(text) for _, value in values)


def _form(value: str) -> re.Pattern[str]:
    """A value as a word of its own, however it is spaced and in whichever case."""
    words = r"\s+".join(map(re.escape, value.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
