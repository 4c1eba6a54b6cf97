"""How much a text tells of a person, as one word. Pure rules."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from models.detect.spans import Span


class Label(StrEnum):
    """The contract's labels, in order: what may be done with a text may be done with one of a lower label."""

    PUBLIC = "public"
    INTERNAL = "internal"
    """Something that many people share: a town, an age, a profession."""
    PERSONAL = "personal"
    SPECIAL = "special"
    """Of health, religion, union, sexuality, biometrics and the rest of GDPR Art. 9."""

    @property
    def rank(self) -> int:
        """0 for public, more for what is stricter."""
        return _ORDER.index(self)

    # Of a string they would go by the alphabet, in which public comes after personal.
    def __lt__(self, other: str) -> bool:
        return self.rank < Label(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Label(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Label(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Label(other).rank


_ORDER: Final = tuple(Label)

WEAK: Final = frozenset({"LOCATION", "ORGANIZATION", "DATE", "AGE", "TITLE", "NRP", "URL"})
"""Types that name nobody by themselves. Every other one does, also one that this release does not know."""


def highest(written: Iterable[str]) -> Label:
    """The most sensitive of labels as they were written down; one that nobody can read counts as that."""
    known = set(Label)
    return max((Label(one) if one in known else Label.SPECIAL for one in written), default=Label.PUBLIC)


def label_of(spans: Iterable[Span], special: bool) -> Label:
    """The label of a text in which these were found. `special`: it tells what GDPR Art. 9 protects."""
    if special:
        return Label.SPECIAL
    types = {span.type for span in spans}
    if types - WEAK:
        return Label.PERSONAL
    return Label.INTERNAL if types else Label.PUBLIC
