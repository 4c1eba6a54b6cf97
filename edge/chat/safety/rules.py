"""Rules as data, and what they find in the words of a question. Pure.

A rule is a set of concepts that stand near each other in any order ("chest pain", "lost|stolen card"). What else
stands near can take it back: a question for information, a year, a "no" before it. The rules are the same in every
language (`rules.toml`); the words of each concept are a language's own (`languages/*.toml`).
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from edge.chat.safety.kind import Kind
from edge.chat.safety.lexicon import Lexicon
from models.words import YEAR, Word, plain

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl")
# Positions from the first to the last word of a rule: "my chest has been feeling really very tight".
SPAN_MAX = 8
# How far from a rule's words those that take it back may stand.
EXCEPTION_REACH = 12
# How far before a rule's first word a "no" still belongs to it: "I do not have any chest pain".
NEGATION_REACH = 3
# Words inside an entry of several words may have this many others between them.
ENTRY_GAP_MAX = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """`slots`: for each, the concepts of which one must be there."""

    kind: Kind
    slots: tuple[frozenset[str], ...]
    span_max: int
    words_max: int | None
    distinct_min: int
    first: bool
    unless: frozenset[str]
    unless_before: frozenset[str]
    despite: frozenset[str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that holds. `first`: before graver kinds. `evidence`: how many words are this language's own."""

    kind: Kind
    first: bool
    language: str
    evidence: int


Entry = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry of a concept stands: positions of its first and last word."""

    first: int
    last: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Said:
    """Entries of which every word is in a text, wherever, and their concepts. `resolved`: what each word may be."""

    resolved: Mapping[str, Set[str]]
    entries: Sequence[tuple[str, Entry]]
    concepts: Set[str]


class Language:
    """The rules with the words of one language, compiled."""

    def __init__(self, code: str, rules: Sequence[Rule], data: Mapping[str, Any]) -> None:
        """Raises ValueError for a concept that `rules` name and `data` has not, or the other way round."""
        self.code = code
        # Rules by the concepts of their first slot: without one of those a rule need not be looked at.
        self._rules: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            for name in rule.slots[0]:
                self._rules[name].append(rule)
        concepts = {name: _entries(text) for name, text in data["concepts"].items()}
        if differing := concepts.keys() ^ frozenset().union(*map(_concepts, rules)):
            raise ValueError(f"{code}: in the rules or in the words only: {', '.join(sorted(differing))}")
        # Each entry under the word of it that the fewest share: hundreds begin with "i", few questions hold the rest.
        counts = Counter(word for entries in concepts.values() for entry in entries for word in entry)
        self._of_word: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
        for name, entries in concepts.items():
            for entry in entries:
                self._of_word[min(entry, key=counts.__getitem__)].append((name, entry))
        self._lexicon = Lexicon(
            {word for entries in concepts.values() for entry in entries for word in entry},
            plain(data["known"]).split(),
            data.get("elisions", "").split(),
        )

    def find(self, words: Sequence[Word]) -> list[Hit]:
        """What `words` speak of, each once."""
        separated = self._separated(words)
        said = self._said(separated, self._lexicon.resolve)
        possible = [
            rule
            for name in said.concepts
            for rule in self._rules.get(name, ())
            if (rule.words_max is None or len(words) <= rule.words_max)
            and not any(slot.isdisjoint(said.concepts) for slot in rule.slots)
        ]
        if not possible:
            return []
        places = _places(separated, said)
        # A slip may hide danger; what takes a rule back must be written right.
        exceptions = _places(separated, self._said(separated, self._lexicon.as_written))
        found = dict.fromkeys(
            (rule.kind, rule.first) for rule in possible if _holds(rule, places, exceptions)
        )
        evidence = sum(word.text in self._lexicon for word in separated) if found else 0
        return [Hit(kind, first, self.code, evidence) for kind, first in found]

    def mentions(self, concept: str, words: Sequence[Word]) -> bool:
        """True if `words` have one of `concept`'s entries, written right."""
        separated = self._separated(words)
        return concept in _places(separated, self._said(separated, self._lexicon.as_written))

    @property
    def vocabulary(self) -> Iterable[str]:
        """The words of this language, written right, as far as the rules know them."""
        return self._lexicon

    def _separated(self, words: Sequence[Word]) -> list[Word]:
        """Words that were written together, apart; they keep one position."""
        parts = {word.text: found for word in words if (found := self._lexicon.split(word.text))}
        if not parts:
            return list(words)
        return [Word(part, word.at) for word in words for part in parts.get(word.text, (word.text,))]

    def _said(self, words: Sequence[Word], meaning: Callable[[str], Set[str]]) -> _Said:
        """What may be in `words`. `meaning`: the entries' words that a word may be."""
        resolved: dict[str, Set[str]] = {
            text: {YEAR} if text == YEAR else meaning(text) for text in {word.text for word in words}
        }
        there = frozenset[str]().union(*resolved.values())
        entries = [
            (name, entry)
            for word in there & self._of_word.keys()
            for name, entry in self._of_word[word]
            if there.issuperset(entry)
        ]
        return _Said(resolved, entries, {name for name, _ in entries})


