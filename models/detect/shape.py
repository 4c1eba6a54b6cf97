"""What the encoder's tokenizer throws away: case, digits, signs and the breaks of a text, as numbers for each token.

The default encoder lower-cases and strips accents, so that "May" and "may" are one to it; names in clean text would be
lost. Pure; one pass over the text's code points in numpy.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

FEATURES: Final = 32
"""Numbers a token has, each 0 or 1: see `features`."""

_BMP: Final = 0x10000
_UPPER, _LOWER, _OTHER_LETTER, _DIGIT, _SPACE, _BREAK, _SIGN = range(7)
# Signs that tell what kind of value a word is.
_MARKS: Final = "@.:/-_,'"
# A word's digits, by how many: a year, a house number, an account, a card.
_DIGITS_FROM: Final = (1, 3, 5, 8, 12)


def features(text: str, offsets: npt.NDArray[np.int32]) -> Floats:
    """float32 [tokens, FEATURES] for tokens at `offsets` [tokens, 2], code points of `text`; nought for specials.

    Of a token: 0-6 the kind of its first character, 7 is one long. Of the word between blanks that it stands in: 8-11
    how it is cased, 12-16 how many digits, 17-24 which marks, 25 letters outside ASCII, 26 digits and letters mixed. Of
    its place: 27 begins the word, 28 ends it; the word 29 follows a break, 30 precedes one, 31 begins a sentence.
    """
    found = np.zeros((len(offsets), FEATURES), np.float32)
    real = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    if not len(real):
        return found
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _kinds()[np.minimum(points, _BMP)]
    blank = (kinds == _SPACE) | (kinds == _BREAK)
    begins = np.flatnonzero(~blank & np.concatenate(([True], blank[:-1])))
    starts, ends = offsets[real, 0], offsets[real, 1]
    word = np.maximum(np.searchsorted(begins, starts, side="right") - 1, 0)
    per_word = _words(points, kinds, begins)
    word_ends = _word_ends(blank, begins)
    rows = found[real]
    rows[np.arange(len(real)), kinds[starts]] = 1
    rows[:, 7] = ends - starts == 1
    rows[:, 8:27] = per_word[word]
    rows[:, 27] = starts == begins[word]
    rows[:, 28] = ends == word_ends[word]
    rows[:, 29] = _after_break(kinds, begins)[word]
    rows[:, 30] = _before_break(kinds, word_ends)[word]
    rows[:, 31] = _after_stop(points, begins, word_ends)[word]
    found[real] = rows
    return found


def _words(
    points: npt.NDArray[np.uint32], kinds: npt.NDArray[np.uint8], begins: npt.NDArray[np.intp]
) -> Floats:
    """[words, 19]: what each run between blanks consists of."""
    upper = kinds == _UPPER
    counts = {
        "upper": np.add.reduceat(upper, begins, dtype=np.int32),
        "lower": np.add.reduceat(kinds == _LOWER, begins, dtype=np.int32),
        "digit": np.add.reduceat(kinds == _DIGIT, begins, dtype=np.int32),
        "foreign": np.add.reduceat((points > 127) & (kinds <= _OTHER_LETTER), begins, dtype=np.int32),
    }
    found = np.zeros((len(begins), 19), np.float32)
    # A bracket or a quotation mark may stand before the capital.
    first_upper = upper[begins] | (np.append(upper, False)[begins + 1] & (kinds[begins] == _SIGN))
    found[:, 0] = (counts["lower"] > 0) & (counts["upper"] == 0)
    found[:, 1] = first_upper & (counts["lower"] > 0)
    found[:, 2] = (counts["upper"] > 1) & (counts["lower"] == 0)
    found[:, 3] = (counts["upper"] > first_upper) & (counts["lower"] > 0)
    for column, least in enumerate(_DIGITS_FROM, start=4):
        found[:, column] = counts["digit"] >= least
    for column, mark in enumerate(_MARKS, start=9):
        found[:, column] = np.maximum.reduceat(points == ord(mark), begins)
    found[:, 17] = counts["foreign"] > 0
    found[:, 18] = (counts["digit"] > 0) & (counts["upper"] + counts["lower"] > 0)
    return found


def _word_ends(blank: npt.NDArray[np.bool_], begins: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    ends = np.flatnonzero(~blank & np.concatenate((blank[1:], [True]))) + 1
    return ends[: len(begins)]


def _after_break(kinds: npt.NDArray[np.uint8], begins: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    before: npt.NDArray[np.bool_] = np.concatenate(([_BREAK], kinds))[begins] == _BREAK
    return before


def _before_break(kinds: npt.NDArray[np.uint8], ends: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    behind: npt.NDArray[np.bool_] = np.concatenate((kinds, [_BREAK]))[ends] == _BREAK
    return behind


def _after_stop(
    points: npt.NDArray[np.uint32], begins: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    last = points[ends - 1]
    stops = (last == ord(".")) | (last == ord("!")) | (last == ord("?")) | (last == ord(":"))
    return np.concatenate(([True], stops[:-1])) if len(begins) else stops


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """The kind of every character of the first plane; of all others the last entry."""
    table = np.full(_BMP + 1, _SIGN, np.uint8)
    for point in range(_BMP):
        character = chr(point)
        category = unicodedata.category(character)
        if category in {"Lu", "Lt"}:
            table[point] = _UPPER
        elif category == "Ll":
            table[point] = _LOWER
        elif category[0] in "LM":
            table[point] = _OTHER_LETTER
        elif category == "Nd":
            table[point] = _DIGIT
        elif character in "\n\r\v\f\u2028\u2029\x85":
            table[point] = _BREAK
        elif category == "Zs" or character == "\t":
            table[point] = _SPACE
    table[_BMP] = _OTHER_LETTER
    return table
