"""Callers of one line take turns, and none of them takes every place. No clock, no threads."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from edge.inference.cost import Cost
from edge.inference.waiting import Request, Rules, Waiting
from models.fairness import Shares

NUMBERS = count()
LOOP = asyncio.new_event_loop()  # a request only carries its future
PASS_TOKENS = 16


def request(caller: str | None, name: str = "", deadline_s: float = 1.0, **more: bool) -> Request[str, str]:
    return Request(
        name or str(caller), 10, deadline_s, more.get("strict", False), LOOP.create_future(), next(NUMBERS),
        caller=caller,
    )  # fmt: skip


def line_of(*callers: str | None, rows_max: int = 1, waiting_max: int = 100) -> Waiting[str, str]:
    line: Waiting[str, str] = Waiting(Rules(rows_max, waiting_max, 1.0, 256))
    for caller in callers:
        line.push(request(caller))
    return line


def order(line: Waiting[str, str]) -> list[str]:
    taken = []
    while (batch := line.take(0.0)[0]) is not None:
        taken += [one.item for one in batch.requests]
    return taken


@pytest.mark.parametrize(
    ("callers", "expected"),
    [
        ("aaaaab", "abaaaa"),
        ("aaabbb", "ababab"),
        ("aaabbc", "abcaba"),
        ("abcabc", "abcabc"),
        ("aaaa", "aaaa"),
    ],
)
def test_callers_take_turns(callers: str, expected: str) -> None:
    assert "".join(order(line_of(*callers))) == expected


def test_who_has_no_name_waits_for_nobodys_crowd() -> None:
    assert order(line_of(*"aaa", None, None)) == ["a", "None", "None", "a", "a"]


def test_whoever_comes_later_goes_before_the_rest_of_a_crowd() -> None:
    line = line_of(*"aaaa")
    line.take(0.0)
    line.take(0.0)
    line.push(request("b"))
    assert order(line) == ["b", "a", "a"]


def test_having_had_turns_is_not_held_against_anybody_who_waits_no_more() -> None:
    line = line_of(*"aaaa")
    order(line)
    for caller in "ba":
        line.push(request(caller))
    assert order(line) == ["b", "a"]


def test_of_one_turn_the_earliest_deadline_goes_first() -> None:
    line = line_of()
    for name, deadline_s in (("late", 3.0), ("soon", 1.0), ("middle", 2.0)):
        line.push(request(name, deadline_s=deadline_s))
    assert order(line) == ["soon", "middle", "late"]


def test_what_passed_its_deadline_behind_the_first_is_not_computed() -> None:
    line = line_of("a", rows_max=8)
    line.push(request("b"))
    line.push(request("a", "over", deadline_s=0.5, strict=True))
    batch, late = line.take(0.6)
    assert batch is not None
    assert [one.item for one in batch.requests] == ["a", "b"]
    assert [one.item for one in late] == ["over"]
    assert len(line) == 0


def test_a_wait_is_what_goes_ahead_of_this_caller() -> None:
    line = line_of(*"aaaaaaaa")
    for bucket in line._buckets:
        bucket.cost = Cost()
        bucket.cost.observe(PASS_TOKENS, 1.0)
    assert line.work_s() == pytest.approx(8.0)
    assert line.ahead_s("a") == pytest.approx(8.0)
    assert line.ahead_s("b") == line.ahead_s(None) == pytest.approx(1.0)  # the first one of the crowd


@pytest.mark.parametrize(("held", "room"), [(3, True), (4, True), (5, False)])
def test_a_caller_alone_has_half_of_the_places(held: int, room: bool) -> None:
    line = line_of(*"a" * held, waiting_max=9)
    assert line.has_room("a", began=False) is room
    assert line.has_room("b", began=False)
    assert line.has_room(None, began=False)


def test_two_that_crowd_leave_a_third() -> None:
    line = line_of(waiting_max=9)
    for _ in range(9):
        for caller in "ab":
            if line.has_room(caller, began=False):
                line.push(request(caller))
    assert len(line) == 6
    assert line.has_room("c", began=False)


@pytest.mark.parametrize(("waiting", "room"), [(8, True), (9, False)])
def test_what_comes_together_is_taken_on_together_up_to_the_last_place(waiting: int, room: bool) -> None:
    line = line_of(*"a" * waiting, waiting_max=9)
    assert line.has_room("a", began=True) is room
    assert line.has_room(None, began=False) is room


def test_who_left_is_forgotten() -> None:
    line, gone = line_of("a"), request("b")
    line.push(gone)
    line.remove(gone)
    line.remove(gone)
    assert len(line._shares) == 1
    assert order(line) == ["a"]
    assert len(line._shares) == 0
    assert Shares().start("b") == 0.0
