"""Whose turn it is, as a table: at once, after a wait on the open stream, or later."""

from __future__ import annotations

import pytest

from cloud_sync.fleet.admission import NodeRevoked
from cloud_sync.fleet.admissions import (
    BURST_S,
    COME_BACK_S_MAX,
    HOLD_S,
    REFUSED_MAX,
    REFUSED_S,
    Admissions,
    Refusals,
)

PER_S = 8.0  # an eighth of a second is no rounding
# Those who pass at once, those who wait, and the one whose turn comes exactly at the end of the wait.
AT_ONCE, HELD = int(PER_S * BURST_S), int(PER_S * HOLD_S)


def test_a_second_s_worth_passes_then_one_after_the_other() -> None:
    door = Admissions(PER_S)
    turns = [door.ask(1_000.0) for _ in range(AT_ONCE + 4)]
    assert [turn.wait_s for turn in turns[: AT_ONCE + 1]] == [0.0] * (AT_ONCE + 1)
    assert [turn.wait_s for turn in turns[AT_ONCE + 1 :]] == [0.125, 0.25, 0.375]
    assert not any(turn.come_back_s for turn in turns)


def test_beyond_the_wait_each_is_told_a_moment_of_its_own() -> None:
    door = Admissions(PER_S)
    turns = [door.ask(1_000.0) for _ in range(1_000)]
    held = [turn for turn in turns if not turn.come_back_s]
    assert len(held) == AT_ONCE + HELD + 1
    assert held[-1].wait_s == HOLD_S
    back = [turn.come_back_s for turn in turns[len(held) :]]
    assert back == pytest.approx([HOLD_S + (place + 1) / PER_S for place in range(len(back))])


def test_those_who_come_when_they_were_told_get_in() -> None:
    door, arrivals = Admissions(PER_S), [(1_000.0, node) for node in range(500)]
    admitted: list[float] = []
    while arrivals:
        arrivals.sort()
        at_s, node = arrivals.pop(0)
        turn = door.ask(at_s)
        if turn.come_back_s:
            arrivals.append((at_s + turn.come_back_s, node))
        else:
            admitted.append(at_s + turn.wait_s)
    assert len(admitted) == 500
    for second in range(1_000, 1_060):
        assert sum(second < at_s <= second + 1 for at_s in admitted) <= PER_S * (1 + BURST_S)
    assert max(admitted) - 1_000.0 == pytest.approx(500 / PER_S, rel=0.3)


def test_nobody_is_sent_away_for_hours() -> None:
    door = Admissions(PER_S)
    turns = [door.ask(1_000.0) for _ in range(20_000)]
    assert max(turn.come_back_s for turn in turns) == COME_BACK_S_MAX


def test_a_quiet_minute_is_no_credit_for_more_than_a_burst() -> None:
    door = Admissions(PER_S)
    door.ask(1_000.0)
    turns = [door.ask(1_060.0) for _ in range(AT_ONCE + 2)]
    assert [turn.wait_s > 0 for turn in turns] == [False] * (AT_ONCE + 1) + [True]


def test_who_was_refused_stays_refused_for_a_while_and_others_do_not() -> None:
    refusals = Refusals()
    refusals.add(b"stolen", NodeRevoked("gone"), 100.0)
    refusals.check(b"another", 100.0)
    with pytest.raises(NodeRevoked):
        refusals.check(b"stolen", 100.0 + REFUSED_S - 0.1)
    refusals.check(b"stolen", 100.0 + REFUSED_S)


def test_of_very_many_refused_the_first_is_forgotten() -> None:
    refusals = Refusals()
    for number in range(REFUSED_MAX + 1):
        refusals.add(str(number).encode(), NodeRevoked(), 0.0)
    refusals.check(b"0", 1.0)
    with pytest.raises(NodeRevoked):
        refusals.check(b"1", 1.0)
