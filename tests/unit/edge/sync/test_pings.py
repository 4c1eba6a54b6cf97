"""Heartbeats on links of any speed, as tables."""

from __future__ import annotations

import pytest

from edge.sync.pings import PATIENCE_S, Pings

INTERVAL_S = 10.0


def _lives_s(round_trip_s: float, *, for_s: float = 600.0) -> float:
    """How long a link lives whose answers take so long."""
    pings, answers = Pings(), list[tuple[float, int]]()
    for beat in range(int(for_s / INTERVAL_S)):
        now_s = beat * INTERVAL_S
        while answers and answers[0][0] <= now_s:
            at_s, number = answers.pop(0)
            pings.answered(number, at_s)
        number = pings.next(now_s)
        if not number:
            return now_s
        answers.append((now_s + round_trip_s, number))
    return for_s


@pytest.mark.parametrize("round_trip_s", [0.001, 0.6, 9.9, 14.0, 20.0, 24.0])
def test_a_slow_link_lives(round_trip_s: float) -> None:
    assert _lives_s(round_trip_s) == 600.0


def test_a_dead_one_ends_within_half_a_minute() -> None:
    assert _lives_s(1e9) == 30.0


@pytest.mark.parametrize(("age_s", "number"), [(PATIENCE_S, 3), (PATIENCE_S + 0.01, 0)])
def test_two_beyond_patience_are_the_end(age_s: float, number: int) -> None:
    pings = Pings()
    assert [pings.next(0.0), pings.next(0.0)] == [1, 2]
    assert pings.next(age_s) == number


def test_one_unanswered_is_not_enough() -> None:
    pings = Pings()
    pings.next(0.0)
    assert pings.next(PATIENCE_S + 1) == 2


def test_patience_grows_with_the_link_and_comes_back() -> None:
    pings = Pings()
    pings.next(0.0)
    pings.answered(1, 20.0)
    assert pings.patience_s == 30.0
    pings.next(20.0)
    pings.answered(2, 20.1)
    assert pings.patience_s == PATIENCE_S


@pytest.mark.parametrize("number", [0, 2, 99])
def test_an_answer_to_nothing_is_none(number: int) -> None:
    pings = Pings()
    pings.next(0.0)
    pings.answered(number, 1.0)
    assert pings.round_trip_s == 0.0


def test_an_answer_is_one_to_all_before_it() -> None:
    pings = Pings()
    for now_s in (0.0, 1.0, 2.0):
        pings.next(now_s)
    pings.answered(3, 3.0)
    assert pings.next(1_000.0) == 4
