"""May it serve? The rule as a table: nothing that harms gets worse, something gets better, ties keep the old."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.chat.learning.judge import (
    Answered,
    GoldenFigures,
    against_evidence,
    against_ranking,
    figures_of,
)

BEFORE = GoldenFigures(questions=30, right=10, wrong_shown=3, refused=9, not_found=8, hit1=15, hit5=18)


def changed(**by: int) -> GoldenFigures:
    return replace(BEFORE, **{name: getattr(BEFORE, name) + step for name, step in by.items()})


def test_every_question_counts_once() -> None:
    found = figures_of(
        [
            Answered("a", "a", ("a", "b")),  # right
            Answered("a", "b", ("b", "a")),  # wrong
            Answered(None, "a", ("a",)),  # wrong: there is no answer
            Answered(None, None, ("a",)),  # refused
            Answered("c", None, ("a", "b", "d", "e", "f", "c")),  # not found, sixth
        ]
    )
    assert found == GoldenFigures(questions=5, right=1, wrong_shown=2, refused=1, not_found=1, hit1=1, hit5=2)
    assert found.right + found.wrong_shown + found.refused + found.not_found == found.questions
    assert figures_of([]).questions == 0


@pytest.mark.parametrize(
    ("after", "serves"),
    [
        (changed(), False),
        (changed(right=1, not_found=-1), True),
        (changed(refused=1, wrong_shown=-1), True),
        (changed(right=5, not_found=-6, wrong_shown=1), False),
        (changed(wrong_shown=-2, right=-2, not_found=4), False),
        (changed(right=-1, refused=1), False),
        (changed(hit1=3, hit5=3), False),
    ],
)
def test_the_evidence_must_decide_better_and_err_no_more(after: GoldenFigures, serves: bool) -> None:
    assert (not against_evidence(BEFORE, after)) == serves


@pytest.mark.parametrize(
    ("after", "serves"),
    [
        (changed(), False),
        (changed(hit1=1), True),
        (changed(hit5=1), False),
        (changed(right=1, not_found=-1), True),
        (changed(hit1=1, hit5=-1), False),
        (changed(hit1=-1, right=1), False),
        (changed(hit1=1, wrong_shown=1), False),
        (changed(hit1=1, right=-1, not_found=1), False),
    ],
)
def test_the_ranking_must_find_better_and_err_no_more(after: GoldenFigures, serves: bool) -> None:
    assert (not against_ranking(BEFORE, after)) == serves
