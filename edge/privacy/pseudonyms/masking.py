"""Spans become tokens, and so does whatever else in the text reads like one. Pure.

A text that already holds something like a token, a customer's or a document's, gets a token for that too: what leaves
holds only tokens of this masking, and what comes back for it is the text as it was. Nothing that somebody wrote can
become live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from edge.privacy.pseudonyms.errors import CannotMask
from edge.privacy.pseudonyms.grammar import next_candidate
from models.detect.marks import IMITATION, TYPES
from models.detect.spans import Span

# A token in the place of an imitation may lie beside what then reads like another; more rounds than this are contrived.
ROUNDS_MAX = 4

Piece = Callable[[str, str], str]
"""(type, value) to what stands for it: a token, with an ending of the text's own behind it."""
_Mark = tuple[int, int, str]
"""Start, end, and what stands there instead."""


def mask(text: str, spans: Iterable[Span], piece: Piece) -> str:
    """`text` with a piece in the place of each span and each imitation of a token. Raises CannotMask."""
    marks = [(s.start, s.end, piece(s.type, text[s.start : s.end])) for s in covered(text, spans)]
    masked, own = _replaced(text, marks)
    for _ in range(ROUNDS_MAX):
        imitations = _imitations(masked, own)
        if not imitations:
            return masked
        kept = [(start, end, masked[start:end]) for start, end in own.items()]
        new = [(start, end, piece(IMITATION, masked[start:end])) for start, end in imitations]
        masked, own = _replaced(masked, sorted([*kept, *new]))
    raise CannotMask("The text imitates tokens in a way that cannot be told apart.")


def _replaced(text: str, marks: Sequence[_Mark]) -> tuple[str, dict[int, int]]:
    """The text with each mark in its place, and from where to where the marks now are."""
    parts: list[str] = []
    places: dict[int, int] = {}
    position = length = 0
    for start, end, mark in marks:
        length += start - position + len(mark)
        parts += [text[position:start], mark]
        places[length - len(mark)] = length
        position = end
    return "".join([*parts, text[position:]]), places


def _imitations(masked: str, own: dict[int, int]) -> list[tuple[int, int]]:
    """Where something reads like a token and is none of `own`."""
    found = []
    position = 0
    while candidate := next_candidate(masked, position):
        if candidate.start in own:
            position = own[candidate.start]
        elif candidate.may_be_read:
            found.append((candidate.start, candidate.end))
            position = candidate.end
        else:
            position = candidate.start + 1
    return found


def covered(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that overlap as one, without the space around them. Raises CannotMask."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if span.type not in TYPES or not 0 <= span.start <= span.end <= len(text):
            raise CannotMask("A finding does not fit its text.")
        if found and span.start < found[-1].end:
            found[-1] = _united(found[-1], span)
        else:
            found.append(span)
    return [trimmed for span in found if (trimmed := _trimmed(text, span))]


def _united(one: Span, other: Span) -> Span:
    """Both, with the type of the surer one: to keep one of two would show the rest of the other."""
    surer = max(one, other, key=lambda s: (s.score, s.end - s.start))
    return Span(surer.type, min(one.start, other.start), max(one.end, other.end), surer.score)


def _trimmed(text: str, span: Span) -> Span | None:
    value = text[span.start : span.end]
    start = span.start + len(value) - len(value.lstrip())
    return Span(span.type, start, start + len(value.strip()), span.score) if value.strip() else None