def _places(words: Sequence[Word], said: _Said) -> dict[str, list[Place]]:
    """Where each concept stands."""
    places: dict[str, list[Place]] = defaultdict(list)
    for index, word in enumerate(words):
        for name, entry in said.entries:
            if entry[0] in said.resolved[word.text]:
                last = follow(entry, words, said.resolved, index)
                if last is not None:
                    places[name].append(Place(word.at, last, entry))
    return places


@cache
def load() -> tuple[Language, ...]:
    """Every language's rules, compiled once a process: they are the package's, and nothing changes them."""
    folder = files("edge.chat.safety")
    blocks = tomllib.loads((folder / "rules.toml").read_text(encoding="utf-8"))["rules"]
    rules = [rule for block in blocks for rule in _rules(block)]
    return tuple(
        Language(
            code, rules, tomllib.loads((folder / "languages" / f"{code}.toml").read_text(encoding="utf-8"))
        )
        for code in LANGUAGES
    )


def _entries(text: str) -> list[Entry]:
    return [tuple(entry.split("_")) for entry in plain(text).split()]


def _concepts(rule: Rule) -> frozenset[str]:
    return frozenset().union(*rule.slots, rule.unless, rule.unless_before, rule.despite)


def _rules(block: Mapping[str, Any]) -> list[Rule]:
    exceptions = {name: frozenset(block.get(name, ())) for name in ("unless", "unless_before", "despite")}
    return [
        Rule(
            kind=Kind(block["kind"]),
            slots=tuple(frozenset(slot.split("|")) for slot in text.split()),
            span_max=block.get("span", SPAN_MAX),
            words_max=block.get("words_max"),
            distinct_min=block.get("distinct", 1),
            first=block.get("first", False),
            **exceptions,
        )
        for text in block["any"]
    ]


def follow(entry: Entry, words: Sequence[Word], resolved: Mapping[str, Set[str]], index: int) -> int | None:
    """The position where an entry that starts at `index` ends, or None. `resolved`: what each word may stand for."""
    at = words[index].at
    for wanted in entry[1:]:
        for later in range(index + 1, min(index + 2 + ENTRY_GAP_MAX, len(words))):
            if words[later].at - at <= 1 + ENTRY_GAP_MAX and wanted in resolved[words[later].text]:
                index, at = later, words[later].at
                break
        else:
            return None
    return at


def _holds(
    rule: Rule, places: Mapping[str, Sequence[Place]], exceptions: Mapping[str, Sequence[Place]]
) -> bool:
    """True if the slots, each of them there, stand near each other somewhere and nothing near takes the rule back."""
    candidates = [
        sorted((place for name in slot for place in places.get(name, ())), key=_first) for slot in rule.slots
    ]
    if rule.distinct_min > 1:
        return len({place.entry for place in candidates[0]}) >= rule.distinct_min
    stretches = (_stretch(start, candidates[1:], rule.span_max) for start in candidates[0])
    return any(found and not _taken_back(rule, exceptions, *found) for found in stretches)


def _stretch(start: Place, others: Sequence[Sequence[Place]], span_max: int) -> tuple[int, int] | None:
    """The place of the first slot, widened to the nearest place of each of the others; None past `span_max`."""
    first, last = start.first, start.last
    for places in others:
        low = bisect_left(places, last - span_max, key=_first)
        high = bisect_right(places, first + span_max, key=_first)
        spans = ((min(first, place.first), max(last, place.last)) for place in places[low:high])
        first, last = min(spans, key=lambda span: span[1] - span[0], default=(0, span_max + 1))
        if last - first > span_max:
            return None
    return first, last


def _first(place: Place) -> int:
    return place.first


def _taken_back(rule: Rule, exceptions: Mapping[str, Sequence[Place]], first: int, last: int) -> bool:
    def near(names: frozenset[str], begin: int, end: int) -> bool:
        return any(begin <= p.first and p.last <= end for name in names for p in exceptions.get(name, ()))

    if near(rule.unless_before, first - NEGATION_REACH, first - 1):
        return True
    around = (first - EXCEPTION_REACH, last + EXCEPTION_REACH)
    return near(rule.unless, *around) and not near(rule.despite, *around)
