"""What follows what in an update, as a table."""

from __future__ import annotations

import itertools

import pytest

from edge.updates.steps import (
    INTERRUPTED,
    INTERRUPTIONS_MAX,
    RETRY_MS_MAX,
    RETRY_MS_MIN,
    TRIES_MAX,
    WITHDRAWN,
    Damaged,
    Done,
    End,
    Failed,
    Interrupted,
    Later,
    Outcome,
    Standing,
    Step,
    Withdrawn,
    after,
    wait_ms,
)

AT_MS = 1_000_000
LASTING, PASSING = Failed("bad"), Failed("busy", passing=True)


def test_all_goes_well() -> None:
    now, seen = Standing(), []
    while now.end is None:
        seen.append(now.step)
        now = after(now, Done(), AT_MS)
    assert seen == [Step.FETCH, Step.VERIFY, Step.STAGE, Step.GATE, Step.ACTIVATE, Step.WATCH, Step.KEEP]
    assert now.end is End.KEPT


@pytest.mark.parametrize(
    ("step", "outcome", "to", "end", "reason"),
    [
        (Step.FETCH, LASTING, Step.FETCH, End.REFUSED, "bad"),
        (Step.FETCH, PASSING, Step.FETCH, None, "busy"),
        (Step.VERIFY, LASTING, Step.VERIFY, End.REFUSED, "bad"),
        (Step.VERIFY, Damaged(), Step.FETCH, None, "damaged"),
        (Step.STAGE, LASTING, Step.STAGE, End.REFUSED, "bad"),
        (Step.STAGE, PASSING, Step.STAGE, None, "busy"),
        (Step.STAGE, Damaged(), Step.FETCH, None, "damaged"),
        (Step.GATE, LASTING, Step.GATE, End.REFUSED, "bad"),
        (Step.ACTIVATE, LASTING, Step.ROLL_BACK, None, "bad"),
        (Step.ACTIVATE, PASSING, Step.ROLL_BACK, None, "busy"),
        (Step.WATCH, LASTING, Step.ROLL_BACK, None, "bad"),
        (Step.WATCH, PASSING, Step.ROLL_BACK, None, "busy"),
        (Step.KEEP, LASTING, Step.KEEP, None, "bad"),
        (Step.ROLL_BACK, LASTING, Step.ROLL_BACK, None, "was so"),
        (Step.ROLL_BACK, PASSING, Step.ROLL_BACK, None, "was so"),
        (Step.ROLL_BACK, Done(), Step.ROLL_BACK, End.RETURNED, "was so"),
        (Step.FETCH, Withdrawn(), Step.FETCH, End.REFUSED, WITHDRAWN),
        (Step.GATE, Withdrawn(), Step.GATE, End.REFUSED, WITHDRAWN),
        (Step.ACTIVATE, Withdrawn(), Step.ROLL_BACK, None, WITHDRAWN),
        (Step.WATCH, Withdrawn(), Step.ROLL_BACK, None, WITHDRAWN),
        (Step.KEEP, Withdrawn(), Step.KEEP, None, "was so"),
        (Step.ROLL_BACK, Withdrawn(), Step.ROLL_BACK, None, "was so"),
        (Step.WATCH, Interrupted(), Step.WATCH, None, "was so"),
        (Step.FETCH, Interrupted(), Step.FETCH, None, "was so"),
    ],
)
def test_what_follows(step: Step, outcome: Outcome, to: Step, end: End | None, reason: str) -> None:
    found = after(Standing(step, reason="was so"), outcome, AT_MS)
    assert (found.step, found.end, found.reason) == (to, end, reason)


@pytest.mark.parametrize(
    ("outcome", "step", "end", "reason"),
    [
        (Done(), Step.WATCH, None, ""),
        (PASSING, Step.ACTIVATE, None, "busy"),
        (LASTING, Step.GATE, End.REFUSED, "bad"),
        (Withdrawn(), Step.GATE, End.REFUSED, WITHDRAWN),
        (Interrupted(), Step.ACTIVATE, None, "was so"),
        (Damaged(), Step.FETCH, None, "damaged"),
    ],
)
def test_before_anything_is_changed_it_waits_or_is_refused(
    outcome: Outcome, step: Step, end: End | None, reason: str
) -> None:
    """To go back would say that something was changed, and ask for a way back that nobody has noted."""
    found = after(Standing(Step.ACTIVATE, reason="was so"), outcome, AT_MS, touched=False)
    assert (found.step, found.end, found.reason) == (step, end, reason)


def test_what_ended_stays() -> None:
    for end, outcome in itertools.product(End, (Done(), LASTING, Withdrawn(), Interrupted(), Damaged())):
        ended = Standing(Step.KEEP, end=end)
        assert after(ended, outcome, AT_MS) == ended


def test_nothing_of_the_site_is_touched_by_what_is_refused() -> None:
    """No way from a step that changes something to REFUSED; none from before to a way back."""
    outcomes = (Done(), LASTING, PASSING, Damaged(), Withdrawn(), Interrupted())
    for step, outcome, tries in itertools.product(Step, outcomes, (0, TRIES_MAX, 1_000)):
        found = after(Standing(step, tries), outcome, AT_MS)
        changes = step in {Step.ACTIVATE, Step.WATCH, Step.KEEP, Step.ROLL_BACK}
        if changes:
            assert found.end is not End.REFUSED, (step, outcome)
        elif found.step is Step.ROLL_BACK:
            raise AssertionError((step, outcome))


@pytest.mark.parametrize("step", [Step.STAGE, Step.GATE])
def test_what_may_pass_is_tried_so_often(step: Step) -> None:
    now, tries = Standing(step), 0
    while now.end is None:
        now, tries = after(now, PASSING, AT_MS), tries + 1
    assert tries == TRIES_MAX


@pytest.mark.parametrize("step", [Step.FETCH, Step.ROLL_BACK, Step.KEEP])
def test_what_is_tried_until_it_succeeds(step: Step) -> None:
    found = after(Standing(step, tries=100_000), PASSING, AT_MS)
    assert (found.step, found.end, found.due_ms) == (step, None, AT_MS + RETRY_MS_MAX)


@pytest.mark.parametrize("step", [Step.STAGE, Step.GATE, Step.ACTIVATE])
def test_a_step_that_ends_the_node_each_time_ends(step: Step) -> None:
    now = Standing(step)
    for _ in range(INTERRUPTIONS_MAX - 1):
        now = after(now, Interrupted(), AT_MS)
        assert (now.step, now.end) == (step, None)
    now = after(now, Interrupted(), AT_MS)
    assert now.reason == INTERRUPTED
    assert now.step is Step.ROLL_BACK or now.end is End.REFUSED


def test_what_is_not_due_yet_waits_and_nothing_is_counted() -> None:
    found = after(Standing(Step.FETCH, tries=3), Later("window", 60_000), AT_MS)
    assert found == Standing(Step.FETCH, tries=3, due_ms=AT_MS + 60_000, reason="window")


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    assert [wait_ms(tries) for tries in (0, 1, 2)] == [RETRY_MS_MIN, 2 * RETRY_MS_MIN, 4 * RETRY_MS_MIN]
    assert wait_ms(10**6) == RETRY_MS_MAX
