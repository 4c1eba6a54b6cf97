"""The scheduler: alone at once, together under load, the urgent first, bounded, and honest about the wait."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from edge.inference.scheduler import LANE_NICENESS, RETRY_AFTER_S_MIN, Line, QueueFull, Scheduler
from edge.inference.waiting import Batch, Rules, Work

RULES = Rules(rows_max=4, waiting_max=8, wait_s_max=60.0)


class Doubler:
    """Doubles numbers; holds each batch until told to go on, and remembers the batches."""

    def __init__(self, *, held: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()
        self.started = threading.Semaphore(0)
        if not held:
            self.go_on.set()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.release()
        assert self.go_on.wait(10)
        return [item * 2 for item in items]

    async def wait_started(self) -> None:
        await asyncio.to_thread(self.started.acquire)


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    made = Scheduler(1)
    yield made
    await made.close()


def line_of(
    scheduler: Scheduler, run: Doubler, work: Work = Work.TURN, rules: Rules = RULES
) -> Line[int, int]:
    return scheduler.line(work, run, rules, tokens_of=lambda _: 10)


async def ask(line: Line[int, int], *items: int, deadline_s: float | None = None) -> list[asyncio.Task[int]]:
    """Requests in line."""
    tasks = [asyncio.create_task(line.submit(item, deadline_s=deadline_s)) for item in items]
    await asyncio.sleep(0)  # each runs up to where it waits
    return tasks


async def busy(line: Line[int, int], run: Doubler) -> list[asyncio.Task[int]]:
    """The line with a batch of 0 running, held."""
    tasks = await ask(line, 0)
    await run.wait_started()
    return tasks


async def ended(line: Line[int, int]) -> None:
    """No batch runs: a lane tells results a moment before it is free."""
    while line.running:
        await asyncio.sleep(0)


def of_20_s(line: Line[int, int]) -> None:
    """As far as the line knows, batches like the running one take 20 s."""
    batch: Batch[int, int] = next(batch for batch, _ in line.running.values())
    for _ in range(3):
        line.waiting.observe(batch, 20.0)


async def test_what_waits_while_a_lane_is_busy_becomes_one_batch(scheduler: Scheduler) -> None:
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run) + await ask(line, 1, 2, 3, 4, 5)
    assert line.stats().waiting == 5
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10]
    assert run.batches == [[0], [1, 2, 3, 4], [5]]
    assert (line.stats().batches, line.stats().rows, line.stats().waiting) == (3, 6, 0)


async def test_scans_and_turns_have_lanes_of_their_own(scheduler: Scheduler) -> None:
    api, turn, scan = Doubler(), Doubler(held=False), Doubler(held=False)
    programs, turns = line_of(scheduler, api, Work.API), line_of(scheduler, turn)
    scans = line_of(scheduler, scan, Work.SCAN)
    tasks = await busy(programs, api) + await ask(programs, 1)
    assert await scans.submit(2) == 4  # while the only lane of the others is still busy
    assert await turns.submit(3) == 6
    assert api.batches == [[0]]
    api.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2]


async def test_of_those_that_share_a_lane_the_urgent_go_first(scheduler: Scheduler) -> None:
    api, background = Doubler(), Doubler()
    documents, programs = line_of(scheduler, background, Work.BACKGROUND), line_of(scheduler, api, Work.API)
    tasks = await busy(documents, background) + await ask(documents, 1) + await ask(programs, 2)
    background.go_on.set()
    await api.wait_started()
    assert background.batches == [[0]]
    api.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4]


async def test_lanes_that_belong_to_nobody_step_back(scheduler: Scheduler) -> None:
    def niceness(_: Sequence[int]) -> list[int]:
        return [os.getpriority(os.PRIO_PROCESS, threading.get_native_id())]

    usual = os.getpriority(os.PRIO_PROCESS, 0)
    found = {}
    for work in (Work.TURN, Work.API):
        line: Line[int, int] = scheduler.line(work, niceness, RULES, tokens_of=lambda _: 1)
        found[work] = await line.submit(0)
    assert found == {Work.TURN: usual, Work.API: min(usual + LANE_NICENESS, 19)}


async def test_scans_beyond_their_share_come_last(scheduler: Scheduler) -> None:
    api, scan = Doubler(), Doubler(held=False)
    programs, scans = line_of(scheduler, api, Work.API), line_of(scheduler, scan, Work.SCAN)
    tasks = await busy(programs, api)
    scheduler._scans.spend(1e9)
    tasks += await ask(scans, 1) + await ask(programs, 2)
    api.go_on.set()
    await api.wait_started()
    assert await asyncio.gather(*tasks) == [0, 2, 4]
    assert api.batches == [[0], [2]]
    assert await scans.submit(4) == 8  # nobody else waits


async def test_scans_are_charged_only_while_others_want_the_lanes(scheduler: Scheduler) -> None:
    charged: list[float] = []
    scheduler._scans.spend = charged.append  # type: ignore[method-assign]
    api, scan = Doubler(), Doubler(held=False)
    programs, scans = line_of(scheduler, api, Work.API), line_of(scheduler, scan, Work.SCAN)
    await scans.submit(1)
    await ended(scans)
    assert not charged
    tasks = await busy(programs, api)
    await scans.submit(2)
    await ended(scans)
    assert len(charged) == 1
    api.go_on.set()
    await asyncio.gather(*tasks)


async def test_a_class_has_no_more_lanes_than_it_may() -> None:
    scheduler = Scheduler(2)
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run) + await ask(line, 2)
    # The second lane is free for others.
    assert await line_of(scheduler, Doubler(held=False), Work.API).submit(5) == 10
    assert run.batches == [[0]]
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 4]
    await scheduler.close()


@pytest.mark.parametrize(("waiting", "refused"), [(6, 0), (7, 0), (8, 1)])
async def test_past_the_bound_requests_are_refused_at_once(
    scheduler: Scheduler, waiting: int, refused: int
) -> None:
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run) + await ask(line, *range(waiting))
    last = await ask(line, 9)
    assert line.stats().refused == refused
    run.go_on.set()
    await asyncio.gather(*tasks)
    if refused:
        with pytest.raises(QueueFull) as error:
            await last[0]
        assert error.value.retry_after_s == RETRY_AFTER_S_MIN
    else:
        assert await last[0] == 18


async def test_what_cannot_be_answered_in_time_is_refused_with_the_time_to_come_back(
    scheduler: Scheduler,
) -> None:
    run = Doubler()
    line = line_of(scheduler, run, rules=Rules(rows_max=1, waiting_max=8, wait_s_max=60.0))
    tasks = await busy(line, run)
    of_20_s(line)
    tasks += await ask(line, 1, 2)
    assert line.predicted_wait_s() == pytest.approx(40.0)
    tasks += await ask(line, 3)  # 40 s are ahead, and 48 may be
    assert line.stats().waiting == 3
    with pytest.raises(QueueFull) as refused:
        await line.submit(4)  # 60 s are
    assert refused.value.retry_after_s == 12.0
    with pytest.raises(QueueFull) as refused:
        await line.submit(4, deadline_s=10.0)
    assert refused.value.retry_after_s == 52.0
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6]


async def test_a_fit_gone_wrong_mends_itself(scheduler: Scheduler) -> None:
    run = Doubler()
    line = line_of(scheduler, run, rules=Rules(rows_max=1, waiting_max=8, wait_s_max=0.5))
    tasks = await busy(line, run)
    of_20_s(line)
    run.go_on.set()
    await asyncio.gather(*tasks)
    await ended(line)
    assert await line.submit(1) == 2  # with nothing ahead it is tried, whatever the fit says


async def test_a_request_that_is_too_late_is_refused_not_computed(scheduler: Scheduler) -> None:
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run)
    late = await ask(line, 1, deadline_s=1e-9)
    run.go_on.set()
    with pytest.raises(QueueFull):
        await late[0]
    assert await tasks[0] == 0
    assert run.batches == [[0]]


async def test_cancelled_requests_leave_the_line(scheduler: Scheduler) -> None:
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run) + await ask(line, 1, 2)
    dropped = tasks.pop(1)
    dropped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropped
    assert line.stats().waiting == 1
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 4]
    assert run.batches == [[0], [2]]


async def test_a_request_that_is_cancelled_while_it_runs_harms_nobody(scheduler: Scheduler) -> None:
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    run.go_on.set()
    assert await line.submit(1) == 2


async def test_many_are_taken_or_none(scheduler: Scheduler) -> None:
    run = Doubler()
    line = line_of(scheduler, run)
    tasks = await busy(line, run)
    with pytest.raises(QueueFull):
        await line.submit_all(range(9))
    assert line.stats().waiting == 0
    several = asyncio.create_task(line.submit_all(range(8)))
    await asyncio.sleep(0)
    run.go_on.set()
    assert await several == [0, 2, 4, 6, 8, 10, 12, 14]
    assert await tasks[0] == 0
    assert await line.submit_all(()) == []


async def test_a_failure_reaches_the_batch_and_nobody_else(scheduler: Scheduler) -> None:
    calls = []

    def run(items: Sequence[int]) -> list[int]:
        calls.append(items)
        if len(calls) == 1:
            raise ArithmeticError("broken")
        return list(items)

    line: Line[int, int] = scheduler.line(Work.TURN, run, RULES, tokens_of=lambda _: 1)
    with pytest.raises(ArithmeticError):
        await line.submit(1)
    assert await line.submit(2) == 2


async def test_closing_answers_the_running_and_refuses_the_rest() -> None:
    scheduler = Scheduler(1)
    run = Doubler()
    line = line_of(scheduler, run)
    running = await busy(line, run)
    waiting = await ask(line, 2)
    closing = asyncio.create_task(scheduler.close())
    with pytest.raises(QueueFull):
        await waiting[0]
    with pytest.raises(QueueFull):
        await line.submit(3)
    run.go_on.set()
    assert await running[0] == 0
    await closing
    assert not any(thread.is_alive() for thread in scheduler._threads)
