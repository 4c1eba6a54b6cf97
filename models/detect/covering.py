"""Findings of several detectors as one list without overlaps, which covers all that any of them found. Pure.

`spans.merge` drops what loses; then a telephone number inside an address would leave the street uncovered.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Final

from models.detect.spans import Span

REST_CHARS_MIN: Final = 2
"""Letters and digits of what another finding leaves of a span: one is a slip of its bounds."""


def cover(text: str, spans: Iterable[Span]) -> list[Span]:
    """In order: the surer finding stands, then the longer; of another, what lies outside it keeps its own type."""
    kept: list[tuple[int, int, Span]] = []
    for span in sorted(spans, key=lambda one: (-one.score, one.start - one.end, one.start)):
        for start, end in list(_free(kept, span)):
            if (start, end) != (span.start, span.end):
                start, end = _trimmed(text, start, end)
                if sum(map(str.isalnum, text[start:end])) < REST_CHARS_MIN:
                    continue
            insort(kept, (start, end, Span(span.type, start, end, span.score)), key=lambda one: one[0])
    return [span for _, _, span in kept]


def _free(kept: list[tuple[int, int, Span]], span: Span) -> Iterator[tuple[int, int]]:
    """What of a span nothing has taken."""
    place = span.start
    index = max(0, bisect_right(kept, place, key=lambda one: one[0]) - 1)
    while index < len(kept) and kept[index][0] < span.end:
        start, end, _ = kept[index]
        if start > place:
            yield place, start
        place = max(place, end)
        index += 1
    if place < span.end:
        yield place, span.end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the signs and spaces at its ends."""
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return start, end
