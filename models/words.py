"""From what was typed to words that can be compared: no accents, no capitals, no tricks of spelling. Pure.

People in trouble write `i cant breeeath`, `ch3st p41n` and `h e l p`; people who test a machine write the same on
purpose. All of it becomes plain words at positions; the end of a sentence is a distance, not a wall.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Positions between the last word of a sentence and the first of the next: nearly out of reach of one rule.
SENTENCE_GAP = 5

# Nobody's word is longer; what is, is cut, so that the work for a text stays in proportion to its length.
WORD_CHARS_MAX = 40

# Letters that Unicode does not take apart into a base and an accent.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ı": "i"})
# Digits and signs that stand for letters when letters are on both sides of them.
_DISGUISED = str.maketrans(
    {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}
)
_DISGUISE = re.compile(r"(?<=[a-z])[013457@$!]+(?=[a-z])")
# Four or more single letters in a row with one sign between each two: a word spelt out.
_SPELT_OUT = re.compile(r"(?<![a-z0-9])(?:[a-z][ .\-_*]){3,}[a-z](?![a-z0-9])")
_NOT_A_LETTER = re.compile(r"[^a-z]+")
_APOSTROPHES = re.compile(r"[’‘`´ʼ]")
# "can't" is written "cant" as often; "j'ai" and "l'eau" are two words.
_CONTRACTION = re.compile(r"(?<=[a-z])'(?=(?:t|s|m|re|ve|ll|d)\b)")
_REPEATED = re.compile(r"([a-z])\1+")
_PIECE = re.compile(r"[a-z]+|[0-9]+|[.!?;\n]+")
# A date before now is told by its year.
_YEAR = re.compile(r"(?:19|20)\d\d")
YEAR = "#year"
# Full stops that end nothing.
_PAUSES = frozenset({"..", "..."})


@dataclass(frozen=True, slots=True)
class Word:
    """One plain word; `at` counts words, plus SENTENCE_GAP for each end of a sentence before it."""

    text: str
    at: int


def words(text: str) -> list[Word]:
    """The words of `text` in order. Numbers are left out, but a year is the word YEAR."""
    found: list[Word] = []
    at = 0
    for piece in pieces(text):
        if piece[0].isdigit():
            if _YEAR.fullmatch(piece):
                found.append(Word(YEAR, at))
            at += 1
        elif piece[0].isalpha():
            found.append(Word(piece[:WORD_CHARS_MAX], at))
            at += 1
        elif piece not in _PAUSES:
            at += SENTENCE_GAP
    return found


def pieces(text: str) -> list[str]:
    """The words, numbers and ends of sentences of `text` in order, words as `words` has them but of any length."""
    return _PIECE.findall(collapse(_spelt(plain(text))))


def plain(text: str) -> str:
    """Lower case without accents, invisible characters or disguises; apostrophes of contractions are gone."""
    folded = text.casefold()
    visible = folded if folded.isascii() else _without_accents(folded)
    undisguised = _DISGUISE.sub(lambda found: found[0].translate(_DISGUISED), visible)
    return _CONTRACTION.sub("", _APOSTROPHES.sub("'", undisguised))


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).translate(_PLAIN)
    return "".join(char for char in decomposed if unicodedata.category(char) not in {"Mn", "Cf"})


def collapse(text: str) -> str:
    """`text` with each run of one letter made a single letter: doubled letters are the commonest slip."""
    return _REPEATED.sub(r"\1", text)


def _spelt(text: str) -> str:
    return _SPELT_OUT.sub(lambda found: _NOT_A_LETTER.sub("", found[0]), text)
