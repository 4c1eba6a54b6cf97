"""When the first words of a server's answer are expected."""

from __future__ import annotations

import pytest

from edge.inference.first_text import BELIEVED_S, GUESS_S, FirstText


def test_it_learns_from_the_last_ones() -> None:
    first = FirstText()
    assert first.predicted_s(0.0) == GUESS_S
    for _ in range(40):
        first.came(2.0, 1.0)
    assert abs(first.predicted_s(1.0) - 2.0) < 0.01


@pytest.mark.parametrize(("later_s", "believed"), [(BELIEVED_S - 0.1, True), (BELIEVED_S, False)])
def test_what_was_measured_counts_for_a_while(later_s: float, believed: bool) -> None:
    first = FirstText()
    first.came(9.0, 0.0)
    assert (first.predicted_s(later_s) > GUESS_S) is believed
    first.came(GUESS_S, later_s)
    assert (first.predicted_s(later_s) > GUESS_S) is believed


def test_what_was_given_up_can_only_raise_the_expectation() -> None:
    first = FirstText()
    for seconds in (0.1, 0.8 * GUESS_S):
        first.gave_up(seconds, 0.0)
        assert first.predicted_s(0.0) == GUESS_S
    first.gave_up(0.8 * GUESS_S + 0.01, 0.0)
    assert first.predicted_s(0.0) > GUESS_S


def test_a_server_that_never_begins_in_time_is_soon_expected_too_late() -> None:
    """Whoever asks gives it up before 0.8 s: what is never seen to be longer must be thought so."""
    first = FirstText()
    for _ in range(2):
        first.gave_up(0.75, 0.0)
    assert first.predicted_s(0.0) > 0.8
