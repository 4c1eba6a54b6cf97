"""The batcher: alone at once, together under load, bounded, and a failure reaches everyone it concerns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from edge.inference.batcher import Batcher, QueueFull


class Doubler:
    """Doubles numbers; holds each batch until told to go on, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()
        self.started = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.release()
        assert self.go_on.wait(10)
        return [item * 2 for item in items]

    async def wait_started(self) -> None:
        await asyncio.to_thread(self.started.acquire)


def batcher_of(run: Doubler, *, lanes: int = 1, rows_max: int = 4, waiting_max: int = 8) -> Batcher[int, int]:
    return Batcher(run, lanes=lanes, rows_max=rows_max, waiting_max=waiting_max)


async def test_what_waits_while_a_lane_is_busy_becomes_one_batch() -> None:
    run = Doubler()
    batcher = batcher_of(run)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in range(6)]
    await run.wait_started()
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10]
    assert run.batches == [[0], [1, 2, 3, 4], [5]]
    await batcher.close()


async def test_at_the_limit_a_request_waits_and_above_it_is_refused_with_a_time() -> None:
    run = Doubler()
    batcher = batcher_of(run, waiting_max=2)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in range(3)]
    await run.wait_started()
    with pytest.raises(QueueFull) as refused:
        await batcher.submit(9)
    assert refused.value.retry_after_s >= 1
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4]
    await batcher.close()


async def test_a_request_that_nobody_awaits_any_more_is_dropped() -> None:
    run = Doubler()
    batcher = batcher_of(run)
    first, second, third = (asyncio.create_task(batcher.submit(n)) for n in range(3))
    await run.wait_started()
    second.cancel()
    run.go_on.set()
    assert await first == 0
    assert await third == 4
    assert run.batches == [[0], [2]]
    await batcher.close()


async def test_a_failure_reaches_every_request_of_its_batch_and_no_other() -> None:
    fail = threading.Event()
    fail.set()

    def run(items: Sequence[int]) -> list[int]:
        if fail.is_set():
            raise RuntimeError("broken")
        return list(items)

    batcher: Batcher[int, int] = Batcher(run, lanes=1, rows_max=4, waiting_max=8)
    with pytest.raises(RuntimeError):
        await batcher.submit(1)
    fail.clear()
    assert await batcher.submit(2) == 2
    await batcher.close()


async def test_two_lanes_work_side_by_side() -> None:
    run = Doubler()
    batcher = batcher_of(run, lanes=2)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in range(2)]
    await run.wait_started()
    await run.wait_started()
    assert sorted(run.batches) == [[0], [1]]
    run.go_on.set()
    assert await asyncio.gather(*tasks) == [0, 2]
    await batcher.close()


async def test_close_fails_what_waits_and_refuses_more() -> None:
    run = Doubler()
    batcher = batcher_of(run)
    first, second = (asyncio.create_task(batcher.submit(n)) for n in range(2))
    await run.wait_started()
    closing = asyncio.create_task(batcher.close())
    with pytest.raises(QueueFull):
        await second
    run.go_on.set()
    assert await first == 0
    await closing
    with pytest.raises(QueueFull):
        await batcher.submit(3)
