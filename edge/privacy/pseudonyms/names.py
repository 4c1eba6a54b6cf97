"""A person's name taken apart: words, initials, what its title tells. Pure, but for the table beside it, read once."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

# The genitive of English and what keyboards write for its apostrophe.
_POSSESSIVE = re.compile(r"(?:['’`´]s|(?<=s)['’`´])$", re.IGNORECASE)
_DOTTED = re.compile(r"(?:[^\W\d_]\.[ \u00a0-]?){2,4}")
_CAPITALS = re.compile(r"[^\W\d_]{2,3}")
# Two or three capitals with one of these may be a short name in capitals: LI, NG, YU.
_IN_SHORT_NAMES = re.compile("[aeiouyäöü]|^ng$", re.IGNORECASE)


class Sex(Enum):
    """What a title or a first name tells, where it does."""

    MALE = "male"
    FEMALE = "female"


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is compared; no word of it is in its `repr`.

    words     in small letters, titles left out, a family name before a comma put last; an initial has one letter
    titles    what stands before it, in small letters
    sex       what the title tells, else what the first name does
    initials  nothing but initials, at least two
    """

    words: tuple[str, ...] = field(repr=False)
    titles: tuple[str, ...] = field(repr=False)
    sex: Sex | None
    initials: bool

    @property
    def is_whole_word(self) -> bool:
        """One word, and not one that only joins others, as "van" does."""
        return len(self.words) == 1 and len(self.words[0]) > 1 and self.words[0] not in _table().joining


class _Table(NamedTuple):
    titles: dict[str, Sex | None]
    behind: frozenset[str]
    joining: frozenset[str]
    first_names: dict[str, Sex]


def split_possessive(value: str) -> tuple[str, str]:
    """("Smith", "'s") of "Smith's"; the second is "" where there is none."""
    match = _POSSESSIVE.search(value)
    return (value[: match.start()], match.group()) if match and match.start() else (value, "")


def parse(value: str) -> Name:
    """The name in `value`."""
    plain = unicodedata.normalize("NFKC", value).replace("’", "'").strip()
    if _is_initials(plain):
        letters = tuple(filter(str.isalpha, plain.casefold()))
        return Name(letters, titles=(), sex=None, initials=True)
    words = _in_order(plain)
    count = next((n for n, word in enumerate(words) if word not in _table().titles), len(words))
    titles, names = words[:count], words[count:]
    if not names:  # "Sir", "Don": somebody's name after all
        titles, names = [], words
    return Name(tuple(names), tuple(titles), _sex(titles, names), initials=False)


def _in_order(plain: str) -> list[str]:
    """The words, first names first: "Smith, John" has them last, "Smith, Jr." has none there."""
    family, _, given = (_words(part) for part in plain.partition(","))
    return [*family, *given] if set(given) <= _table().behind else [*given, *family]


def _words(text: str) -> list[str]:
    return [word for each in text.split() if (word := _word(each))]


def _is_initials(plain: str) -> bool:
    if _DOTTED.fullmatch(plain):
        return True
    return bool(_CAPITALS.fullmatch(plain)) and plain.isupper() and not _IN_SHORT_NAMES.search(plain)


def _word(text: str) -> str:
    """A word without the marks around it."""
    return text.casefold().strip(".,;:!?\"'’()")


def _sex(titles: list[str], names: list[str]) -> Sex | None:
    table = _table()
    told = {sex for title in titles if (sex := table.titles[title])}
    if told:
        return told.pop() if len(told) == 1 else None
    return table.first_names.get(names[0]) if len(names) > 1 else None


@cache
def _table() -> _Table:
    content = tomllib.loads((files(__package__) / "persons.toml").read_text(encoding="utf-8"))
    marks, listed = content["titles"], content["first_names"]
    titles: dict[str, Sex | None] = dict.fromkeys(marks["either"])
    first_names: dict[str, Sex] = {}
    for sex in Sex:
        titles |= dict.fromkeys(marks[sex.value], sex)
        first_names |= dict.fromkeys(listed[sex.value].split(), sex)
    return _Table(titles, frozenset(marks["behind"]), frozenset(content["joining"]), first_names)
