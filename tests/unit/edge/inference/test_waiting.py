"""The order in which waiting requests are taken, and what is said of the time they will take. No clock, no threads."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from edge.inference.waiting import LENGTHS, Batch, Request, Rules, Waiting, about_tokens

NUMBERS = count()
# A request only carries it; nothing here awaits one.
LOOP = asyncio.new_event_loop()


def request(
    name: str, tokens: int = 10, deadline_s: float = 1.0, *, strict: bool = False
) -> Request[str, str]:
    return Request(name, tokens, deadline_s, strict, LOOP.create_future(), next(NUMBERS))


def waiting(
    *requests: Request[str, str], rows_max: int = 8, tokens_max: int | None = 256
) -> Waiting[str, str]:
    found: Waiting[str, str] = Waiting(Rules(rows_max, 100, 1.0, tokens_max))
    for one in requests:
        found.push(one)
    return found


def taken(line: Waiting[str, str]) -> list[str]:
    batch, _ = line.take(0.0)
    return [one.item for one in batch.requests] if batch else []


@pytest.mark.parametrize("bound", LENGTHS[:-1])
def test_a_length_at_a_bound_belongs_below_it(bound: int) -> None:
    line = waiting(
        request("at", bound, 1.0),
        request("above", bound + 1, 2.0),
        request("below", bound - 1, 3.0),
        tokens_max=2 * LENGTHS[-1],
    )
    assert [taken(line), taken(line)] == [["at", "below"], ["above"]]


def test_beyond_the_last_bound_there_is_no_other_bucket() -> None:
    line = waiting(request("at", LENGTHS[-1]), request("above", LENGTHS[-1] + 1), tokens_max=10_000)
    assert taken(line) == ["at", "above"]


def test_the_earliest_deadline_chooses_the_bucket_and_the_order_in_it() -> None:
    line = waiting(request("a", 10, 3.0), request("long", 60, 2.0), request("b", 10, 1.0))
    assert [taken(line), taken(line), taken(line)] == [["b", "a"], ["long"], []]
    assert len(line) == 0


def test_of_equal_deadlines_the_first_come_goes_first() -> None:
    assert taken(waiting(*(request(name) for name in "abc"))) == ["a", "b", "c"]


@pytest.mark.parametrize(("rows", "taken_rows"), [(15, 15), (16, 16), (17, 16)])
def test_the_budget_of_tokens_bounds_a_batch(rows: int, taken_rows: int) -> None:
    line = waiting(*(request(str(n), 16) for n in range(rows)), rows_max=64)
    assert len(taken(line)) == taken_rows


def test_a_text_longer_than_the_budget_goes_alone() -> None:
    line = waiting(request("a", 500), request("b", 500))
    assert [taken(line), taken(line)] == [["a"], ["b"]]


@pytest.mark.parametrize(("rows", "taken_rows"), [(7, 7), (8, 8), (9, 8)])
def test_rows_bound_a_batch_that_cuts_its_own_passes(rows: int, taken_rows: int) -> None:
    line = waiting(*(request(str(n), 10 + 60 * n) for n in range(rows)), tokens_max=None)
    assert len(taken(line)) == taken_rows


def test_what_nobody_awaits_leaves() -> None:
    gone = request("gone")
    line = waiting(request("a"), gone, request("b"))
    line.remove(gone)
    line.remove(gone)
    assert len(line) == 2
    assert taken(line) == ["a", "b"]


@pytest.mark.parametrize(("now_s", "late"), [(0.6, []), (0.7, ["strict"]), (0.8, ["strict"])])
def test_what_its_pass_would_bring_past_its_deadline_is_not_computed(now_s: float, late: list[str]) -> None:
    line = waiting(request("strict", strict=True), request("patient"))
    line.observe(Batch([], 1, 32, 0.0), 0.3)  # what a pass of the two takes
    batch, found = line.take(now_s)
    assert [one.item for one in found] == late
    assert batch is not None
    assert [one.item for one in batch.requests] == (["patient"] if late else ["strict", "patient"])


def test_the_last_that_waits_is_tried_whatever_the_fit_says() -> None:
    line = waiting(request("a", strict=True), request("b", strict=True))
    line.observe(Batch([], 1, 20, 0.0), 60.0)
    batch, found = line.take(0.0)
    assert [one.item for one in found] == ["a"]
    assert batch is not None
    assert [one.item for one in batch.requests] == ["b"]


@pytest.mark.parametrize(("now_s", "late"), [(0.9, []), (1.0, ["strict"]), (1.1, ["strict"])])
def test_what_is_worthless_after_its_deadline_is_not_computed(now_s: float, late: list[str]) -> None:
    line = waiting(request("strict", strict=True), request("patient"))
    batch, found = line.take(now_s)
    assert [one.item for one in found] == late
    assert batch is not None
    assert [one.item for one in batch.requests] == (["patient"] if late else ["strict", "patient"])


def test_work_is_told_from_what_passes_took() -> None:
    line = waiting(rows_max=4)
    for rows in (1, 2, 4):
        for n in range(rows):
            line.push(request(str(n), 16))
        batch, _ = line.take(0.0)
        assert batch is not None
        assert batch.tokens == rows * 16
        line.observe(batch, 0.01 + rows * 16 * 0.001)
    for n in range(6):
        line.push(request(str(n), 16))
    # Two passes, of four rows and of two.
    assert line.work_s() == pytest.approx(2 * 0.01 + 6 * 16 * 0.001, rel=0.05)
    line.push(request("long", 200))
    assert line.work_s() > 0.2  # a bucket without figures borrows everybody's


def test_everything_leaves_at_a_close() -> None:
    line = waiting(request("a"), request("b", 200))
    assert {one.item for one in line.drain()} == {"a", "b"}
    assert len(line) == 0
    assert line.work_s() == 0.0


@pytest.mark.parametrize(("text", "tokens"), [("", 2), ("When", 3), ("Where is it?", 5), ("x" * 400, 102)])
def test_about_how_long_a_text_is(text: str, tokens: int) -> None:
    assert about_tokens(text) == tokens
