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


class _Index:
    """Words by first letter and length, so that a slip is compared with some hundred words and not with all."""

    def __init__(self, words: frozenset[str]) -> None:
        self.words = words
        self._by_shape: dict[tuple[str, int], list[str]] = {}
        for word in words:
            if len(word) >= LETTERS_MIN:
                self._by_shape.setdefault((word[0], len(word)), []).append(word)

    def nearest(self, word: str, slips: int) -> str | None:
        """The nearest word within so many slips; None where there is none."""
        found: list[tuple[int, bool, str]] = []
        # The first letter is rarely wrong; it may have changed places with the second.
        for first in dict.fromkeys(word[:2]):
            for length in range(len(word) - slips, len(word) + slips + 1):
                near = process.extract(
                    word,
                    self._by_shape.get((first, length), ()),
                    scorer=OSA.distance,
                    score_cutoff=slips,
                    limit=None,
                )
                found += [(int(distance), first != word[0], other) for other, distance, _ in near]
        # Among equals the order must not depend on a set's.
        return min(found)[2] if found else None


class Speller:
    """Mends questions. `known`: words of the language in lower case, the encoder's vocabulary."""

    def __init__(self, known: Iterable[str], documents: Words) -> None:
        self._known = _Index(frozenset(word for word in known if len(word) >= LETTERS_MIN and word.isalpha()))
        self._documents = documents
        self._indexed: dict[Audience, _Index] = {}

    def mend(self, text: str, audience: Audience) -> str:
        """`text` with slips mended."""
        documents = self._index(audience)
        unknown = {word for word in _WORD.findall(text) if self._is_unknown(word.lower(), documents)}
        if not unknown or len(unknown) > WORDS_MENDED_MAX:
            return text
        mended = {word: self._nearest(word.lower(), documents) or word for word in unknown}
        return _WORD.sub(lambda match: mended.get(match[0], match[0]), text)

    def _index(self, audience: Audience) -> _Index:
        """The documents' words; made anew when they have changed."""
        words = self._documents.words(audience)
        index = self._indexed.get(audience)
        if index is None or index.words is not words:
            index = self._indexed[audience] = _Index(words)
        return index

    def _is_unknown(self, word: str, documents: _Index) -> bool:
        return word not in self._known.words and word not in documents.words

    def _nearest(self, word: str, documents: _Index) -> str | None:
        """The nearest word of the documents, else of the language; None where nothing is near enough."""
        if len(word) > LETTERS_MAX:
            return None
        slips = 2 if len(word) >= LETTERS_TWO_SLIPS else 1
        return documents.nearest(word, slips) or self._known.nearest(word, slips)
