"""Findings of several detectors as one list without overlaps, which covers all that any of them found. Pure.

A span that loses is not dropped: else a telephone number inside an address would leave the street uncovered.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Final

from models.detect.spans import Span, in_word

REST_CHARS_MIN: Final = 2
"""Letters and digits of what another finding leaves of a span: a single one is taken in by that finding."""


def cover(text: str, spans: Iterable[Span]) -> list[Span]:
    """In order: the surer finding stands, then the longer; of another, what lies outside it keeps its own type."""
    kept: list[tuple[int, int, Span]] = []
    for span in sorted(spans, key=lambda one: (-one.score, one.start - one.end, one.start)):
        for first, last in list(_free(kept, span)):
            start, end = first, last
            if (start, end) != (span.start, span.end):
                start, end = _trimmed(text, first, last)
                letters = sum(map(str.isalnum, text[start:end]))
                if start < end and letters < REST_CHARS_MIN:
                    _take_in(kept, first, start, end)
                if letters < REST_CHARS_MIN:
                    continue
            insort(kept, (start, end, Span(span.type, start, end, span.score)), key=_start)
    return [span for _, _, span in kept]


def _start(one: tuple[int, int, Span]) -> int:
    return one[0]


def _take_in(kept: list[tuple[int, int, Span]], first: int, start: int, end: int) -> None:
    """Stretch over [start, end) the finding that ends at `first`, or else the one behind, which took the rest's end."""
    index = bisect_right(kept, first, key=_start) - 1
    if index < 0 or kept[index][1] != first:
        index += 1
    one = kept[index][2]
    stretched = Span(one.type, min(one.start, start), max(one.end, end), one.score)
    kept[index] = (stretched.start, stretched.end, stretched)


def _free(kept: list[tuple[int, int, Span]], span: Span) -> Iterator[tuple[int, int]]:
    """What of a span nothing has taken."""
    place = span.start
    index = max(0, bisect_right(kept, place, key=_start) - 1)
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
    while start < end and not in_word(text[start]):
        start += 1
    while end > start and not in_word(text[end - 1]):
        end -= 1
    return start, end
