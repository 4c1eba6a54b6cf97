"""What the guard believes of a detector, and what it looks at once more before text goes. Pure.

A finding that cannot be is worth nothing: a detector that returns it is broken, and so is what it did not return.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from edge.privacy.pseudonyms.codebook import TOKENS_MAX
from edge.privacy.pseudonyms.errors import CannotMask
from edge.privacy.pseudonyms.masking import covered
from models.detect.detector import Finding
from models.detect.entity_types import ENTITY_TYPES
from models.detect.label import Label, label_of
from models.detect.spans import Span

VALUE_CHARS_MIN: Final = 3
"""Shorter values ("12", "Li") stand in ordinary text by chance: they are hidden where they were found, only there."""

FEW_VALUES: Final = 16
"""So many are looked for one by one before a text is cut into words; more would read it more often than that does."""

FEW_PLACES: Final = 16
"""So many of them are looked at one by one; at more, all words of a text are sooner compared."""

CAPITALISED: Final = frozenset({"PERSON", "ORGANIZATION", "LOCATION", "TITLE", "NRP"})
"""A single word of these (Will, May, Reading) is also an ordinary word: elsewhere it counts only with a capital."""

_TOKEN: Final = re.compile(r"[^\W_]+|[^\w\s]|_")


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


class _Wanted(NamedTuple):
    """A value to look for. `rest`: its tokens behind the first; `capital`: whether it must begin with one."""

    type: str
    rest: tuple[str, ...]
    capital: bool


Values = Mapping[str, Collection[_Wanted]]
"""What to look for, by the first token."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is to be hidden in each text, in order and apart, and the values that may then stand nowhere any more."""

    spans: Sequence[Sequence[Span]]
    values: Values


NOTHING_HIDDEN: Final = Hidden((), {})


def hide(texts: Sequence[str], findings: Sequence[Finding], types: frozenset[str]) -> Hidden:
    """Every value of `types`, wherever it stands in any of the texts. Raises CannotMask."""
    found = [[span for span in finding.spans if span.type in types] for finding in findings]
    values = looked_for(texts, found)
    if sum(map(len, values.values())) > TOKENS_MAX:
        raise CannotMask(f"A conversation may have {TOKENS_MAX} personal values.")
    return Hidden([spread(text, spans, values) for text, spans in zip(texts, found, strict=True)], values)


def looked_for(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> Values:
    """The values of the spans that are long enough to be looked for elsewhere."""
    found: dict[str, set[_Wanted]] = {}
    for text, those in zip(texts, spans, strict=True):
        for span in those:
            _look_for(found, span.type, text[span.start : span.end], as_said=False)
    return found


def known_values(values: Iterable[tuple[str, str]]) -> Values:
    """Of (type, value) those that are long enough to be looked for; a word that was said without a capital counts
    without one."""
    found: dict[str, set[_Wanted]] = {}
    for type_, value in values:
        _look_for(found, type_, value, as_said=True)
    return found


def _look_for(found: dict[str, set[_Wanted]], type_: str, value: str, *, as_said: bool) -> None:
    tokens, value = _keys(value), value.strip()
    if tokens and len(value) >= VALUE_CHARS_MIN:
        a_word = len(tokens) == 1 and type_ in CAPITALISED and tokens[0].isalpha()
        capital = a_word and not (as_said and value[0].islower())
        found.setdefault(tokens[0], set()).add(_Wanted(type_, tokens[1:], capital))


def spread(text: str, spans: Sequence[Span], values: Values) -> list[Span]:
    """`spans`, and whatever else in `text` is one of `values`, in order and apart: of a name of which only a half was
    found the whole. Raises CannotMask."""
    return covered(text, [*spans, *standing(text, values)])


def without(text: str, spans: Sequence[Span]) -> str:
    """What is left of a text beside spans, which are in order and apart."""
    kept, place = [], 0
    for span in spans:
        kept.append(text[place : span.start])
        place = span.end
    return " ".join((*kept, text[place:]))


def still_holds(text: str, values: Values) -> bool:
    """Whether one of the values stands in the text that should not hold any."""
    return next(standing(text, values), None) is not None


def standing(text: str, values: Values) -> Iterator[Span]:
    """Wherever a value stands, as words of its own, however they are spaced and in whichever case; in no order, a place
    may lie in another, or reach over its end. In time that grows with the text."""
    starts = _starts(text, values)
    if starts is None:
        tokens = list(_TOKEN.finditer(text))
        yield from _from_each(tokens, range(len(tokens)), values)
        return
    tokens_max = 1 + max((len(wanted.rest) for those in values.values() for wanted in those), default=0)
    for start in starts:
        yield from _from_each(list(islice(_TOKEN.finditer(text, start), tokens_max)), range(1), values)


def _from_each(tokens: Sequence[re.Match[str]], places: Iterable[int], values: Values) -> Iterator[Span]:
    """The values that begin at one of these tokens."""
    keys = [token[0].casefold() for token in tokens]
    for at in places:
        for wanted in values.get(keys[at], ()):
            end = at + 1 + len(wanted.rest)
            small = wanted.capital and tokens[at][0][0].islower()
            if not small and tuple(keys[at + 1 : end]) == wanted.rest:
                yield Span(wanted.type, tokens[at].start(), tokens[end - 1].end(), 1.0)


def _starts(text: str, values: Values) -> set[int] | None:
    """Where tokens begin that may be the first of a value, told without cutting the text: most passages hold none of
    the few values of a question. None where that does not pay, or cannot be told."""
    folded = text.casefold()
    if len(values) > FEW_VALUES or len(folded) != len(text):  # a sign grew ("ß"): places are others
        return None
    found, looked_at = set(), 0
    for first in values:
        at = folded.find(first)
        while at >= 0:
            looked_at += 1
            if looked_at > FEW_PLACES:
                return None
            if not (at and text[at - 1].isalnum() and text[at].isalnum()):  # else in the middle of a token
                found.add(at)
            at = folded.find(first, at + 1)
    return found


def _keys(value: str) -> tuple[str, ...]:
    return tuple(token.casefold() for token in _TOKEN.findall(value))
