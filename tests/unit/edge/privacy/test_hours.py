"""Hours of a week as bits."""

from __future__ import annotations

import pytest

from edge.privacy.hours import MINUTES_A_WEEK, minutes_of
from tests.unit.edge.privacy.policy_cases import WINDOWS


@pytest.mark.parametrize("window", WINDOWS)
def test_every_minute_of_a_window(window: str) -> None:
    expected = {day * 1440 + minute for day, begin, end in WINDOWS[window] for minute in range(begin, end)}
    bits = minutes_of([window])
    assert {minute for minute in range(MINUTES_A_WEEK) if bits >> minute & 1} == expected
    assert bits < 1 << MINUTES_A_WEEK


def test_windows_add_up() -> None:
    assert minutes_of(["mon 08:00-09:00", "mon 09:00-10:00"]) == minutes_of(["mon 08:00-10:00"])
    assert minutes_of([]) == 0


@pytest.mark.parametrize(
    "window", ["", "mon", "mon 08:00", "mon 08:60-09:00", "mon 08:00-08:00", "mon 25:00-26:00"]
)
def test_what_is_no_window(window: str) -> None:
    with pytest.raises(ValueError, match="hours"):
        minutes_of([window])
