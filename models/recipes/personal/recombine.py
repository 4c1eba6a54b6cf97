"""Words that look like those of a list and are not in it, so that a tagger learns forms instead of lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random

# A tail of fewer letters is an ending that says little; one crossing is enough to leave the list.
TAIL_LETTERS_MIN = 2
TRIES = 6


class Recombiner:
    """Crosses two words of a list where they share two letters: Ander|sen and Lin|der|moth give Andermoth."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._known = frozenset(words)
        tails: dict[str, list[str]] = defaultdict(list)
        for word in words:
            for cut in range(2, len(word) - TAIL_LETTERS_MIN + 1):
                tails[word[cut - 2 : cut]].append(word[cut:])
        self._tails = dict(tails)

    def draw(self, rng: Random) -> str:
        """A word that is not in the list, or after `TRIES` fruitless crossings one that is."""
        word = ""
        for _ in range(TRIES):
            word = rng.choice(self._words)
            if len(word) < 4:
                continue
            cut = rng.randint(2, len(word) - 1)
            tails = self._tails.get(word[cut - 2 : cut])
            crossed = word[:cut] + rng.choice(tails) if tails else word
            if crossed not in self._known and len(crossed) <= 2 * len(word):
                return crossed
        return word
