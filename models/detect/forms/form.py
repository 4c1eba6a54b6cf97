"""A form: the shapes in which values of a type are written, what checks them, and how much each is worth. Pure.

A shape is a text with its digits written `0` and its letters `A` or `a`. In a form's shapes `A` is a letter of either
case, `?` a digit or a letter, `~` a space, a full stop, a hyphen or nothing, `=` a full stop, a hyphen or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from string import ascii_lowercase, ascii_uppercase, digits

from models.detect.forms.checks import Check, anything
from models.detect.forms.evidence import RATIO_HOME, THRESHOLD, of_odds

_SIGNS = {"0": "0", "A": "[Aa]", "?": "[0Aa]", "~": "[ .-]?", "=": "[.-]?"}

# Written in a text, digits and letters of a shape.
SHAPE = str.maketrans(
    {
        **dict.fromkeys(digits, "0"),
        **dict.fromkeys(ascii_uppercase, "A"),
        **dict.fromkeys(ascii_lowercase, "a"),
    }
)
# What is taken off before a check.
SEPARATORS = re.compile(r"[ ().,/\-]+")


@dataclass(frozen=True)
class Form:
    """How values of `type` are written.

    `prior`: the share of such values among strings of this shape that stand in customers' texts without a word beside
    them (an estimate; ADR says from what). `passes`: the share of other strings of the shape that `check` accepts.
    `words`: kinds of words that speak for it. `home`: countries (ISO 3166) where it is common.
    """

    type: str
    shapes: tuple[str, ...]
    prior: float
    words: frozenset[str]
    passes: float = 1.0
    check: Check = anything
    home: frozenset[str] = frozenset()
    lengths: frozenset[int] = field(init=False)
    pattern: re.Pattern[str] = field(init=False)
    odds: float = field(init=False)
    needs_word: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", frozenset(map(_length, self.shapes)))
        object.__setattr__(self, "pattern", re.compile("|".join(map(_regex, self.shapes))))
        object.__setattr__(self, "odds", self.prior / (1 - self.prior) / self.passes)
        # Without a word beside it no value is believed, not even at home.
        object.__setattr__(self, "needs_word", self.score(RATIO_HOME if self.home else 1.0, "") < THRESHOLD)

    def score(self, ratio: float, region: str) -> float:
        """Probability that a value that passed the check is of this type."""
        return of_odds(self.odds * ratio * (RATIO_HOME if region in self.home else 1.0))


def _length(shape: str) -> int:
    return sum(shape.count(sign) for sign in "0A?")


def _regex(shape: str) -> str:
    return "".join(_SIGNS.get(sign, re.escape(sign)) for sign in shape)


def loose(sign: str, lengths: Iterable[int]) -> tuple[str, ...]:
    """Shapes of so many signs with a space, a full stop or a hyphen allowed anywhere."""
    return tuple("~".join(sign * length) for length in lengths)


def solid(sign: str, lengths: Iterable[int]) -> tuple[str, ...]:
    """Shapes of so many signs without a space, perhaps with full stops or hyphens."""
    return tuple("=".join(sign * length) for length in lengths)


def words(kinds: str) -> frozenset[str]:
    """Kinds of words, separated by spaces."""
    return frozenset(kinds.split())


def countries(codes: str) -> frozenset[str]:
    """Countries, separated by spaces."""
    return frozenset(codes.split())
