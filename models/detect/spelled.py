"""Numbers and addresses of e-mail as people say and spell them, written as machines do. Pure.

"four one double two, oh nine" → "412209", "4 1 2 2 7" → "41227", "ann at example dot org" → "ann@example.org".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import re2

from models.detect.view import Edit, View, edited

_NUMBERS = {
    "0": "zero oh o nought null cero",
    "1": "one eins un uno",
    "2": "two zwei zwo deux dos",
    "3": "three drei trois tres",
    "4": "four vier quatre cuatro",
    "5": "five fuenf funf cinq cinco",
    "6": "six sechs seis",
    "7": "seven sieben sept siete",
    "8": "eight acht huit ocho",
    "9": "nine niner neun neuf nueve",
    "10": "ten",
    "11": "eleven",
    "12": "twelve",
    "13": "thirteen",
    "14": "fourteen",
    "15": "fifteen",
    "16": "sixteen",
    "17": "seventeen",
    "18": "eighteen",
    "19": "nineteen",
}
_DIGITS = {word: digit for digit, words in _NUMBERS.items() for word in words.split()}
_TENS = {
    "twenty": "2",
    "thirty": "3",
    "forty": "4",
    "fifty": "5",
    "sixty": "6",
    "seventy": "7",
    "eighty": "8",
    "ninety": "9",
}
_TIMES = {"double": 2, "triple": 3, "treble": 3, "doppel": 2, "doble": 2, "triplet": 3}
# Behind a number below ten they are its zeros: "eight hundred five five five".
_ZEROS = {"hundred": "00", "thousand": "000"}
_SIGNS = {"dash": "-", "hyphen": "-", "minus": "-", "dot": ".", "point": ".", "slash": "/", "plus": "+"}

_NUMBER_WORDS = "|".join(sorted([*_DIGITS, *_TENS, *_TIMES, *_ZEROS], key=len, reverse=True))
_SIGN_WORDS = "|".join(_SIGNS)
_HINT = re2.compile(rf"(?i)\b(?:{_NUMBER_WORDS})[ ,.-]+(?:(?:{_SIGN_WORDS}) )?(?:{_NUMBER_WORDS}|[0-9]+)\b")
_RUN = re.compile(
    rf"(?<!\w)(?:plus )?(?:{_NUMBER_WORDS}|[0-9]{{1,4}})"
    rf"(?:[ ,.-]{{1,3}}(?:{_NUMBER_WORDS}|{_SIGN_WORDS}|[0-9]{{1,4}})(?!\w))++",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+")
# Fewer digits are a time, an age or "one or two", and no value on their own.
RUN_DIGITS_MIN = 5

# One digit at a time, each behind the same sign: "4 1 1 1", "4-1-1-1".
_SPACED = re.compile(
    r"(?<![\w.])[0-9](?:(?: [0-9])++|(?:-[0-9])++|(?:\.[0-9])++|(?:_[0-9])++|(?:, ?[0-9])++)(?!\w)"
)
_DIGIT = re.compile(r"[0-9]")

# " at " and " dot " with or without brackets, between words that are parts of an address.
_AT = r"(?: ?[\[({<] ?at ?[\])}>] ?| at |[\[({]@[\])}]| @ ?|@ )"
_DOT = r"(?: ?[\[({<] ?(?:dot|punkt|punto) ?[\])}>] ?| (?:dot|punkt|point|punto) |[\[({]\.[\])}])"
_AT_HINT = re2.compile(r"(?i)(?: ?[\[({<] ?at ?[\])}>]| at | @|@ |[\[({]@)")
_WORD = r"[\w+-]{1,40}"
_ADDRESS = re.compile(
    rf"(?<![\w.+-]){_WORD}(?:(?:{_DOT}|\.){_WORD}){{0,4}}{_AT}"
    rf"{_WORD}(?:(?:{_DOT}|\.){_WORD}){{0,3}}(?:{_DOT}|\.)[a-z]{{2,10}}(?!\w)",
    re.IGNORECASE,
)
_SAID = re.compile(rf"(?P<at>{_AT})|(?P<dot>{_DOT})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one word of a number, or "double" and the word behind it, is written as."""

    text: str
    start: int
    end: int
    tens: bool


def written(view: View) -> View:
    """`view` with spoken and spelled values written; `view` itself if there are none. `view` is folded already."""
    view = edited(view, _addresses(view.text))
    view = edited(view, _numbers(view.text))
    return edited(view, _spaced(view.text))


def _addresses(text: str) -> Iterator[Edit]:
    if _AT_HINT.search(text) is None:
        return
    for address in _ADDRESS.finditer(text):
        for said in _SAID.finditer(text, *address.span()):
            sign = "@" if said.lastgroup == "at" else "."
            yield Edit(said.start(), said.end(), sign, [said.start()], [said.end()])


def _numbers(text: str) -> Iterator[Edit]:
    if _HINT.search(text) is None:
        return
    for run in _RUN.finditer(text):
        edit = _number(text, run)
        if edit:
            yield edit


def _number(text: str, run: re.Match[str]) -> Edit | None:
    """The run's digits; each comes from its word, or from the words "double two" together."""
    pieces: list[_Piece] = []
    times = None
    for match in _TOKEN.finditer(text, *run.span()):
        word = match.group().lower()
        if word in _TIMES:
            times = match
            continue
        start = times.start() if times else match.start()
        written = _said(word) * (_TIMES[times.group().lower()] if times else 1)
        if pieces and pieces[-1].tens and len(written) == 1 and written in "123456789":
            pieces[-1] = replace(pieces[-1], text=pieces[-1].text[0], tens=False)
        pieces.append(_Piece(written, start, match.end(), word in _TENS))
        times = None
    while pieces and pieces[-1].text in _SIGNS.values():
        pieces.pop()
    written = "".join(piece.text for piece in pieces)
    if sum(map(str.isdigit, written)) < RUN_DIGITS_MIN or run.group().replace(" ", "").isdigit():
        return None
    return Edit(
        run.start(),
        pieces[-1].end,
        written,
        [piece.start for piece in pieces for _ in piece.text],
        [piece.end for piece in pieces for _ in piece.text],
    )


def _said(word: str) -> str:
    if word in _TENS:
        return _TENS[word] + "0"
    return _DIGITS.get(word) or _ZEROS.get(word) or _SIGNS.get(word) or word


def _spaced(text: str) -> Iterator[Edit]:
    for run in _SPACED.finditer(text):
        places = [match.start() for match in _DIGIT.finditer(text, *run.span())]
        if len(places) >= RUN_DIGITS_MIN:
            yield Edit(
                run.start(),
                run.end(),
                "".join(text[place] for place in places),
                places,
                [place + 1 for place in places],
            )
