"""The bench `spike`: arrivals keep the bursts of the trace at the wanted rate; nothing slow or missing is hidden."""

from __future__ import annotations

import itertools

import pytest

from tests.bench.arrivals import stretched
from tests.bench.grounded_provider import answer
from tests.bench.spike import Spike, good, served
from tests.bench.spike_texts import wordings
from tests.bench.turn_load import Outcome, Turn


def test_arrivals_are_as_many_as_wanted_and_in_bursts() -> None:
    trace = [0.0, 0.1, 0.2, 10.0, 10.1, 10.2, 20.0]
    found = stretched(trace, 0, rate=0.7, seconds=10.0)
    assert len(found) == 7
    assert found[0] == 0.0
    assert found == sorted(found)
    assert found[-1] < 10.0
    assert found[2] - found[1] < (found[3] - found[2]) / 10


def test_a_spike_is_over_when_its_last_turn_and_the_last_bad_one_after_it_have_ended() -> None:
    turns = [
        Turn(0, 5.0, 5.0, 5.3, 5.4, "answer"),
        Turn(1, 19.0, 19.0, 20.5, 21.0, "generate"),
        Turn(2, 22.0, 22.0, 24.0, 24.5, "answer"),
        Turn(3, 30.0, 30.0, 30.2, 30.2, "answer"),
    ]
    spike = Spike(Outcome(turns, 40.0, 0.1, 0), begins_s=10.0, ends_s=20.0)
    assert [turn.number for turn in spike.during] == [1]
    assert spike.recovery_s() == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("end", "full", "is_served", "is_good"),
    [
        ("answer", False, True, True),
        ("overflow", False, True, True),
        ("handoff", False, True, False),
        ("handoff", True, False, False),
        ("refused", False, False, False),
        ("error", False, False, False),
        ("lost", False, False, False),
    ],
)
def test_what_counts_as_answered(end: str, full: bool, is_served: bool, is_good: bool) -> None:
    turn = Turn(0, 0.0, 0.0, 0.4, 0.6, end, full=full)
    assert (served(turn), good(turn)) == (is_served, is_good)


def test_a_late_answer_is_no_good_one() -> None:
    assert not good(Turn(0, 0.0, 0.9, 1.01, 1.2, "answer"))


def test_no_text_is_asked_twice() -> None:
    found = list(itertools.islice(wordings(["When are you open?", "opening times"]), 80))
    assert len(set(found)) == len(found)


def test_the_provider_says_what_the_passage_says() -> None:
    prompt = (
        "<quote ab>Parking is free. The pharmacy opens at 9 am.</quote ab>\n<question ab>When does the pharmacy open?"
        "</question ab>"
    )
    assert answer(prompt).startswith("The pharmacy opens at 9 am.")
