"""What a detector finds, and how overlapping findings become one list. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A personal value in a text; `start` and `end` are code points into the text as given."""

    type: str
    start: int
    end: int
    score: float


def merge(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, without overlaps: the surer one wins, then the longer one."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)


def redact(text: str, spans: Iterable[Span]) -> str:
    """The text with each span replaced by its type in brackets."""
    parts: list[str] = []
    position = 0
    for span in spans:
        parts += [text[position : span.start], f"[{span.type}]"]
        position = span.end
    return "".join([*parts, text[position:]])
