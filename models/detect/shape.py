"""What the encoder's tokenizer throws away: case, digits, signs and the breaks of a text, as numbers for each token.

The default encoder lower-cases and strips accents, so that "May" and "may" are one to it; names in clean text would be
lost. Pure; one pass over the text's code points in numpy.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

FEATURES: Final = 32
"""Numbers a token has, each 0 or 1: see `features`."""

_BETWEEN: Final = "\n:\n"
"""Stands between the texts of a batch: to what follows it is a text's beginning, to what precedes it a text's end."""

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
    points = np.minimum(points, _BMP)
    kinds = _kinds()[points]
    blank = (kinds == _SPACE) | (kinds == _BREAK)
    begins = np.flatnonzero(~blank & np.concatenate(([True], blank[:-1])))
    if not len(begins):
        return found
    starts, ends = offsets[real, 0], offsets[real, 1]
    word = np.maximum(np.searchsorted(begins, starts, side="right") - 1, 0)
    word_ends = _word_ends(blank, begins)
    per_word = _words(points, kinds, begins)
    per_word[:, 19] = _after_break(kinds, begins)
    per_word[:, 20] = _before_break(kinds, word_ends)
    per_word[:, 21] = _after_stop(points, begins, word_ends)
    rows = found[real]
    rows[np.arange(len(real)), kinds[starts]] = 1
    rows[:, 7] = ends - starts == 1
    rows[:, 8:27] = per_word[word, :19]
    rows[:, 27] = starts == begins[word]
    rows[:, 28] = ends == word_ends[word]
    rows[:, 29:] = per_word[word, 19:]
    found[real] = rows
    return found


def features_of_batch(texts: Sequence[str], offsets: Sequence[npt.NDArray[np.int32]], tokens: int) -> Floats:
    """float32 [texts, `tokens`, FEATURES]: of each text what `features` says, nought behind its end.

    One call for all: most of its time does not depend on the length.
    """
    begins = np.cumsum([0, *(len(text) + len(_BETWEEN) for text in texts)])
    moved = [
        np.where(places[:, 1:] > places[:, :1], places + np.int32(begin), 0)
        for places, begin in zip(offsets, begins[:-1], strict=True)
    ]
    every = features(_BETWEEN.join(texts), np.concatenate(moved).astype(np.int32))
    found = np.zeros((len(texts), tokens, FEATURES), np.float32)
    place = 0
    for row, places in enumerate(offsets):
        found[row, : len(places)] = every[place : place + len(places)]
        place += len(places)
    return found


def _words(
    points: npt.NDArray[np.uint32], kinds: npt.NDArray[np.uint8], begins: npt.NDArray[np.intp]
) -> Floats:
    """[words, 22]: what each run between blanks consists of; the last three columns, its place, are left to fill."""
    counts = np.add.reduceat(_columns()[points], begins, axis=0, dtype=np.int32)
    upper, lower, digit, foreign = counts[:, :4].T
    found = np.zeros((len(begins), 22), np.float32)
    # A bracket or a quotation mark may stand before the capital.
    first = kinds[begins]
    second = kinds[np.minimum(begins + 1, len(kinds) - 1)]
    first_upper = (first == _UPPER) | ((first == _SIGN) & (second == _UPPER))
    found[:, 0] = (lower > 0) & (upper == 0)
    found[:, 1] = first_upper & (lower > 0)
    found[:, 2] = (upper > 1) & (lower == 0)
    found[:, 3] = (upper > first_upper) & (lower > 0)
    found[:, 4:9] = digit[:, None] >= _DIGITS_FROM
    found[:, 9:17] = counts[:, 4:] > 0
    found[:, 17] = foreign > 0
    found[:, 18] = (digit > 0) & (upper + lower > 0)
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


@cache
def _columns() -> npt.NDArray[np.uint8]:
    """[characters, 12]: whether one is a capital, a small letter, a digit, one outside ASCII, each mark."""
    kinds, points = _kinds(), np.arange(_BMP + 1)
    foreign = (points > 127) & (kinds <= _OTHER_LETTER)
    marks = [points == ord(mark) for mark in _MARKS]
    return np.stack([kinds == _UPPER, kinds == _LOWER, kinds == _DIGIT, foreign, *marks], axis=1).astype(
        np.uint8
    )
