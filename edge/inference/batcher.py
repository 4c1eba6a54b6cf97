"""A work-conserving batcher: whatever waits when a lane is free becomes its next batch. No timers.

At one customer a request starts at once, alone; under load batches grow by themselves, because work queues while
lanes are busy. Bounded: past `waiting_max` a request is refused at once (QueueFull, with the time to come back).
One wake-up of the event loop a batch, however many rows it has.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from core.errors import PosternError

In = TypeVar("In")
Out = TypeVar("Out")

# Weight of the newest batch in the running cost of a row: remembers about the last ten batches.
COST_WEIGHT = 0.1
RETRY_AFTER_S_MIN = 1.0


class QueueFull(PosternError):
    """More requests wait than the node takes on; the customer is told when to come back."""

    code = "queue_full"
    title = "The desk is very busy"
    remedy = "Try again after the time in Retry-After."
    status = 503

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("More questions are waiting than can be answered in time.")
        self.retry_after_s = max(RETRY_AFTER_S_MIN, math.ceil(retry_after_s))


@dataclass(frozen=True)
class BatcherStats:
    """What the batcher has done and holds."""

    waiting: int
    batches: int
    rows: int
    predicted_wait_s: float


@dataclass(frozen=True)
class _Request(Generic[In, Out]):
    item: In
    future: asyncio.Future[Out]


class Batcher(Generic[In, Out]):
    """Runs `run(items) -> results` (same order, blocking, thread-safe) on `lanes` threads.

    A failure of `run` fails every request of its batch with that exception. Use from one event loop.
    """

    def __init__(
        self,
        run: Callable[[Sequence[In]], Sequence[Out]],
        *,
        lanes: int,
        rows_max: int,
        waiting_max: int,
        on_batch: Callable[[int, float], None] | None = None,
    ) -> None:
        self._run = run
        self._rows_max = rows_max
        self._waiting_max = waiting_max
        self._on_batch = on_batch
        self._waiting: deque[_Request[In, Out]] = deque()
        self._lanes = lanes
        self._free = lanes
        self._threads = ThreadPoolExecutor(lanes, thread_name_prefix="batch")
        self._row_cost_s = 0.0
        self._batches = 0
        self._rows = 0
        self._closed = threading.Event()

    async def submit(self, item: In) -> Out:
        """Wait for the result of one item. Raises QueueFull, or what `run` raised."""
        if len(self._waiting) >= self._waiting_max or self._closed.is_set():
            raise QueueFull(self.predicted_wait_s())
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(item, future))
        if self._free:
            self._start()
        return await future

    def predicted_wait_s(self) -> float:
        """Seconds until an item submitted now would be answered, from the running cost of a row."""
        busy_rows = (self._lanes - self._free) * self._rows_max / 2
        return (len(self._waiting) + busy_rows) * self._row_cost_s / self._lanes

    def stats(self) -> BatcherStats:
        """Figures for metrics and status."""
        return BatcherStats(len(self._waiting), self._batches, self._rows, self.predicted_wait_s())

    async def close(self) -> None:
        """Take nothing more; fail what waits; wait for the running batches."""
        self._closed.set()
        while self._waiting:
            request = self._waiting.popleft()
            if not request.future.done():
                request.future.set_exception(QueueFull(RETRY_AFTER_S_MIN))
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    def _start(self) -> None:
        """Give a free lane everything that waits, up to `rows_max`, less what nobody awaits any more."""
        batch: list[_Request[In, Out]] = []
        while self._waiting and len(batch) < self._rows_max:
            request = self._waiting.popleft()
            if not request.future.done():
                batch.append(request)
        if batch:
            self._free -= 1
            self._threads.submit(self._serve, batch, asyncio.get_running_loop())

    def _serve(self, batch: list[_Request[In, Out]], loop: asyncio.AbstractEventLoop) -> None:
        started = perf_counter()
        results: Sequence[Out] = ()
        error: Exception | None = None
        try:
            results = self._run([request.item for request in batch])
        except Exception as caught:
            error = caught
        loop.call_soon_threadsafe(self._finish, batch, results, error, perf_counter() - started)

    def _finish(
        self, batch: list[_Request[In, Out]], results: Sequence[Out], error: Exception | None, seconds: float
    ) -> None:
        self._free += 1
        self._batches += 1
        self._rows += len(batch)
        cost = seconds / len(batch)
        self._row_cost_s += COST_WEIGHT * (cost - self._row_cost_s) if self._row_cost_s else cost
        if self._on_batch is not None:
            self._on_batch(len(batch), seconds)
        if self._waiting and not self._closed.is_set():
            self._start()  # the lane works while the loop tells the results
        for index, request in enumerate(batch):
            if request.future.done():
                continue
            if error is None:
                request.future.set_result(results[index])
            else:
                request.future.set_exception(error)
