"""A text as somebody else would read it, and where each of its characters stands in the text as given. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from models.detect.confusables import CHANGEABLE, fold


@dataclass(frozen=True, slots=True)
class View:
    """`text` and its way back. Without offsets its characters are those of the text as given."""

    text: str = field(repr=False)
    _starts: Sequence[int] | None = field(default=None, repr=False)
    _ends: Sequence[int] | None = field(default=None, repr=False)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Code points of the text as given that `text[start:end]`, which is not empty, was made of."""
        if self._starts is None or self._ends is None:
            return start, end
        return self._starts[start], self._ends[end - 1]


class _Folded(dict[str, str]):
    """Remembers what characters fold to; bounded by the number of characters that there are."""

    def __missing__(self, sign: str) -> str:
        folded = self[sign] = fold(sign)
        return folded


_FOLDED = _Folded()


def folded(view: View) -> View:
    """Compatibility forms, look-alikes and invisible characters as a reader takes them; `view` if it has none."""
    if CHANGEABLE.search(view.text) is None:
        return view
    pieces = [_FOLDED[sign] for sign in view.text]
    text = "".join(pieces)
    if text == view.text:
        return view
    places = range(len(pieces))
    if len(text) == len(pieces) and "" not in pieces:
        starts: Sequence[int] = places
    else:
        starts = [place for place, piece in zip(places, pieces, strict=True) for _ in piece]
    return _through(view, text, starts, [place + 1 for place in starts])


class Edit(NamedTuple):
    """`view[start:end]` reads `text`; character i of `text` was made of `view[starts[i]:ends[i]]`."""

    start: int
    end: int
    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def edited(view: View, edits: Iterator[Edit]) -> View:
    """`view` with the edits, which come in order and do not overlap; `view` itself if there are none."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for start, end, text, text_starts, text_ends in edits:
        parts.append(view.text[position:start])
        parts.append(text)
        starts.extend(range(position, start))
        starts.extend(text_starts)
        ends.extend(range(position + 1, start + 1))
        ends.extend(text_ends)
        position = end
    if not parts:
        return view
    parts.append(view.text[position:])
    starts.extend(range(position, len(view.text)))
    ends.extend(range(position + 1, len(view.text) + 1))
    return _through(view, "".join(parts), starts, ends)


def _through(view: View, text: str, starts: Sequence[int], ends: Sequence[int]) -> View:
    """A view of a view, with its way back to the text as given."""
    if view._starts is None or view._ends is None:
        return View(text, starts, ends)
    return View(text, [view._starts[start] for start in starts], [view._ends[end - 1] for end in ends])
