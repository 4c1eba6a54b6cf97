"""What the ranking looks at in a chunk, made once when the chunk comes: hashes of its words, field by field.

Sixty chunks are compared with a question for every turn; their text is analysed here instead, some 50 µs a chunk, and
kept as a few hundred bytes. Hashes are the same in every process. Two words with one hash (1 in 4 billion) would cost
a little order, never a passage.
"""

from __future__ import annotations

import re
from array import array
from functools import lru_cache
from zlib import crc32

from edge.knowledge import kinds
from edge.knowledge.languages import ENGLISH
from edge.knowledge.terms import terms

# A signature is 32-bit numbers: HEADER of them, then the hashes of each field in this order.
FIELDS = ("title", "section", "text")
# First the lengths of the fields, then: the kinds that its words offer, those that its form shows, its characters.
KINDS_OF_WORDS, KINDS_SHOWN, CHARACTERS = range(len(FIELDS), len(FIELDS) + 3)
HEADER = len(FIELDS) + 3
# Different words of a language that documents use over and over; a word costs some 100 bytes here.
WORDS_KEPT = 65_536
# Chunks of one document come one after the other.
PLACES_KEPT = 256
_PART = re.compile(r"[^\W_]+")


def signature(title: str, section: str, text: str, language: str = ENGLISH) -> bytes:
    """The signature of a chunk."""
    title_words, title_kinds = _place(title, language)
    section_words, section_kinds = _place(section, language)
    text_words, text_kinds = _words(text, language)
    header = (
        len(title_words),
        len(section_words),
        len(text_words),
        title_kinds | section_kinds | text_kinds,
        kinds.shown(text.lower()),
        len(text),
    )
    return array("I", [*header, *title_words, *section_words, *text_words]).tobytes()


def word_hash(word: str) -> int:
    """The hash of an analysed word."""
    return crc32(word.encode())


@lru_cache(PLACES_KEPT)
def _place(text: str, language: str) -> tuple[set[int], int]:
    return _words(text, language)


def _words(text: str, language: str) -> tuple[set[int], int]:
    """The different content words of `text` as hashes, and the kinds that they offer."""
    known = [word for part in set(_PART.findall(text.lower())) if (word := _word(part, language))]
    offered = 0
    for _, kinds_of_word in known:
        offered |= kinds_of_word
    return {hashed for hashed, _ in known}, offered


@lru_cache(WORDS_KEPT)
def _word(part: str, language: str) -> tuple[int, int] | None:
    """Hash and kinds of one word; None for a function word."""
    analysed = terms(part, language)
    return (word_hash(analysed[0]), kinds.of_words().get(analysed[0], 0)) if analysed else None
