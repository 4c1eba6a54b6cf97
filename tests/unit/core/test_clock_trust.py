"""Whether the wall clock is believed, over years of looks: leaps, clocks set back and put right, nights and starts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock_trust
from core.clock_trust import DAY_MS, DOUBT_MS, HOLIDAYS_MS, LEAP_MS, OFF_MS, Moment, Trust
from core.machine_clocks import machine_clocks

HOUR_MS = 3_600_000
YEAR_MS = 365 * DAY_MS
WALL_MS = 1_700_000_000_000


class Machine:
    """A machine's two clocks, looked at as the node does."""

    def __init__(self) -> None:
        self.wall_ms = WALL_MS
        self.boot_ms = 50_000
        self.boot = "a"
        self.trust: Trust | None = None
        self.look()

    def look(self) -> bool:
        """Whether the wall clock is believed."""
        self.trust = clock_trust.after(self.trust, Moment(self.wall_ms, self.boot_ms, self.boot))
        return not self.trust.doubted_ms

    def run(self, ms: int) -> bool:
        self.wall_ms += ms
        self.boot_ms += ms
        return self.look()

    def set_clock(self, by_ms: int) -> bool:
        self.wall_ms += by_ms
        return self.look()

    def start_again(self, after_ms: int) -> bool:
        self.wall_ms += after_ms
        self.boot_ms, self.boot = 9_000, f"{self.boot}+"
        return self.look()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_year_of_looks_raises_no_doubt(machine: Machine) -> None:
    assert all(machine.run(HOUR_MS) for _ in range(365 * 24))


@pytest.mark.parametrize(
    ("leap_ms", "believed"),
    [(LEAP_MS - 1, True), (LEAP_MS, True), (LEAP_MS + 1, False), (6 * YEAR_MS, False)],
)
def test_a_leap_ahead_is_doubted(machine: Machine, leap_ms: int, believed: bool) -> None:
    machine.run(HOUR_MS)
    assert machine.set_clock(leap_ms) is believed


