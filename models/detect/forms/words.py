"""What the words beside a value say about it. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from models.detect.forms.evidence import (
    RATIO_BEHIND,
    RATIO_OTHER_WORD,
    WORDS_BEFORE_MAX,
    WORDS_BEHIND_MAX,
    ratio_before,
)
from models.detect.forms.vocabulary import BUSINESS, JOINS, WORDS

KINDS = frozenset(WORDS)
_UNIT = "unit"
_JOINS = frozenset(JOINS.split())
_TRADE = frozenset({BUSINESS, _UNIT})
_KINDS_OF: dict[str, frozenset[str]] = {}
for _kind, _words in WORDS.items():
    for _word in _words.split():
        _KINDS_OF[_word] = _KINDS_OF.get(_word, frozenset()) | {_kind}
_KINDS_OF |= dict.fromkeys("€$£¥", frozenset({BUSINESS, _UNIT}))

# A word of a label, whether written "card number", "card_number" or "cardNumber"; a sign of money; or the end of a
# line, which counts as a word between.
_WORD = re.compile(r"[a-z\u00df-\uffff]+|[A-Z](?:[a-z\u00df-\uffff]+|[A-Z]*(?![a-z]))|[€$£¥\n]")
_COMPOUND = re.compile(r"(?:s|n|en)?(?:nummer|nr|number|no|id)$")
_COMPOUND_ENDS = frozenset({"er", "nr", "no", "id"})
# What is said of trade is said of its line and sentence: "What are your hours? 4111…". Behind a short word a full stop
# is an abbreviation's ("order no. 4711").
_SAID = re.compile(r"\n|[?!]\s|(?<=[^\W\d_]{4})\.\s")
# A word of trade farther away speaks of something else.
OTHER_WORD_DISTANCE_MAX = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """The nearest word of each kind before and behind a value: kind → words between."""

    before: Mapping[str, int]
    behind: Mapping[str, int]

    def ratio(self, kinds: frozenset[str]) -> float:
        """Likelihood ratio of what stands beside a value for a type with these kinds of words."""
        if not self.before and not self.behind:
            return 1.0
        if self.behind.get(_UNIT) == 0:
            return RATIO_OTHER_WORD
        own = min((self.before[kind] for kind in kinds if kind in self.before), default=None)
        behind = any(kind in self.behind for kind in kinds)
        other = self.before.get(BUSINESS)
        if own is not None and (other is None or own <= other):
            return max(ratio_before(own), RATIO_BEHIND if behind else 0.0)
        if other is not None and other <= OTHER_WORD_DISTANCE_MAX:
            return RATIO_OTHER_WORD
        if BUSINESS in self.behind and not behind:
            return RATIO_OTHER_WORD
        return RATIO_BEHIND if behind else 1.0

    def names(self, kinds: frozenset[str]) -> bool:
        """Whether any of these kinds of words stands beside."""
        return not (kinds.isdisjoint(self.before) and kinds.isdisjoint(self.behind))


_SILENCE = Beside({}, {})


class Words:
    """The words of one text that say what a number is, found once, and asked for at each value."""

    def __init__(self, text: str, *, trade: bool = True) -> None:
        """`trade`: whether words of trade count, which make a number less likely to be somebody's."""
        self._text = text
        # Where words that count as distance begin; joining words ("is", "my") do not.
        self._counted: list[int] = []
        # Of each word that says something: where it begins, how many counted words begin before it, what it says.
        self._starts: list[int] = []
        self._numbers: list[int] = []
        self._kinds: list[frozenset[str]] = []
        self._ends = [match.start() for match in _SAID.finditer(text)]
        # All that is said anywhere in the text.
        self.kinds: set[str] = set()
        self._known: dict[tuple[int, int, int, int, int], Beside] = {}
        for match in _WORD.finditer(text):
            word = match.group().lower()
            kinds = _KINDS_OF.get(word) or (_compound(word) if word[-2:] in _COMPOUND_ENDS else None)
            if kinds and not trade:
                kinds = kinds - _TRADE
            if kinds:
                self.kinds |= kinds
                self._starts.append(match.start())
                self._numbers.append(len(self._counted))
                self._kinds.append(kinds)
            if word not in _JOINS:
                self._counted.append(match.start())

    def beside(self, start: int, end: int) -> Beside:
        """What the words around `text[start:end]` say."""
        if not self._starts:
            return _SILENCE
        before, behind = bisect_left(self._starts, start), bisect_left(self._starts, end)
        number = bisect_left(self._counted, start), bisect_left(self._counted, end)
        said = self._said_of(start)
        key = (before, behind, *number, said)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Beside(
                self._before(before, number[0], said), self._behind(behind, number[1], end)
            )
        return known

    def _before(self, place: int, number: int, said: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for index in range(place - 1, -1, -1):
            distance = max(0, number - self._numbers[index] - 1)
            if distance > WORDS_BEFORE_MAX:
                break
            for kind in self._kinds[index]:
                # A form's own label may stand above its value.
                if kind != BUSINESS or index >= said:
                    found.setdefault(kind, distance)
        return found

    def _said_of(self, start: int) -> int:
        """The first word that stands in the sentence of what begins at `start`."""
        end = bisect_left(self._ends, start) - 1
        return bisect_left(self._starts, self._ends[end]) if end >= 0 else 0

    def _behind(self, place: int, number: int, end: int) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for index in range(place, len(self._starts)):
            distance = self._numbers[index] - number
            if distance >= WORDS_BEHIND_MAX or "\n" in self._text[end : self._starts[index]]:
                break
            for kind in self._kinds[index]:
                found.setdefault(kind, distance)
        return found


def _compound(word: str) -> frozenset[str] | None:
    """Of "Kundennummer" what "Kunden" says."""
    compound = _COMPOUND.search(word)
    return _KINDS_OF.get(word[: compound.start()]) if compound else None
