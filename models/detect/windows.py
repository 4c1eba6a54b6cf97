"""Texts longer than an encoder reads at once, cut into windows that overlap, and what was found in them put together.

Each window owns its middle: what lies there has text on both sides, as it has in a short text. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from models.detect.spans import Span

WINDOW_CHARS: Final = 600
"""Some 140 tokens of prose, 250 of digits and signs: nearly always within the 256 of the default encoder. What is not
is halved after a first try. Longer windows would save little, as a pass costs by the token."""

OVERLAP_CHARS: Final = 160
"""Half of it on each side of a cut: a postal address has some 80 characters, and a name's hints stand nearer."""

SNAP_CHARS: Final = 24
"""How far a cut moves back to a space, since half a word is another word to the encoder. No space: it cuts there."""


@dataclass(frozen=True, slots=True)
class Window:
    """Code points [start, end) of a text, of which it owns [first, last)."""

    start: int
    end: int
    first: int
    last: int


def windows(text: str, chars_max: int = WINDOW_CHARS, overlap: int = OVERLAP_CHARS) -> list[Window]:
    """The windows of a text, in order; what they own is all of it, without overlaps. `overlap` < `chars_max` / 2."""
    length, found = len(text), list[Window]()
    snap = min(SNAP_CHARS, overlap // 2)
    start = first = 0
    while length - start > chars_max:
        end = _at_space(text, start + chars_max, snap)
        last = end - overlap // 2
        found.append(Window(start, end, first, last))
        first, start = last, _at_space(text, end - overlap, snap)
    return [*found, Window(start, length, first, length)]


def halved(text: str) -> list[Window]:
    """A text that was too long after all, in two or more windows. At least two characters."""
    overlap = min(OVERLAP_CHARS, len(text) // 4)
    return windows(text, (len(text) + overlap + 1) // 2, overlap)


def joined(found: Iterable[tuple[Window, Sequence[Span]]]) -> list[Span]:
    """What was found in the windows of a text, as spans of the text (as they are given, too), in order.

    A span counts where it touches what its window owns; two of a type that overlap are parts of one.
    """
    whole: dict[str, Span] = {}
    done: list[Span] = []
    for window, spans in found:
        for span in sorted(spans, key=lambda one: one.start):
            if span.end <= window.first or span.start >= window.last:
                continue
            before = whole.get(span.type)
            if before is not None and span.start < before.end:
                end, score = max(before.end, span.end), max(before.score, span.score)
                whole[span.type] = Span(span.type, min(before.start, span.start), end, score)
                continue
            if before is not None:
                done.append(before)
            whole[span.type] = span
    return sorted([*done, *whole.values()], key=lambda one: (one.start, one.end))


def _at_space(text: str, place: int, snap: int) -> int:
    space = text.rfind(" ", place - snap, place)
    return place if space < 0 else space + 1