def test_many_small_corrections_do_not_pass_unseen(machine: Machine) -> None:
    assert machine.set_clock(LEAP_MS // 2)
    machine.run(HOUR_MS)
    assert machine.set_clock(LEAP_MS // 2)
    machine.run(HOUR_MS)
    assert not machine.set_clock(1)


def test_a_doubt_ends_after_a_day_of_running(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    assert not machine.run(DOUBT_MS - 1)
    assert machine.run(1)
    assert machine.run(HOUR_MS)
    assert not machine.set_clock(YEAR_MS)


def test_a_clock_that_is_put_right_is_believed_at_once(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    machine.run(5 * HOUR_MS)
    assert machine.set_clock(-YEAR_MS)
    assert not machine.set_clock(YEAR_MS)


def test_a_second_leap_is_doubted_for_a_whole_day(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    machine.run(DOUBT_MS - HOUR_MS)
    machine.set_clock(YEAR_MS)
    assert not machine.run(DOUBT_MS - 1)
    assert machine.run(1)


def test_small_corrections_do_not_prolong_a_doubt(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    for _ in range(23):
        machine.run(HOUR_MS)
        assert not machine.set_clock(5)
    assert machine.run(HOUR_MS)


def test_a_clock_that_was_set_back_is_the_one_that_counts(machine: Machine) -> None:
    assert machine.set_clock(-YEAR_MS)
    assert machine.run(HOUR_MS)
    assert not machine.set_clock(YEAR_MS)


@pytest.mark.parametrize(
    ("off_ms", "believed"),
    [
        (0, True),
        (OFF_MS, True),
        (OFF_MS + LEAP_MS, True),
        (OFF_MS + LEAP_MS + 1, False),
        (30 * DAY_MS, False),
        (-YEAR_MS, True),
    ],
)
def test_a_machine_that_was_off_for_long_is_doubted(machine: Machine, off_ms: int, believed: bool) -> None:
    machine.run(HOUR_MS)
    assert machine.start_again(off_ms) is believed


def test_nights_do_not_add_up(machine: Machine) -> None:
    for _ in range(30):
        assert machine.run(10 * HOUR_MS)
        assert machine.start_again(14 * HOUR_MS)


def test_a_machine_without_a_battery_is_doubted_once_it_learns_the_time(machine: Machine) -> None:
    assert machine.start_again(-20 * YEAR_MS)
    machine.run(60_000)
    assert not machine.set_clock(20 * YEAR_MS)
    assert machine.run(DOUBT_MS)


def test_a_doubt_outlasts_a_start_and_only_running_ends_it(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    for _ in range(3):
        assert not machine.run(6 * HOUR_MS)
        assert not machine.start_again(10 * HOUR_MS)
    assert machine.run(6 * HOUR_MS)


def test_a_clock_that_is_put_right_while_the_machine_is_off_is_believed(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    assert machine.start_again(-YEAR_MS + HOUR_MS // 2)


@pytest.mark.parametrize(
    ("off_ms", "alarming"),
    [
        (OFF_MS + LEAP_MS, False),
        (OFF_MS + LEAP_MS + 1, False),
        (OFF_MS + HOLIDAYS_MS, False),
        (OFF_MS + HOLIDAYS_MS + 1, True),
    ],
)
def test_a_weekend_is_no_alarm_and_a_year_is(machine: Machine, off_ms: int, alarming: bool) -> None:
    machine.start_again(off_ms)
    machine.run(HOUR_MS)
    assert machine.trust is not None
    assert machine.trust.alarming is alarming


def test_a_leap_while_the_machine_runs_is_an_alarm_also_after_a_weekend(machine: Machine) -> None:
    machine.start_again(3 * DAY_MS)
    machine.set_clock(2 * LEAP_MS)
    assert machine.trust is not None
    assert machine.trust.alarming
    machine.start_again(HOUR_MS)
    assert machine.trust.alarming


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 3 * DAY_MS)),
        st.tuples(st.just("set_clock"), st.integers(-YEAR_MS, YEAR_MS)),
        st.tuples(st.just("start_again"), st.integers(-YEAR_MS, YEAR_MS)),
    ),
    max_size=8,
)


@given(
    before=_STEPS,
    leap_ms=st.integers(LEAP_MS + 1, 20 * YEAR_MS),
    parts=st.lists(st.integers(0, DOUBT_MS - 1), max_size=6),
)
def test_whatever_was_before_a_leap_is_doubted_for_a_day(
    before: list[tuple[str, int]], leap_ms: int, parts: list[int]
) -> None:
    machine = Machine()
    for step, ms in before:
        getattr(machine, step)(ms)
    assert not machine.set_clock(leap_ms)
    ran_ms = 0
    for part in parts:
        ran_ms += part
        assert machine.run(part) is (ran_ms >= DOUBT_MS)
        if ran_ms >= DOUBT_MS:
            break
    assert machine.run(DOUBT_MS)


# --- a site that is not there every day ---


@pytest.mark.parametrize("weeks", [1, 30])
def test_a_site_that_opens_two_days_a_week_believes_its_clock_after_a_day_of_running(
    machine: Machine, weeks: int
) -> None:
    believed = 0
    for _ in range(weeks):
        for off_days in (2, 5):
            machine.start_again(off_days * DAY_MS - 10 * HOUR_MS)
            believed += sum(machine.run(HOUR_MS) for _ in range(10))
            assert machine.trust is not None
            assert not machine.trust.alarming
    assert (believed > 0) is (weeks > 1)


def test_a_leap_is_doubted_for_a_day_of_running_also_over_days_off(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    assert not machine.run(DOUBT_MS - HOUR_MS)
    assert not machine.start_again(3 * DAY_MS)
    assert machine.trust is not None
    assert machine.trust.alarming, "the leap is still the reason"
    assert not machine.run(HOUR_MS - 1)
    assert machine.run(1)


@pytest.mark.parametrize(
    ("off_ms", "anew"), [(OFF_MS + HOLIDAYS_MS, False), (OFF_MS + HOLIDAYS_MS + 1, True)]
)
def test_longer_than_holidays_is_doubted_anew(machine: Machine, off_ms: int, anew: bool) -> None:
    machine.start_again(3 * DAY_MS)
    machine.run(DOUBT_MS - HOUR_MS)
    machine.start_again(off_ms)
    assert machine.run(HOUR_MS) is not anew


def test_what_is_kept_is_read_as_it_was(machine: Machine) -> None:
    machine.set_clock(YEAR_MS)
    assert machine.trust is not None
    assert Trust.read(json.loads(json.dumps(machine.trust.kept()))) == machine.trust


def test_this_machines_clocks_can_be_read() -> None:
    first, second = machine_clocks(), machine_clocks()
    assert first.boot == second.boot != ""
    assert first.boot_ms <= second.boot_ms
