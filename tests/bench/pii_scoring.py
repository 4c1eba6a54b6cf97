"""Found values against marked ones, whatever their types: is each found, and how many of its characters leak.

A marked value is found when a finding overlaps it by at least half of what both cover together, each finding counting
for one value. A finding that matches none is false, unless most of it lies in a value that another one has found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.bench.harness import bootstrap

Mark = tuple[str, int, int]

OVERLAP_MIN = 0.5
# Parts of an address that stand so near are one address: data sets disagree on whether they are.
ADDRESS_GAP_MAX = 4
PLACES = frozenset({"ADDRESS", "LOCATION"})
# F2 holds recall four times as dear as precision.
F2_WEIGHT = 4


@dataclass(frozen=True, slots=True)
class Score:
    """Counts that add up."""

    marked: int = 0
    found: int = 0
    right: int = 0
    false: int = 0
    characters: int = 0
    leaked: int = 0
    clean: int = 0
    """Texts in which nothing is marked, …"""
    flagged: int = 0
    """… and those of them in which something was found."""

    def __add__(self, other: Score) -> Score:
        return Score(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def recall(self) -> float:
        """Share of marked values that were found."""
        return self.found / self.marked if self.marked else 0.0

    @property
    def precision(self) -> float:
        """Share of findings that are right."""
        told = self.right + self.false
        return self.right / told if told else 0.0

    @property
    def f2(self) -> float:
        """Both, recall weighing more."""
        recall, precision = self.recall, self.precision
        below = F2_WEIGHT * precision + recall
        return (1 + F2_WEIGHT) * precision * recall / below if below else 0.0

    @property
    def leaked_pct(self) -> float:
        """Of the characters of marked values, in per cent."""
        return 100 * self.leaked / self.characters if self.characters else 0.0

    @property
    def flagged_pct(self) -> float:
        """Of texts in which nothing is marked, in per cent."""
        return 100 * self.flagged / self.clean if self.clean else 0.0

    def figures(self) -> dict[str, float]:
        """For the bench's document."""
        return {
            "marked": self.marked,
            "recall": round(self.recall, 4),
            "precision": round(self.precision, 4),
            "f2": round(self.f2, 4),
            "leaked_chars_pct": round(self.leaked_pct, 2),
            "clean_flagged_pct": round(self.flagged_pct, 2),
        }


def score(text: str, marked: Iterable[Mark], found: Iterable[Mark], *, join_addresses: bool = True) -> Score:
    """Of one text."""
    marks, told = sorted(marked, key=_place), sorted(found, key=_place)
    if join_addresses:
        marks, told = _joined(marks, text), _joined(told, text)
    pairs = sorted(
        ((_overlap(mark, one), m, f) for m, mark in enumerate(marks) for f, one in enumerate(told)),
        reverse=True,
    )
    matched_marks, matched_told = set[int](), set[int]()
    for share, m, f in pairs:
        if share >= OVERLAP_MIN and m not in matched_marks and f not in matched_told:
            matched_marks.add(m)
            matched_told.add(f)
    rest = [one for f, one in enumerate(told) if f not in matched_told]
    false = sum(not any(_inside(one, marks[m]) for m in matched_marks) for one in rest)
    covered = {place for _, start, end in told for place in range(start, end)}
    lengths = [
        (end - start, sum(place not in covered for place in range(start, end))) for _, start, end in marks
    ]
    return Score(
        len(marks),
        len(matched_marks),
        len(matched_told),
        false,
        sum(length for length, _ in lengths),
        sum(leaked for _, leaked in lengths),
        int(not marks),
        int(not marks and bool(told)),
    )


def interval(groups: Sequence[Score], figure: Callable[[Score], float]) -> tuple[float, float]:
    """95 % interval of a figure by drawing groups (frames) anew, so that sentences of one frame count as one."""
    low, high = bootstrap(groups, lambda drawn: figure(sum(drawn, Score())))
    return round(low, 4), round(high, 4)


def _place(mark: Mark) -> tuple[int, int]:
    return mark[1], -mark[2]


def _overlap(one: Mark, other: Mark) -> float:
    both = min(one[2], other[2]) - max(one[1], other[1])
    return both / (max(one[2], other[2]) - min(one[1], other[1])) if both > 0 else 0.0


def _inside(one: Mark, mark: Mark) -> bool:
    """Half of a finding or more lies in the value."""
    return 2 * (min(one[2], mark[2]) - max(one[1], mark[1])) >= one[2] - one[1]


def _joined(marks: Sequence[Mark], text: str) -> list[Mark]:
    found = list[Mark]()
    for kind, start, end in marks:
        last = found[-1] if found else None
        beside = (
            last and start - last[2] <= ADDRESS_GAP_MAX and not any(map(str.isalnum, text[last[2] : start]))
        )
        if last and beside and kind in PLACES and last[0] in PLACES:
            found[-1] = ("ADDRESS", last[1], max(last[2], end))
            continue
        found.append((kind, start, end))
    return found
