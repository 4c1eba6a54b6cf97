"""May what was learnt serve? Before and after on the same golden questions. Pure.

The rule: nothing that a customer could be harmed by gets worse, and something gets better; else the old one stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """What the desk would do with a golden question.

    document  the one that answers it; None: none does
    shown     the document that would be quoted; None: the desk would hand over or ask back
    found     documents of the passages, best first
    """

    document: str | None
    shown: str | None
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoldenFigures:
    """Counts over the golden questions.

    right        answered from their document
    wrong_shown  answered from another one, or although there is none
    refused      not answered, and there is no answer
    not_found    not answered, and there is one
    hit1, hit5   whose document is the first, among the first five found
    """

    questions: int
    right: int
    wrong_shown: int
    refused: int
    not_found: int
    hit1: int
    hit5: int

    @property
    def decided_well(self) -> int:
        """Questions with which the desk does the right thing."""
        return self.right + self.refused


def figures_of(answers: Iterable[Answered]) -> GoldenFigures:
    """The counts of all answers."""
    some = tuple(answers)
    return GoldenFigures(
        questions=len(some),
        right=sum(one.shown is not None and one.shown == one.document for one in some),
        wrong_shown=sum(one.shown is not None and one.shown != one.document for one in some),
        refused=sum(one.shown is None and one.document is None for one in some),
        not_found=sum(one.shown is None and one.document is not None for one in some),
        hit1=sum(one.document in one.found[:1] for one in some),
        hit5=sum(one.document in one.found[:5] for one in some),
    )


def against_evidence(before: GoldenFigures, after: GoldenFigures) -> list[str]:
    """Why a new evidence model should not serve; none: it may."""
    reasons = _more_wrong(before, after)
    if after.decided_well <= before.decided_well:
        reasons.append(_no_better(before, after))
    return reasons


def against_ranking(before: GoldenFigures, after: GoldenFigures) -> list[str]:
    """Why a new ranking should not serve; none: it may."""
    reasons = _more_wrong(before, after)
    if after.hit1 < before.hit1 or after.hit5 < before.hit5:
        reasons.append(
            f"It has the right document first for {after.hit1} of {after.questions} golden questions and among the "
            f"first five for {after.hit5}; the one that serves for {before.hit1} and {before.hit5}."
        )
    if after.decided_well < before.decided_well:
        reasons.append(_no_better(before, after))
    elif (after.hit1, after.decided_well) == (before.hit1, before.decided_well):
        reasons.append("It is no better than the one that serves.")
    return reasons


def _more_wrong(before: GoldenFigures, after: GoldenFigures) -> list[str]:
    if after.wrong_shown <= before.wrong_shown:
        return []
    return [
        f"It gives a wrong answer to {after.wrong_shown} of {after.questions} golden questions, "
        f"the one that serves to {before.wrong_shown}."
    ]


def _no_better(before: GoldenFigures, after: GoldenFigures) -> str:
    return (
        f"It does the right thing with {after.decided_well} of {after.questions} golden questions, "
        f"the one that serves with {before.decided_well}."
    )
