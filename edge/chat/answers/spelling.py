"""Slips of the finger in a question, mended with words that the site's documents or the encoder know.

Only words that neither knows are touched, and only where one known word is very near: a name or a foreign word that
resembles nothing stays as it was typed. The customer's text is kept as it is; this is what is searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from rapidfuzz import process
from rapidfuzz.distance import OSA

from edge.knowledge.document import Audience

# Shorter words have too many neighbours.
LETTERS_MIN = 4
# Letters from which two slips may be mended instead of one.
LETTERS_TWO_SLIPS = 8
# Longer runs of letters are no words; they are not compared.
LETTERS_MAX = 24
# Words of one question that are mended: more unknown ones than that are another language, not slips.
WORDS_MENDED_MAX = 6

_WORD = re.compile(r"[^\W\d_]{4,}")


class Words(Protocol):
    """What this file asks of the indexes."""

    def words(self, audience: Audience) -> frozenset[str]:
        """The words of all documents that an audience may see, in lower case."""
        ...


class Speller:
    """Mends questions. `known`: words of the language in lower case, the encoder's vocabulary."""

    def __init__(self, known: Iterable[str], documents: Words) -> None:
        self._known = frozenset(word for word in known if len(word) >= LETTERS_MIN and word.isalpha())
        self._documents = documents

    def mend(self, text: str, audience: Audience) -> str:
        """`text` with slips mended."""
        unknown = {word for word in _WORD.findall(text) if self._is_unknown(word, audience)}
        if not unknown or len(unknown) > WORDS_MENDED_MAX:
            return text
        mended = {word: self._nearest(word.lower(), audience) or word for word in unknown}
        return _WORD.sub(lambda match: mended.get(match[0], match[0]), text)

    def _is_unknown(self, word: str, audience: Audience) -> bool:
        lower = word.lower()
        return lower not in self._known and lower not in self._documents.words(audience)

    def _nearest(self, word: str, audience: Audience) -> str | None:
        """The nearest word of the documents, else of the language; None where nothing is near enough."""
        if len(word) > LETTERS_MAX:
            return None
        slips = 2 if len(word) >= LETTERS_TWO_SLIPS else 1
        for words in (self._documents.words(audience), self._known):
            near = [
                (int(distance), found)
                for found, distance, _ in process.extract(
                    word, words, scorer=OSA.distance, score_cutoff=slips, limit=None
                )
                if len(found) >= LETTERS_MIN
            ]
            if near:
                # The first letter is rarely wrong; among equals the order must not depend on a set's.
                return min(near, key=lambda one: (one[0], one[1][0] != word[0], one[1]))[1]
        return None
