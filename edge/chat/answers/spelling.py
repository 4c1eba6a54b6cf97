"""Slips of the finger in a question, mended with words that the site's documents or the encoder know.

Only words that neither knows are touched, and only where one known word is very near: a name or a foreign word that
resembles nothing stays as it was typed. The customer's text is kept as it is; this is what is searched for.

The documents' words are gathered beside the turns (`Speller.refresh`): for a large site that is a second's work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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


class Documents(Protocol):
    """What this file asks of the indexes."""

    @property
    def revision(self) -> int:
        """Another one after every change of chunks."""
        ...

    def chunk_ids(self) -> Iterable[int]:
        """Those of all chunks."""
        ...

    def words(self, chunk_id: int) -> tuple[Audience, set[str]]:
        """Who may see a chunk, and its words in lower case. Raises KeyError."""
        ...


class _Index:
    """Words by first letter and length, so that a slip is compared with some hundred words and not with all."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words: set[str] = set()
        self._by_shape: dict[tuple[str, int], list[str]] = {}
        self.add(words)

    def add(self, words: Iterable[str]) -> None:
        """Take more words in, while others look for theirs."""
        for word in words:
            if len(word) >= LETTERS_MIN and word not in self.words:
                self.words.add(word)
                self._by_shape.setdefault((word[0], len(word)), []).append(word)

    def near(self, word: str, slips: int) -> list[tuple[int, bool, str]]:
        """The words within so many slips, the nearest the least."""
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
        return found


class Speller:
    """Mends questions, once it has read the documents' words."""

    def __init__(self, known: Iterable[str], documents: Documents) -> None:
        """`known`: words of the language in lower case, the encoder's vocabulary."""
        self._known = _Index(word for word in known if word.isalpha())
        self._documents = documents
        # Each audience's own documents, so that no word is kept twice.
        self._indexed = {audience: _Index() for audience in Audience}
        self._seen: set[int] = set()
        self._revision: int | None = None

    def refresh(self) -> None:
        """Take in the words of new documents; those of removed ones stay until the node starts again. Blocking."""
        revision = self._documents.revision
        for chunk_id in self._documents.chunk_ids():
            if chunk_id in self._seen:
                continue
            self._seen.add(chunk_id)
            try:
                audience, words = self._documents.words(chunk_id)
            except KeyError:  # taken out meanwhile
                continue
            self._indexed[audience].add(words)
        self._revision = revision

    def mend(self, text: str, audience: Audience) -> str:
        """`text` with slips mended; as it is while there are documents whose words are not read: they may be right."""
        if self._revision != self._documents.revision:
            return text
        documents = [self._indexed[one] for one in audience.sees]
        unknown = {word for word in _WORD.findall(text) if self._is_unknown(word.lower(), documents)}
        if not unknown or len(unknown) > WORDS_MENDED_MAX:
            return text
        mended = {word: self._nearest(word.lower(), documents) or word for word in unknown}
        return _WORD.sub(lambda match: mended.get(match[0], match[0]), text)

    def _is_unknown(self, word: str, documents: Sequence[_Index]) -> bool:
        return not any(word in index.words for index in (self._known, *documents))

    def _nearest(self, word: str, documents: Sequence[_Index]) -> str | None:
        """The nearest word of the documents, else of the language; None where nothing is near enough."""
        if len(word) > LETTERS_MAX:
            return None
        slips = 2 if len(word) >= LETTERS_TWO_SLIPS else 1
        found = [near for index in documents for near in index.near(word, slips)] or self._known.near(
            word, slips
        )
        # Among equals the order must not depend on a set's.
        return min(found)[2] if found else None
