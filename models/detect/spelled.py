"""Numbers and addresses of e-mail as people say and spell them, written as machines do. Pure.

"four one double two, oh nine" → "412209", "4 1 2 2 7" → "41227", "ann at example dot org" → "ann@example.org".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.pattern_set import PatternSet
from models.detect.view import Edit, View, edited

_NUMBERS = {
    "0": "zero oh o nought null cero nul",
    "1": "one eins un uno um een jeden",
    "2": "two zwei zwo deux dos due dois twee dwa",
    "3": "three drei trois tres tre drie trzy",
    "4": "four vier quatre cuatro quattro quatro cztery",
    "5": "five fuenf funf cinq cinco cinque vijf piec",
    "6": "six sechs seis sei zes szesc meia",
    "7": "seven sieben sept siete sette sete zeven siedem",
    "8": "eight acht huit ocho otto oito osiem",
    "9": "nine niner neun neuf nueve nove negen dziewiec",
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
_HINT = PatternSet([rf"(?i)\b(?:{_NUMBER_WORDS})[ ,.-]+(?:(?:{_SIGN_WORDS}) )?(?:{_NUMBER_WORDS}|[0-9]+)\b"])
_RUN = re.compile(
    rf"(?<!\w)(?:plus )?(?:{_NUMBER_WORDS}|[a-z]|[0-9]{{1,4}})"
    rf"(?:[ ,.-]{{1,3}}(?:{_NUMBER_WORDS}|{_SIGN_WORDS}|[a-z]|[0-9]{{1,4}})(?![\w']))++",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+")
_LETTER = re.compile(r"[A-Za-z]")
_UNITS = frozenset("123456789")
_WRITTEN = {**_DIGITS, **{word: digit + "0" for word, digit in _TENS.items()}, **_ZEROS, **_SIGNS}
# Fewer digits are a time, an age or "one or two", and no value on their own.
RUN_DIGITS_MIN = 5
# Letters that are words in one of the languages: "a", "i", Italian "e", Spanish "y", Polish "w".
_LETTER_WORDS = frozenset("aeiyuwz")

# One digit at a time, whatever signs stand between: "4 1 1 1", "4-1_1→1", "4 -- 1", a line each.
_SPACED = re.compile(r"(?<!\w)(?<![0-9]\.)[0-9](?:[\W_]{1,4}[0-9](?![^\W_])){4,}+")
_SPACED_HINT = PatternSet([r"[0-9](?:[^0-9A-Za-z]{1,4}[0-9]){4}"])
_DIGIT = re.compile(r"[0-9]")

# " at " and " dot " with or without brackets, between words that are parts of an address.
_DOT = r"(?: ?[\[({<] ?(?:dot|punkt|punto) ?[\])}>] ?| (?:dot|punkt) |[\[({]\.[\])}])"
_DASH = r" (?:dash|minus|hyphen|underscore) "
_WORD = r"[\w+-]{1,40}"
_BRACKETED = r"(?: ?[\[({<] ?at ?[\])}>] ?|[\[({]@[\])}]| @ ?|@ )"
_HOST = rf"{_WORD}(?:(?:{_DOT}|\.){_WORD}){{0,3}}(?:{_DOT}|\.)[a-z]{{2,10}}"
# "see more at www.example.org" is no address: behind a plain "at" the dots are said, too, or the host is one of mail.
_MAIL_HOST = r"(?:gmail|googlemail|hotmail|yahoo|outlook|icloud|gmx|aol)\.[a-z.]{2,6}"
_SPOKEN_HOST = rf"(?:{_WORD}(?:{_DOT}{_WORD}){{0,3}}{_DOT}[a-z]{{2,10}}|{_MAIL_HOST})"
# In other languages the sign's name is no other word.
_SNAIL = r" (?:chiocciola|malpa|apenstaartje|arobase|arroba|klammeraffe) "
_FOREIGN_DOT = r"(?: (?:punkt|punto|kropka|punt|ponto|point|dot) |\.)"
_FOREIGN_HOST = rf"{_WORD}(?:{_FOREIGN_DOT}{_WORD}){{0,3}}{_FOREIGN_DOT}[a-z]{{2,10}}"
_AT_HINT = PatternSet([rf"(?i)(?: ?[\[({{<] ?at ?[\])}}>]| at | @|@ |[\[({{]@|{_SNAIL})"])
_ADDRESS = re.compile(
    rf"(?<![\w.+-]){_WORD}(?:(?:{_DOT}|{_DASH}|{_FOREIGN_DOT}){_WORD}){{0,4}}"
    rf"(?:{_BRACKETED}{_HOST}| at {_SPOKEN_HOST}|{_SNAIL}{_FOREIGN_HOST})(?!\w)",
    re.IGNORECASE,
)
_SAID = re.compile(
    rf"(?P<at>{_BRACKETED}| at |{_SNAIL})|(?P<dash>{_DASH})|(?P<dot>{_DOT}|{_FOREIGN_DOT})", re.IGNORECASE
)
_SAID_SIGNS = {"at": "@", "dash": "-", "dot": "."}


def written(view: View) -> View:
    """`view` with spoken and spelled values written; `view` itself if there are none. `view` is folded already."""
    view = edited(view, _addresses(view.text))
    view = edited(view, _numbers(view.text))
    return edited(view, _spaced(view.text))


def _addresses(text: str) -> Iterator[Edit]:
    if not _AT_HINT.found(text):
        return
    for address in _ADDRESS.finditer(text):
        for said in _SAID.finditer(text, *address.span()):
            sign = "_" if "under" in said.group() else _SAID_SIGNS[said.lastgroup or "dot"]
            if said.group() != sign:
                yield Edit(said.start(), said.end(), sign, [said.start()], [said.end()])


def _numbers(text: str) -> Iterator[Edit]:
    if not _HINT.found(text):
        return
    for run in _RUN.finditer(text):
        edit = _number(text, run)
        if edit:
            yield edit


def _number(text: str, run: re.Match[str]) -> Edit | None:
    """The run's digits; each comes from its word, or from the words "double two" together."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    times, times_start, tens = 1, -1, False
    tokens = list(_TOKEN.finditer(text, *run.span()))
    for match in _without_words(tokens):
        word = match.group().lower()
        if word in _TIMES:
            times, times_start = _TIMES[word], match.start()
            continue
        part = _WRITTEN.get(word, word) * times
        if tens and part in _UNITS:
            # "twenty one": the ten's zero makes way.
            parts[-1] = parts[-1][0]
            del starts[-1], ends[-1]
        parts.append(part)
        starts.extend([match.start() if times_start < 0 else times_start] * len(part))
        ends.extend([match.end()] * len(part))
        times, times_start, tens = 1, -1, word in _TENS
    written = "".join(parts)
    while written and written[-1] in _SIGNS.values():
        written = written[:-1]
    if sum(map(str.isdigit, written)) < RUN_DIGITS_MIN or _LETTER.search(run.group()) is None:
        return None
    length = len(written)
    return Edit(starts[0], ends[length - 1], written, starts[:length], ends[:length])


def _without_words(tokens: list[re.Match[str]]) -> list[re.Match[str]]:
    """The tokens without a letter at either end that is a word and stands alone there: "e" of "... nove e"."""
    if _is_word(tokens[0]) and not (len(tokens) > 1 and _is_letter(tokens[1])):
        tokens = tokens[1:]
    if len(tokens) > 1 and _is_word(tokens[-1]) and not _is_letter(tokens[-2]):
        tokens = tokens[:-1]
    return tokens


def _is_letter(token: re.Match[str]) -> bool:
    return len(token.group()) == 1 and token.group().isalpha() and token.group().lower() not in _DIGITS


def _is_word(token: re.Match[str]) -> bool:
    return _is_letter(token) and token.group().lower() in _LETTER_WORDS


def _spaced(text: str) -> Iterator[Edit]:
    if not _SPACED_HINT.found(text):
        return
    for run in _SPACED.finditer(text):
        places = [match.start() for match in _DIGIT.finditer(text, *run.span())]
        written = "".join(text[place] for place in places)
        yield Edit(run.start(), run.end(), written, places, [place + 1 for place in places])
