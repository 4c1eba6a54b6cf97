"""A rollout's states as tables: each command in each state, each gate at, below and above its limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud_sync.fleet.rollouts.machine import (
    DRIVEN,
    OPEN,
    Command,
    Progress,
    Reason,
    RolloutState,
    State,
    Tally,
    approved_by,
    commanded,
    failures_allowed,
    kept_needed,
    step,
)
from cloud_sync.fleet.rollouts.spec import Gates

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
GATES = Gates(kept_min_percent=80, failed_max_percent=10, soak_s=60, patience_s=600)
RUNNING = Progress(State.RUNNING, 0, NOW)


@pytest.mark.parametrize(
    ("state", "command", "after"),
    [
        ("draft", "submit", "scheduled"),
        ("draft", "approve", None),
        ("draft", "pause", None),
        ("draft", "resume", None),
        ("draft", "abort", "aborted"),
        ("awaiting_approval", "submit", None),
        ("awaiting_approval", "approve", "scheduled"),
        ("awaiting_approval", "pause", None),
        ("awaiting_approval", "resume", None),
        ("awaiting_approval", "abort", "aborted"),
        ("scheduled", "submit", None),
        ("scheduled", "approve", None),
        ("scheduled", "pause", "paused"),
        ("scheduled", "resume", None),
        ("scheduled", "abort", "aborted"),
        ("running", "submit", None),
        ("running", "approve", None),
        ("running", "pause", "paused"),
        ("running", "resume", None),
        ("running", "abort", "aborted"),
        ("paused", "submit", None),
        ("paused", "approve", None),
        ("paused", "pause", None),
        ("paused", "resume", "scheduled"),
        ("paused", "abort", "aborted"),
        ("done", "abort", "aborted"),
        *(("done", command, None) for command in Command if command != "abort"),
        *((state, command, None) for state in ("aborted", "stopped") for command in Command),
    ],
)
def test_each_command_in_each_state(state: str, command: str, after: str | None) -> None:
    progress = Progress(State(state))
    if after is None:
        with pytest.raises(RolloutState, match=state.replace("_", " ")):
            commanded(progress, Command(command), risky=False, approved=True, now=NOW)
    else:
        assert commanded(progress, Command(command), risky=False, approved=True, now=NOW).state == after


@pytest.mark.parametrize(
    ("risky", "approved", "after"),
    [
        (False, False, State.SCHEDULED),
        (True, True, State.SCHEDULED),
        (True, False, State.AWAITING_APPROVAL),
    ],
)
def test_what_is_risky_waits_for_a_second_person(risky: bool, approved: bool, after: State) -> None:
    draft = Progress(State.DRAFT)
    assert commanded(draft, Command.SUBMIT, risky=risky, approved=approved, now=NOW).state is after


def test_an_approval_that_is_not_enough_changes_nothing() -> None:
    waiting = Progress(State.AWAITING_APPROVAL)
    assert commanded(waiting, Command.APPROVE, risky=True, approved=False, now=NOW) == waiting


@pytest.mark.parametrize(
    ("creator", "approvers", "enough"),
    [
        ("ada", (), False),
        ("ada", ("ada",), False),
        ("ada", ("bob",), True),
        ("command line", ("ada",), False),  # whoever sits at it may be Ada
        ("command line", ("ada", "ada"), False),
        ("command line", ("ada", "bob"), True),
        ("command line", ("command line", "ada"), False),
        ("ada", ("mallory",), False),  # no account (any more)
    ],
)
def test_two_people_are_two_accounts(creator: str, approvers: tuple[str, ...], enough: bool) -> None:
    assert approved_by(creator, approvers, frozenset({"ada", "bob"})) is enough


def test_a_resumed_wave_begins_its_patience_and_soak_again() -> None:
    paused = Progress(State.PAUSED, 1, NOW - timedelta(days=9), NOW - timedelta(days=8), Reason.LATE)
    resumed = commanded(paused, Command.RESUME, risky=False, approved=False, now=NOW)
    assert resumed == Progress(State.RUNNING, 1, NOW)


@pytest.mark.parametrize(
    ("progress", "waves", "after", "expected"),
    [
        # Not begun.
        (Progress(State.SCHEDULED), [Tally(5)], 0, Progress(State.RUNNING, 0, NOW)),
        (Progress(State.SCHEDULED), [], 0, None),
        (Progress(State.DRAFT), [Tally(5)], 0, None),
        (Progress(State.AWAITING_APPROVAL), [Tally(5)], 0, None),
        # Four of five keep: enough at 80 %.
        (RUNNING, [Tally(5, kept=3), Tally(5)], 599, None),
        (RUNNING, [Tally(5, kept=4), Tally(5)], 5, replace(RUNNING, passed_since=NOW + timedelta(seconds=5))),
        # Patience.
        (RUNNING, [Tally(5, kept=3)], 600, replace(RUNNING, state=State.PAUSED, reason=Reason.LATE)),
        # A gate that cannot be passed any more, though more failures were allowed.
        (RUNNING, [Tally(20, failed=2)], 1, None),
        (RUNNING, [Tally(5, failed=1)], 1, replace(RUNNING, state=State.STOPPED, reason=Reason.FAILURES)),
        # Ten per cent of 20 are two; the third stops it.
        (
            RUNNING,
            [Tally(20, kept=17, failed=3)],
            1,
            replace(RUNNING, state=State.STOPPED, reason=Reason.FAILURES),
        ),
        # Failures of waves to come do not exist; those of earlier ones count.
        (
            replace(RUNNING, wave=1),
            [Tally(10, kept=8, failed=2), Tally(10), Tally(99)],
            1,
            None,
        ),
        (
            replace(RUNNING, wave=1),
            [Tally(10, kept=8, failed=2), Tally(10, failed=1), Tally(99)],
            1,
            replace(RUNNING, wave=1, state=State.STOPPED, reason=Reason.FAILURES),
        ),
        # Nobody is left in it: a person must say whether to go on without a canary.
        (RUNNING, [Tally(0), Tally(9)], 1, replace(RUNNING, state=State.PAUSED, reason=Reason.EMPTY)),
        # Of a later wave nobody is missed.
        (
            replace(RUNNING, wave=1),
            [Tally(9, kept=9), Tally(0), Tally(9)],
            1,
            Progress(State.RUNNING, 2, NOW + timedelta(seconds=1)),
        ),
    ],
)
def test_what_it_does_by_itself(
    progress: Progress, waves: list[Tally], after: int, expected: Progress | None
) -> None:
    assert step(progress, GATES, waves, NOW + timedelta(seconds=after), due=True) == expected


def test_without_a_canary_it_goes_on_once_a_person_said_so() -> None:
    waves = [Tally(0), Tally(0), Tally(9)]
    empty = step(RUNNING, GATES, waves, NOW, due=True)
    assert empty is not None
    resumed = commanded(empty, Command.RESUME, risky=False, approved=False, now=NOW)
    assert step(resumed, GATES, waves, NOW, due=True) == Progress(State.RUNNING, 1, NOW)
    alone = step(resumed, GATES, waves[:1], NOW, due=True)
    assert alone is not None
    assert (alone.state, alone.reason) == (State.DONE, Reason.NONE)


def test_a_gate_that_cannot_be_passed_any_more_stops_it_before_the_failures_do() -> None:
    gates = Gates(kept_min_percent=100, failed_max_percent=50)
    stopped = step(RUNNING, gates, [Tally(10, failed=1)], NOW, due=True)
    assert stopped is not None
    assert (stopped.state, stopped.reason) == (State.STOPPED, Reason.UNREACHABLE_GATE)


def test_nothing_begins_before_it_is_due() -> None:
    assert step(Progress(State.SCHEDULED), GATES, [Tally(5)], NOW, due=False) is None


@pytest.mark.parametrize(("elapsed", "begins"), [(-TICK, False), (timedelta(0), True), (TICK, True)])
def test_the_next_wave_begins_when_the_soak_is_over(elapsed: timedelta, begins: bool) -> None:
    passed = replace(RUNNING, passed_since=NOW)
    now = NOW + timedelta(seconds=GATES.soak_s) + elapsed
    found = step(passed, GATES, [Tally(5, kept=5), Tally(5)], now, due=True)
    assert found == (Progress(State.RUNNING, 1, now) if begins else None)


def test_after_the_last_wave_it_is_done() -> None:
    passed = replace(RUNNING, passed_since=NOW)
    found = step(passed, GATES, [Tally(5, kept=5)], NOW + timedelta(minutes=1), due=True)
    assert found is not None
    assert found.state is State.DONE


def test_a_soak_begins_again_when_a_node_that_had_kept_goes_back() -> None:
    gates = Gates(kept_min_percent=80, failed_max_percent=20, soak_s=60)
    passed = replace(RUNNING, passed_since=NOW)
    assert step(passed, gates, [Tally(10, kept=7, failed=1)], NOW, due=True) == RUNNING


def test_a_paused_rollout_begins_no_wave_but_stops_at_the_threshold() -> None:
    paused = replace(RUNNING, state=State.PAUSED, passed_since=NOW)
    later = NOW + timedelta(days=1)
    assert step(paused, GATES, [Tally(10, kept=10), Tally(5)], later, due=True) is None
    assert step(paused, GATES, [Tally(10, failed=1)], later, due=True) is None
    stopped = step(paused, GATES, [Tally(10, failed=2)], later, due=True)
    assert stopped is not None
    assert stopped.state is State.STOPPED


@pytest.mark.parametrize("state", [state for state in State if state not in DRIVEN])
def test_states_that_a_person_must_move_or_that_are_over_stay(state: State) -> None:
    bad = [Tally(5, failed=5), Tally(5)]
    assert step(Progress(state, 0, NOW, NOW), GATES, bad, NOW + timedelta(days=99), due=True) is None


@pytest.mark.parametrize(
    ("percent", "nodes", "allowed"), [(2, 1, 0), (2, 49, 0), (2, 50, 1), (2, 1000, 20), (0, 1000, 0)]
)
def test_of_a_small_canary_nobody_may_fail(percent: int, nodes: int, allowed: int) -> None:
    assert failures_allowed(Gates(failed_max_percent=percent), [Tally(nodes)]) == allowed


@pytest.mark.parametrize(
    ("percent", "nodes", "needed"),
    [(95, 1, 1), (95, 20, 19), (95, 21, 20), (1, 5, 1), (100, 7, 7), (95, 0, 1)],
)
def test_how_many_must_keep(percent: int, nodes: int, needed: int) -> None:
    assert kept_needed(Gates(kept_min_percent=percent), Tally(nodes)) == needed


def test_every_state_is_open_or_over() -> None:
    assert {*State} - OPEN == {State.DONE, State.ABORTED, State.STOPPED}
