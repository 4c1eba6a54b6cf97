"""Rates: a minute's allowance at once, then evenly; a wait that is true; a bounded table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.chat.rates import CallerRates, Rate

# What floats of some hundred seconds lose in a few sums is far below a millionth.
ROUNDING_S = 1e-6


def test_a_burst_then_evenly() -> None:
    rate, whole = Rate(3), 0.0
    for _ in range(3):
        assert rate.wait_s(whole, 100.0) == 0
        whole = rate.taken(whole, 100.0)
    assert rate.wait_s(whole, 100.0) == 20
    assert rate.wait_s(whole, 119.0) == 1
    assert rate.wait_s(whole, 120.0) == 0


def test_who_was_away_is_whole_again_and_no_more() -> None:
    rate = Rate(2)
    whole = rate.taken(rate.taken(0.0, 10.0), 10.0)
    for _ in range(2):
        assert rate.wait_s(whole, 1000.0) == 0
        whole = rate.taken(whole, 1000.0)
    assert rate.wait_s(whole, 1000.0) == 30


@given(st.integers(1, 1000), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_more_than_two_allowances_in_any_minute_and_the_wait_is_true(
    per_minute: int, pauses: list[float]
) -> None:
    rate, whole, now, taken = Rate(per_minute), 0.0, 0.0, []
    for pause in pauses:
        now += pause
        wait = rate.wait_s(whole, now)
        if wait:
            assert rate.wait_s(whole, now + wait + ROUNDING_S) == 0
            # Half of a wait that is itself rounding is lost in `now`.
            assert wait < ROUNDING_S or rate.wait_s(whole, now + wait / 2) > 0
            continue
        whole = rate.taken(whole, now)
        taken.append(now)
    for begin in taken:
        assert sum(begin <= at < begin + 60 for at in taken) <= 2 * per_minute


def test_callers_do_not_share_and_the_table_is_bounded() -> None:
    rates = CallerRates(Rate(1), callers_max=8)
    rates.take("a", 0.0)
    assert rates.wait_s("a", 0.0) == 60
    assert rates.wait_s("b", 0.0) == 0
    for number in range(100):
        rates.take(f"caller-{number}", float(number))
        assert len(rates) <= 8
    assert rates.wait_s("caller-99", 99.0) == 60
