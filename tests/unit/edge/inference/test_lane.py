"""When the first words of an answer are expected, one answer being written at a time."""

from __future__ import annotations

import pytest

from edge.inference.lane import Lane

FIRST_S, WHOLE_S = 0.5, 2.0


def written(lane: Lane, number: int, at: float) -> float:
    """One answer alone, and when it ended."""
    lane.join(number, at)
    lane.begin(number, at + FIRST_S)
    lane.leave(number, at + WHOLE_S)
    return at + WHOLE_S


@pytest.fixture
def lane() -> Lane:
    """Has written many, and nobody ever waited."""
    made, at = Lane(), 0.0
    for number in range(40):
        at = written(made, number, at)
    return made


NOW = 40 * WHOLE_S


def predicted(lane: Lane, now: float) -> float:
    return round(lane.predicted_s(now), 3)


def test_a_free_lane_is_always_tried(lane: Lane) -> None:
    assert Lane().predicted_s(0.0) == predicted(lane, NOW) == 0.0


@pytest.mark.parametrize(
    ("ahead", "after_s", "wait_s"),
    [
        (1, 0.0, 2.5),
        (1, 1.5, 1.0),  # what is written already is not waited for again
        (1, 2.0, 0.5),
        (1, 9.0, 0.5),  # longer than usual: any time now
        (2, 0.0, 4.5),
        (2, 1.5, 3.0),
        (3, 1.5, 5.0),
    ],
)
def test_each_ahead_is_one_whole_answer_less_what_is_written(
    lane: Lane, ahead: int, after_s: float, wait_s: float
) -> None:
    for number in range(100, 100 + ahead):
        lane.join(number, NOW)
    assert predicted(lane, NOW + after_s) == wait_s


def test_the_lane_goes_over_to_the_next_when_one_ends(lane: Lane) -> None:
    lane.join(100, NOW)
    lane.join(101, NOW)
    lane.begin(100, NOW + FIRST_S)
    lane.leave(100, NOW + 1.0)  # shorter than usual
    assert predicted(lane, NOW + 1.0) == round(
        1.7 + FIRST_S, 3
    )  # the mean has moved: 2.0 + 0.3 × (1.0 − 2.0)
    lane.begin(101, NOW + 1.0 + FIRST_S)
    lane.leave(101, NOW + 1.0 + WHOLE_S)
    assert predicted(lane, NOW + 3.0) == 0.0


def test_one_that_left_while_it_waited_frees_its_place_and_teaches_nothing(lane: Lane) -> None:
    lane.join(100, NOW)
    lane.begin(100, NOW + FIRST_S)
    lane.join(101, NOW + 0.6)
    lane.leave(101, NOW + 1.0, reading=True)
    assert predicted(lane, NOW + 1.0) == 1.5


def test_a_prompt_that_nobody_wants_any_more_is_still_read(lane: Lane) -> None:
    lane.join(100, NOW)
    lane.leave(100, NOW + 0.1, reading=True)
    assert predicted(lane, NOW + 0.1) == round(0.4 + FIRST_S, 3)
    lane.join(101, NOW + 0.1)
    assert predicted(lane, NOW + 0.1) == round(0.4 + WHOLE_S + FIRST_S, 3)
    lane.leave(101, NOW + 0.2, reading=True)
    assert predicted(lane, NOW + 2.0) == 0.0


def test_one_that_the_worker_refused_was_never_read(lane: Lane) -> None:
    lane.join(100, NOW)
    lane.leave(100, NOW + 0.1)
    assert predicted(lane, NOW + 0.1) == 0.0


def test_what_was_given_up_can_only_raise_the_expectation(lane: Lane) -> None:
    lane.join(100, NOW)
    lane.leave(100, NOW + 5.0, reading=True)  # the worker hangs, or its machine does
    lane.join(101, NOW + 60.0)
    assert predicted(lane, NOW + 60.0) == round(WHOLE_S + 0.5 + 0.3 * 4.5, 3)


def test_a_programs_generation_is_ahead_from_when_it_is_read(lane: Lane) -> None:
    lane.join(100, NOW, program=True)
    lane.join(101, NOW, program=True)
    assert predicted(lane, NOW) == 2.5
    lane.join(102, NOW)  # behind the one that is read, before the other
    assert predicted(lane, NOW) == 4.5
    lane.begin(100, NOW + FIRST_S)
    lane.leave(100, NOW + WHOLE_S)
    assert predicted(lane, NOW + WHOLE_S) == 2.5
    lane.leave(102, NOW + WHOLE_S)
    assert predicted(lane, NOW + WHOLE_S) == 2.5


def test_a_programs_generation_is_ahead_only_where_it_has_the_lane(lane: Lane) -> None:
    lane.join(100, NOW)
    lane.join(101, NOW, program=True)
    assert predicted(lane, NOW) == 2.5
    lane.begin(100, NOW + FIRST_S)
    lane.leave(100, NOW + WHOLE_S)
    lane.begin(101, NOW + WHOLE_S + FIRST_S)
    assert predicted(lane, NOW + WHOLE_S + FIRST_S) == 2.0


def test_more_ahead_is_never_sooner() -> None:
    lane, waits = Lane(), []
    for number in range(5):
        waits.append(lane.predicted_s(1.0))
        lane.join(number, 1.0)
    assert waits == sorted(waits)
