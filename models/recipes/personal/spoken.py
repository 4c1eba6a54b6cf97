"""Values as a speech recogniser writes them: digits in words, letters one by one, signs by their names."""

from __future__ import annotations

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
    """Each digit as a word, letters one by one, other signs left out; equal ones doubled, as people say them."""
    names = _digit_words(language)
    english = language == "en"
    oh = english and rng.random() < 0.5
    double = english and rng.random() < 0.5
    said: list[str] = []
    signs = [c for c in text if c.isalnum() or c == "+"]
    at = 0
    while at < len(signs):
        sign = signs[at]
        same = double and sign.isdigit() and at + 1 < len(signs) and signs[at + 1] == sign
        word = (
            "oh"
            if oh and sign == "0"
            else names[int(sign)]
            if sign in "0123456789"
            else "plus"
            if sign == "+"
            else sign.lower()
        )
        said.append(f"double {word}" if same else word)
        at += 2 if same else 1
    return " ".join(said)


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


def _digit_words(language: str) -> tuple[str, ...]:
    names = words("numbers").get(language)
    return names[:10] if names else _ONES[:10]
