"""What is known of each candidate for a question, as numbers of about 0 to 1: the ranking's input. A pure rule.

Shares of words weigh each by its rarity on the site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.knowledge import kinds
from edge.knowledge.signature import (
    CHARACTERS,
    FIELDS,
    HEADER,
    KINDS_OF_WORDS,
    KINDS_SHOWN,
    where_words_stand,
    word_hash,
)

Floats = npt.NDArray[np.float64]

FEATURES = (
    "cosine",
    "cosine_place",  # 1 for the nearest, 1/2 for the next, …
    "bm25",  # relative to the question's best
    "title_named",  # share of the question that the title holds, if the question names all of the title
    "title_part",  # the same times the share of the title that the question names
    "anywhere",  # share of the question that title, section and text hold
    "kind_in_words",  # title, section or text has a word of the kind that is asked for
    "kind_shown",  # the text has the form of it: a price, a time, a definition
    "length",  # logarithm of the characters
)
# About the logarithm of the characters of a usual chunk: brings the length to the size of the others.
LENGTH_SCALE = 8.0
_TITLE = FIELDS.index("title")
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the legs found for one question: equally long, in any order. `bm25` is 0 where only meaning found it."""

    signatures: Sequence[bytes]
    cosines: Floats
    bm25: Floats


def features(question: str, rarity: Mapping[str, float], found: Candidates) -> Floats:
    """[candidates, len(FEATURES)] for at least one candidate. `rarity`: the question's words (`Searcher.rarity`)."""
    words = list(rarity)
    header, fields = _opened(found.signatures)
    holds = fields.hold([word_hash(word) for word in words])  # [words, candidates, fields]
    title = holds[..., _TITLE]
    weights = np.fromiter(rarity.values(), np.float64, len(words))
    total = max(weights.sum(), _TINY)
    in_title = weights @ title / total
    named = title.sum(axis=0) / np.maximum(header[:, _TITLE], 1)
    asked = np.uint32(kinds.asked(question))
    result = np.empty((len(found.signatures), len(FEATURES)))
    result.T[:] = (
        found.cosines,
        1 / (1 + _places(found.cosines)),
        found.bm25 / max(found.bm25.max(), _TINY),
        in_title * (named >= 1),
        in_title * named,
        weights @ holds.any(axis=2) / total,
        (header[:, KINDS_OF_WORDS] & asked) != 0,
        (header[:, KINDS_SHOWN] & asked) != 0,
        np.log1p(header[:, CHARACTERS]) / LENGTH_SCALE,
    )
    return result


@dataclass(frozen=True, slots=True)
class _Fields:
    """The hashes of all candidates' fields in a row, and which field of which candidate each is of."""

    hashes: npt.NDArray[np.uint32]
    owner: npt.NDArray[np.intp]  # candidate × len(FIELDS) + field
    lengths: npt.NDArray[np.intp]  # [candidates, fields]

    def hold(self, words: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Whether each field holds each word: [words, candidates, fields]."""
        return where_words_stand(words, self.hashes, self.owner, self.lengths.size).reshape(
            len(words), *self.lengths.shape
        )


def _opened(signatures: Sequence[bytes]) -> tuple[npt.NDArray[np.uint32], _Fields]:
    """The headers [candidates, HEADER], and the fields behind them."""
    numbers = np.frombuffer(b"".join(signatures), np.uint32)
    sizes = np.fromiter(map(len, signatures), np.intp, len(signatures)) // numbers.itemsize
    at = (np.cumsum(sizes) - sizes)[:, None] + np.arange(HEADER)
    header = numbers[at]
    lengths = header[:, : len(FIELDS)].astype(np.intp)
    counts = lengths.sum(axis=1)
    before = at[:, 0] + HEADER - (np.cumsum(counts) - counts)
    hashes = numbers[np.arange(counts.sum()) + np.repeat(before, counts)]
    owner = np.repeat(np.arange(lengths.size), lengths.ravel())
    return header, _Fields(hashes, owner, lengths)


def _places(values: Floats) -> npt.NDArray[np.intp]:
    """Each value's place, 0 for the largest; equal ones keep their order."""
    places = np.empty(len(values), np.intp)
    places[np.argsort(-values, kind="stable")] = np.arange(len(values))
    return places
