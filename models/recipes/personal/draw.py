"""The chances of one sentence: where its values come from, and which person it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from string import ascii_uppercase

from models.recipes.personal.lists import Origin, Place


@dataclass(frozen=True, slots=True)
class Person:
    """A name in its parts; `last` is as this person carries it."""

    first: str
    middle: str
    last: str
    female: bool
    origin: Origin


@dataclass(slots=True)
class Draw:
    """What the values of one sentence share."""

    rng: Random
    language: str
    shape: str
    origins: Sequence[Origin]
    places: Sequence[Place]
    person: Person | None = None
    first_pending: bool = False  # a first name stands alone so far: the next last name belongs to it
    said: dict[str, str] = field(default_factory=dict)

    def chance(self, share: float) -> bool:
        """True in `share` of all draws."""
        return self.rng.random() < share

    def place(self) -> Place:
        """A locale; the first ones are the likelier ones."""
        return self.places[int(len(self.places) * self.rng.random() ** 2)]


def fill(rng: Random, pattern: str) -> str:
    """The pattern with `#` as a digit, `%` as 1-9, `@` as a capital letter and `&` as one of both."""
    if not _holes(pattern):
        return pattern
    return "".join([_hole(rng, c) if c in "#%@&" else c for c in pattern])


@cache
def _holes(pattern: str) -> bool:
    return any(c in "#%@&" for c in pattern)


def _hole(rng: Random, kind: str) -> str:
    if kind == "#":
        return _DIGITS[int(rng.random() * 10)]
    if kind == "%":
        return _DIGITS[1 + int(rng.random() * 9)]
    if kind == "@":
        return ascii_uppercase[int(rng.random() * 26)]
    return _BOTH[int(rng.random() * 36)]


_DIGITS = "0123456789"
_BOTH = _DIGITS + ascii_uppercase
