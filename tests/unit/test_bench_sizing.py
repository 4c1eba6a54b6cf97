"""Branches and costs that the bench `sizing` makes of what it measured."""

from __future__ import annotations

import pytest

from tests.bench.sizing import Assumed, Measured, sized


def measured(answers_per_h: float, watts: float | None = None) -> Measured:
    return Measured(answers_per_h, 0.0, 0.1, 0.2, 1.0, 700, watts)


@pytest.mark.parametrize(("answers_per_h", "branches"), [(0, 1), (150, 1), (299, 1), (300, 2), (15_000, 100)])
def test_a_branch_needs_its_busiest_hour_of_what_is_planned(answers_per_h: float, branches: int) -> None:
    assert sized(measured(answers_per_h), Assumed())["branches"] == branches


@pytest.mark.parametrize(("watts", "a_year"), [(None, 345.12), (40.0, 345.12), (10.0, 266.28)])
def test_a_year_costs_the_machine_and_its_electricity(watts: float | None, a_year: float) -> None:
    found = sized(measured(300, watts), Assumed())
    assert found["cost_a_year"] == a_year
    assert found["cost_per_1000_one_branch"] == pytest.approx(a_year / 75, abs=1e-3)
    assert found["cost_per_1000_all_branches"] == pytest.approx(a_year / 150, abs=1e-3)
