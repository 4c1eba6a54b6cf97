"""How a text is written, as a sparse vector: hashed character n-grams, weighed by frequency and rarity. Pure.

An embedding tells meaning and blurs wording; "declined" and "reverted", one letter apart from their neighbours in
meaning, are told apart by their letters. Hashing keeps no vocabulary, so that a model holds no words of its site.
Weights are (1 + ln tf) · idf, each text scaled to length 1 (Salton and Buckley, 1988).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Lengths of the n-grams, characters.
LENGTHS = (2, 3, 4)
BUCKET_BITS = 14
BUCKETS = 1 << BUCKET_BITS
# Characters of a text that are looked at: what tells the intent stands early, and time stays bounded.
CHARS_MAX = 400
# Odd 64-bit constants; the second is 2^64 ÷ the golden ratio (Knuth's multiplicative hashing).
_STEP = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Ngrams:
    """Rows of a sparse matrix [n, BUCKETS] (compressed rows): row i has buckets and weights [starts[i]:starts[i+1]]."""

    starts: npt.NDArray[np.int64]
    buckets: npt.NDArray[np.int64]
    weights: Floats


def count(texts: Sequence[str]) -> Ngrams:
    """1 + ln tf of each bucket of each text."""
    characters, owners = _characters(texts)
    keys = np.concatenate([_keys(characters, owners, length) for length in LENGTHS])
    keys, counts = np.unique(keys, return_counts=True)
    rows, buckets = keys >> BUCKET_BITS, keys & (BUCKETS - 1)
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    return Ngrams(starts, buckets, (1.0 + np.log(counts)).astype(np.float32))


def rarity(counted: Ngrams) -> Floats:
    """float32 [BUCKETS]: how much each bucket tells, ln((1 + n) ÷ (1 + texts that have it)) + 1."""
    texts = len(counted.starts) - 1
    found = np.bincount(counted.buckets, minlength=BUCKETS)
    return (np.log((1 + texts) / (1 + found)) + 1.0).astype(np.float32)


def weigh(counted: Ngrams, idf: Floats) -> Ngrams:
    """`counted` with each bucket weighed by `idf` [BUCKETS] and each row scaled to length 1."""
    weights = counted.weights * idf[counted.buckets]
    lengths = np.sqrt(np.add.reduceat(weights * weights, counted.starts[:-1]))
    return Ngrams(counted.starts, counted.buckets, weights / np.repeat(lengths, np.diff(counted.starts)))


def _characters(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Code points of all texts in a row, each text between two spaces, and the text that each belongs to."""
    padded = [f" {' '.join(text.casefold().split())[:CHARS_MAX]} " for text in texts]
    owners = np.repeat(np.arange(len(padded)), [len(text) for text in padded])
    characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
    return characters.astype(np.uint64), owners


def _keys(
    characters: npt.NDArray[np.uint64], owners: npt.NDArray[np.int64], length: int
) -> npt.NDArray[np.int64]:
    """text · BUCKETS + bucket of every n-gram of this length that lies within one text."""
    n = max(0, len(characters) - length + 1)
    hashed = np.full(n, length, np.uint64)
    for offset in range(length):
        hashed = hashed * _STEP + characters[offset : offset + n]
    buckets = ((hashed * _MIX) >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
    first, last = owners[:n], owners[length - 1 :]
    found: npt.NDArray[np.int64] = ((first << BUCKET_BITS) | buckets)[first == last]
    return found
