"""What is compared with a question, of a chunk: made once when the chunk comes, kept as a few hundred bytes.

Hashes of its words, field by field and sentence by sentence, and what each sentence holds. Sixty chunks are ranked for
every turn and the sentences of the best are read; their text is analysed here instead, once. Hashes are
the same in every process. Two words with one hash (1 in 4 billion) would cost a little order, never a passage.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from zlib import crc32

import numpy as np
import numpy.typing as npt

from edge.knowledge import facts, kinds
from edge.knowledge.languages import ENGLISH
from edge.knowledge.sentences import split
from edge.knowledge.terms import terms

Hashes = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.integer]

# A signature is 32-bit numbers: HEADER of them, then the hashes of each field in this order, then the sentences.
FIELDS = ("title", "section", "text")
# First the lengths of the fields, then: the kinds that its words offer, those that its form shows, its characters, its
# sentences.
KINDS_OF_WORDS, KINDS_SHOWN, CHARACTERS, SENTENCES = range(len(FIELDS), len(FIELDS) + 4)
HEADER = len(FIELDS) + 4
# Of a sentence: where it begins and ends in the text, code points; how many hashes of the text are its own; what it
# holds, its days above that.
_SENTENCE = 4
_DAYS_SHIFT = np.uint32(16)
_HELD_MASK = np.uint32(0xFFFF)
# Sentences of one chunk that are told apart; the chunker's 160 words rarely make more.
SENTENCES_MAX = 32
# Different words of a language that documents use over and over; a word costs some 100 bytes here.
WORDS_KEPT = 65_536
# The hash of nothing.
NO_WORD = 0
# Chunks of one document come one after the other.
PLACES_KEPT = 256
_PART = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """The sentences of a chunk.

    spans    uint32 [sentences, 2]: where each begins and ends in the chunk's text, code points
    words    uint32 [words]: hashes of content words, each once a sentence; those of title and headings first
    owners   uint8 [words]: whose each word is: 0 title and headings, n the nth sentence
    held     uint32 [sentences]: the kinds of fact that each holds (`facts.of`)
    days     uint32 [sentences]: the days of the week that each speaks of, else its title and headings, as bits
    """

    spans: npt.NDArray[np.uint32]
    words: Hashes
    owners: npt.NDArray[np.uint8]
    held: npt.NDArray[np.uint32]
    days: npt.NDArray[np.uint32]

    def words_of(self, owner: int) -> frozenset[int]:
        """The content words of title and headings (0), or of a sentence (from 1 on)."""
        return frozenset(self.words[self.owners == owner].tolist())


def signature(title: str, section: str, text: str, language: str = ENGLISH) -> bytes:
    """The signature of a chunk."""
    title_words, title_kinds = _place(title, language)
    section_words, section_kinds = _place(section, language)
    spans = split(text)
    parts = [text[start:end] for start, end in spans[:SENTENCES_MAX]]
    words = [word_hashes(part, language) for part in parts]
    if len(spans) > SENTENCES_MAX:
        words.append(word_hashes(text[spans[SENTENCES_MAX][0] :], language))
    text_words = list(chain.from_iterable(words))
    _, place_days = facts.of(f"{title} {section}")
    header = (
        len(title_words),
        len(section_words),
        len(text_words),
        title_kinds | section_kinds | _kinds_of(set(text_words)),
        kinds.shown(text.lower()),
        len(text),
        len(parts),
    )
    numbers = [*header, *title_words, *section_words, *text_words]
    for part, (start, end), mine in zip(parts, spans, words, strict=False):
        held, days = facts.of(part)
        numbers += (start, end, len(mine), held | (days or place_days) << int(_DAYS_SHIFT))
    return array("I", numbers).tobytes()


def sentences(signature_of_chunk: bytes) -> Sentences:
    """The sentences that a signature tells of."""
    numbers = np.frombuffer(signature_of_chunk, np.uint32)
    title, section, text = numbers[: len(FIELDS)].tolist()
    count = int(numbers[SENTENCES])
    table = numbers[HEADER + title + section + text :].reshape(count, _SENTENCE)
    lengths = table[:, 2].tolist()
    owned = HEADER + title + section + sum(lengths)
    return Sentences(
        table[:, :2],
        numbers[HEADER:owned],
        np.repeat(np.arange(count + 1, dtype=np.uint8), [title + section, *lengths]),
        table[:, 3] & _HELD_MASK,
        table[:, 3] >> _DAYS_SHIFT,
    )


def word_hash(word: str) -> int:
    """The hash of an analysed word."""
    return crc32(word.encode())


@lru_cache(PLACES_KEPT)
def _place(text: str, language: str) -> tuple[set[int], int]:
    return _words(text, language)


def word_hashes(text: str, language: str = ENGLISH) -> set[int]:
    """The hashes of the different content words of `text`."""
    found = set(map(_vocabulary(language).__getitem__, _PART.findall(text.lower())))
    found.discard(NO_WORD)
    return found


def where_words_stand(
    words: Sequence[int], hashes: Hashes, owners: Rows, owners_count: int
) -> npt.NDArray[np.bool_]:
    """Whether each owner has each of `words` (hashes): [words, owners]. `hashes` in a row, and whose each is."""
    found = np.zeros((len(words), owners_count), np.bool_)
    rows, places = np.nonzero(np.asarray(words, np.uint32)[:, None] == hashes)
    found[rows, owners[places]] = True
    return found


def _words(text: str, language: str) -> tuple[set[int], int]:
    """The different content words of `text` as hashes, and the kinds that they offer."""
    hashes = word_hashes(text, language)
    return hashes, _kinds_of(hashes)


def _kinds_of(hashes: set[int]) -> int:
    offered = 0
    for hashed in hashes & _kinds_of_hashes().keys():
        offered |= _kinds_of_hashes()[hashed]
    return offered


class _Vocabulary(dict[str, int]):
    """The hash of the analysed form of each word of one language; NO_WORD for a function word."""

    def __init__(self, language: str) -> None:
        self._language = language

    def __missing__(self, part: str) -> int:
        if len(self) >= WORDS_KEPT:
            self.clear()
        analysed = terms(part, self._language)
        found = self[part] = word_hash(analysed[0]) if analysed else NO_WORD
        return found


@cache
def _vocabulary(language: str) -> _Vocabulary:
    return _Vocabulary(language)


@cache
def _kinds_of_hashes() -> dict[int, int]:
    """The kinds that a word offers, by its hash."""
    return {word_hash(word): offered for word, offered in kinds.of_words().items()}
