"""Values as a speech recogniser writes them: digits in words, letters one by one, signs by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from models.recipes.personal.lists import words

_ONES = words("spoken")["ones"]
_TENS = words("spoken")["tens"]
_ORDINALS = words("spoken")["ordinals"]
_NATO = words("spoken")["nato"]
_LIKE = words("spoken")["like"]


def cardinal(number: int) -> str:
    """A number under 100 in English words."""
    if number < 20:
        return _ONES[number]
    rest = number % 10
    return _TENS[number // 10] + (f" {_ONES[rest]}" if rest else "")


def ordinal_word(number: int) -> str:
    """A number under 100 as an English ordinal."""
    if number <= 20:
        return _ORDINALS[number]
    rest = number % 10
    tens = _TENS[number // 10]
    return f"{tens} {_ORDINALS[rest]}" if rest else tens[:-1] + "ieth"


def year_words(year: int) -> str:
    """A year as it is said in English."""
    if 2000 <= year < 2010:
        return "two thousand" + (f" and {cardinal(year - 2000)}" if year > 2000 else "")
    low = year % 100
    return f"{cardinal(year // 100)} {'oh ' if 0 < low < 10 else ''}{cardinal(low) if low else 'hundred'}"


def digits(rng: Random, text: str, language: str) -> str:
    """Each digit as a word, letters one by one, other signs left out; doubles and pairs read as numbers at times."""
    names = _digit_words(language)
    english, roll = language == "en", rng.random()
    zero = "oh" if english and rng.random() < 0.5 else names[0]
    signs = [c for c in text if c.isalnum() or c == "+"]
    if english and roll < PAIRED:
        return " ".join(_pair(pair, zero) for pair in zip(signs[::2], [*signs[1::2], ""], strict=False))
    double = english and roll < 0.6
    said: list[str] = []
    at = 0
    while at < len(signs):
        word = _sign(signs[at], names, zero)
        run = 1
        while (
            double
            and signs[at].isdigit()
            and run < len(_TIMES)
            and signs[at : at + run + 1] == [signs[at]] * (run + 1)
        ):
            run += 1
        said.append(_TIMES[run - 1] + word)
        at += run
    return " ".join(said)


PAIRED = 0.12  # of numbers are read two digits at a time: "forty five twelve"
_TIMES = ("", "double ", "triple ")


def _sign(sign: str, names: Sequence[str], zero: str) -> str:
    if sign == "0":
        return zero
    return names[int(sign)] if sign in "123456789" else "plus" if sign == "+" else sign.lower()


def _pair(pair: tuple[str, str], zero: str) -> str:
    both = "".join(pair)
    if len(both) == 2 and both.isdecimal() and both.isascii() and both[0] != "0":
        return cardinal(int(both))
    return " ".join(_sign(sign, _ONES, zero) for sign in both)


def spelled(rng: Random, text: str) -> str:
    """A word letter by letter: `s m i t h`, `S-M-I-T-H`, `s for sierra m for mike`."""
    letters = [c for c in text if c.isalnum()]
    roll = rng.random()
    if roll < 0.5:
        return " ".join(letters).lower()
    if roll < 0.6:
        return "-".join(letters).upper()
    table = _NATO if roll < 0.8 else _LIKE
    link = rng.choice((" for ", " as in ", " like "))
    return " ".join(
        f"{c}{link}{table[ord(c) - 97]}" if "a" <= c <= "z" else c for c in text.lower() if c.isalnum()
    )


def address_of_mail(text: str, language: str) -> str:
    """An e-mail or web address with its signs by name."""
    table = words("spoken")
    at, dot = table.get(language, table["en"])[:2]
    said = (
        text.lower()
        .replace("@", f" {at} ")
        .replace(".", f" {dot} ")
        .replace("_", " underscore ")
        .replace("-", " dash ")
    )
    return " ".join(said.replace("://", " colon slash slash ").replace("/", " slash ").split())


def numbers_in(rng: Random, text: str, language: str) -> str:
    """The text in lower case with its runs of digits in words: `15 Oak St` is `fifteen oak st`."""

    def said(match: re.Match[str]) -> str:
        run = match.group(1)
        short = language == "en" and run[0] != "0" and len(run) <= 2
        number = cardinal(int(run)) if short else digits(rng, run, language)
        return f"{number} {match.group(2)}".rstrip()

    return _DIGITS.sub(said, text.lower())


_DIGITS = re.compile(r"([0-9]+)([a-z]?)")


def _digit_words(language: str) -> tuple[str, ...]:
    names = words("numbers").get(language)
    return names[:10] if names else _ONES[:10]
