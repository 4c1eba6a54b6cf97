"""Which words of a language's rules a written word may be. Pure; built once at start.

A misspelt word is found by its neighbourhood of deletions: two words that differ by one slip share a form with one
letter left out, so a look-up replaces comparing with every word (the idea of W. Garbe's symmetric delete search).
Candidates are confirmed by optimal string alignment distance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rapidfuzz.distance import OSA

from models.words import collapse

Value = TypeVar("Value")

# Marks in the data: a beginning ("bleed*"), a word that is itself only when written exactly ("=fire").
STEM_MARK = "*"
EXACT_MARK = "="
# Shorter words have too many true neighbours: they must be right.
FUZZY_CHARS_MIN = 4
# From here on two slips leave a word recognisable.
TWO_SLIPS_CHARS_MIN = 9
SLIPS_MAX = 2
# Words written together ("chestpain", "icantbreathe"): the whole is at least this long, and two of its words are no
# mere particles; else every third long word would fall apart ("part-i-al").
TOGETHER_CHARS_MIN = 7
PART_CHARS_MIN = 4
PARTS_MIN = 2
# Words of which is remembered what they may stand for, so that misspellings are looked for only once. They are known by
# their hashes, which are random in each process: nothing that somebody typed is kept.
REMEMBERED_MAX = 16_384


class Lexicon:
    """The words of one language: those of its rules, and common ones that are nobody's misspelling."""

    def __init__(self, entries: Iterable[str], known: Iterable[str], elisions: Iterable[str] = ()) -> None:
        """`entries`: words with their marks; `known`: plain words; `elisions`: what may be stuck to the front."""
        self._exact: dict[str, set[str]] = defaultdict(set)
        self._stems: dict[str, set[str]] = defaultdict(set)
        self._slips: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._stem_slips: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._long: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._known = frozenset(collapse(word) for word in known)
        self._elisions = tuple(elisions)
        self._resolved: dict[int, frozenset[str]] = {}
        self._split: dict[int, tuple[str, ...]] = {}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: str) -> None:
        stem = entry.endswith(STEM_MARK)
        word = collapse(entry.strip(STEM_MARK + EXACT_MARK))
        (self._stems if stem else self._exact)[word].add(entry)
        if (
            entry.startswith(EXACT_MARK)
            or len(word) < FUZZY_CHARS_MIN
            or (stem and len(word) == FUZZY_CHARS_MIN)
        ):
            return
        if len(word) >= TWO_SLIPS_CHARS_MIN:
            self._long[word[0]].append((word, entry))
        slips = self._stem_slips if stem else self._slips
        for form in _forms(word):
            slips[form].add((word, entry))

    def __iter__(self) -> Iterator[str]:
        """All words of this language, written right."""
        return iter(self._known | self._exact.keys())

    def __contains__(self, word: str) -> bool:
        """True for a word of this language, written right."""
        return word in self._known or word in self._exact

    def resolve(self, word: str) -> frozenset[str]:
        """The entries that `word` may stand for; more than one where spellings are near each other."""
        return _remembered(self._resolved, word, self._resolve)

    def _resolve(self, word: str) -> frozenset[str]:
        found = self.as_written(word)
        if word not in self:
            found |= self._misspelt(word)
        return frozenset(found or self._elided(word))

    def split(self, word: str) -> tuple[str, ...]:
        """The fewest right words that were written together as `word`, or nothing."""
        return _remembered(self._split, word, self._split_up)

    def _split_up(self, word: str) -> tuple[str, ...]:
        if len(word) < TOGETHER_CHARS_MIN or word in self:
            return ()
        cuts: list[tuple[str, ...] | None] = [(), *([None] * len(word))]
        for end in range(1, len(word) + 1):
            ways = [
                (*before, word[start:end])
                for start in range(end)
                if (before := cuts[start]) is not None and word[start:end] in self
            ]
            cuts[end] = min(ways, key=len, default=None)
        parts = cuts[-1] or ()
        return parts if sum(len(part) >= PART_CHARS_MIN for part in parts) >= PARTS_MIN else ()

    def as_written(self, word: str) -> set[str]:
        """The entries that `word` is without any slip."""
        found = set(self._exact.get(word, ()))
        for end in range(3, len(word) + 1):
            found |= self._stems.get(word[:end], set())
        return found

    def _misspelt(self, word: str) -> set[str]:
        if len(word) < FUZZY_CHARS_MIN - 1:
            return set()
        found = {
            entry
            for form in _forms(word)
            for candidate, entry in self._slips.get(form, ())
            if _is_slip(word, candidate)
        }
        for end in range(FUZZY_CHARS_MIN, len(word) + 1):
            beginning = word[:end]
            for form in _forms(beginning):
                for candidate, entry in self._stem_slips.get(form, ()):
                    if _is_slip(beginning, candidate):
                        found.add(entry)
        return found or self._misspelt_twice(word)

    def _misspelt_twice(self, word: str) -> set[str]:
        """Long words with two slips; few enough to be compared one by one."""
        return {
            entry
            for candidate, entry in self._long.get(word[0], ())
            if _ends_within(word, candidate, beginning=entry.endswith(STEM_MARK))
        }

    def _elided(self, word: str) -> set[str]:
        """`leau` is `l'eau`."""
        for elision in self._elisions:
            rest = word.removeprefix(elision)
            if rest != word and len(rest) >= FUZZY_CHARS_MIN and (found := self.as_written(rest)):
                return found
        return set()


def _remembered(known: dict[int, Value], word: str, find: Callable[[str], Value]) -> Value:
    key = hash(word)
    if key not in known:
        if len(known) >= REMEMBERED_MAX:
            known.clear()
        known[key] = find(word)
    return known[key]


def _forms(word: str) -> Iterator[str]:
    """`word`, and `word` with each one letter left out."""
    yield word
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]


def _is_slip(written: str, meant: str) -> bool:
    """True if `written` is `meant` with a slip; the first letter is right, or changed places with the second."""
    if written[0] != meant[0] and written[:2] != meant[1::-1]:
        return False
    if len(meant) == FUZZY_CHARS_MIN and len(written) == len(
        meant
    ):  # in short words only letters that changed places
        return sorted(written) == sorted(meant) and OSA.distance(written, meant) == 1
    return bool(OSA.distance(written, meant, score_cutoff=1) <= 1)


def _ends_within(written: str, meant: str, *, beginning: bool) -> bool:
    """True if `written`, or with `beginning` its first letters, is `meant` with at most SLIPS_MAX slips."""
    if len(written) < len(meant) - SLIPS_MAX or (not beginning and len(written) > len(meant) + SLIPS_MAX):
        return False
    longest = len(meant) + SLIPS_MAX
    ends = range(len(meant) - SLIPS_MAX, min(longest, len(written)) + 1) if beginning else (len(written),)
    return any(OSA.distance(written[:end], meant, score_cutoff=SLIPS_MAX) <= SLIPS_MAX for end in ends)
