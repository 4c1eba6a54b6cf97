"""Where numbers stand in a text, and which forms the shape of each stretch of them allows. Pure.

"4111 1111 1111 1111" and "5500 0000 0000 0004" have one shape and allow the same forms in the same places. What a shape
allows is remembered, so that of a hundred like numbers one is considered. A shape holds no digit of anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from models.detect.forms.checks import anything
from models.detect.forms.form import SHAPE, Form

# The longest value of a table of forms: a French bank account.
SIGNS_MAX = 24
# Groups of one value: "1 85 05 78 006 084 36" has seven, spaced pairs of sixteen digits eight.
GROUPS_MAX = 8
# "5percent" is no value.
DIGITS_MIN = 2
# Groups of one stretch; a longer one is looked at in pieces that overlap by one value.
STRETCH_GROUPS_MAX = 32
SHAPES_REMEMBERED = 4096

# A group is a run of letters and digits with a digit in it, or one to six capitals; groups are up to three signs apart.
_GROUP = r"[Aa]{0,6}+0[0Aa]*+"
_CAPITALS = r"A{1,6}+(?![0Aa])"
_STRETCH = re.compile(
    rf"(?<![0Aa])(?:{_CAPITALS}[ .-]){{0,2}}[+(]{{0,2}}{_GROUP}"
    rf"(?:[ ()./-]{{1,3}}(?:{_GROUP}|{_CAPITALS})){{0,{STRETCH_GROUPS_MAX - 1}}}+"
)
# "76 PUPILS": a word behind a number is no part of it, unless a form says so.
_UNIT = re.compile(r"0 A{3,}$")
_GROUPS = re.compile(r"[0Aa]++")


@dataclass(frozen=True, slots=True)
class Stretch:
    """`start` and `end` in the text, and its shape."""

    start: int
    end: int
    shape: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A form that the shape from `start` to `end` of a stretch has. `cut`: it hangs on to something by a sign."""

    form: Form
    start: int
    end: int
    cut: bool


def shape_of(text: str) -> str:
    """The text with its digits written 0 and its letters A or a."""
    return text.translate(SHAPE)


def stretches(shape: str) -> Iterator[Stretch]:
    """The stretches of numbers in a text of this shape."""
    position = 0
    while match := _STRETCH.search(shape, position):
        yield Stretch(match.start(), match.end(), match.group())
        position = match.end()
        groups = [group.start() for group in _GROUPS.finditer(shape, *match.span())]
        if len(groups) == STRETCH_GROUPS_MAX:
            position = groups[-GROUPS_MAX]


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a shape allows: `alone` may be believed without a word beside it, `named` only with one of `kinds`."""

    alone: tuple[Proposal, ...]
    named: tuple[Proposal, ...]
    kinds: frozenset[str]


class Proposer:
    """Which of `forms` a stretch's shape allows; thread-safe."""

    def __init__(self, forms: tuple[Form, ...]) -> None:
        self._by_length: dict[int, list[Form]] = {}
        for form in forms:
            for length in form.lengths:
                self._by_length.setdefault(length, []).append(form)
        self.proposals = lru_cache(SHAPES_REMEMBERED)(self._proposals)

    def _proposals(self, shape: str) -> Proposals:
        groups = [group.span() for group in _GROUPS.finditer(shape)]
        found: list[Proposal] = []
        # How far a form without a check reaches already: the longest of its windows stands for those inside it.
        reached: dict[int, int] = {}
        for start, end, length in _windows(groups):
            if shape.count("0", start, end) < DIGITS_MIN:
                continue
            for form in self._by_length.get(length, ()):
                if start < reached.get(id(form), 0) or not form.pattern.fullmatch(shape, start, end):
                    continue
                if form.check is anything and _UNIT.search(shape, start, end):
                    continue
                found.append(Proposal(form, start, end, _hangs_on(shape, start, end)))
                if form.check is anything:
                    reached[id(form)] = end
        named = tuple(proposal for proposal in found if proposal.form.needs_word)
        return Proposals(
            tuple(proposal for proposal in found if not proposal.form.needs_word),
            named,
            frozenset(kind for proposal in named for kind in proposal.form.words),
        )


def _windows(groups: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Neighbouring groups, the longest first at each start: where they begin and end, how many signs they have."""
    for first, (start, _) in enumerate(groups):
        windows: list[tuple[int, int, int]] = []
        length = 0
        for group_start, end in groups[first : first + GROUPS_MAX]:
            length += end - group_start
            if length > SIGNS_MAX:
                break
            windows.append((start, end, length))
        yield from reversed(windows)


def _hangs_on(shape: str, start: int, end: int) -> bool:
    before, behind = shape[max(0, start - 2) : start], shape[end : end + 2]
    return (len(before) == 2 and before[1] in "./-" and before[0] in "0Aa") or (
        len(behind) == 2 and behind[0] in "./-" and behind[1] in "0Aa"
    )
