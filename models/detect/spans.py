"""What a detector finds, and how overlapping findings become one list. Pure: no I/O, no clock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Span:
    """A personal value in a text; `start` and `end` are code points into the text as given."""

    type: str
    start: int
    end: int
    score: float


def merge(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, without overlaps: the surer one wins, then the longer one."""
    kept = sorted(spans, key=_start)
    if all(a.end <= b.start for a, b in pairwise(kept)):
        return kept
    kept, spans = [], kept
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start)):
        place = bisect_left(kept, span.end, key=_start)
        # Those kept do not overlap: only the last that begins before this one ends can reach into it.
        if place == 0 or kept[place - 1].end <= span.start:
            kept.insert(place, span)
    return kept


def redact(text: str, spans: Iterable[Span]) -> str:
    """The text with each span replaced by its type in brackets."""
    parts: list[str] = []
    position = 0
    for span in spans:
        parts += [text[position : span.start], f"[{span.type}]"]
        position = span.end
    return "".join([*parts, text[position:]])
