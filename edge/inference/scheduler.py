"""The one line before the encoder: whatever waits when a lane is free becomes its next batch. No timers.

At one customer a request starts at once, alone; under load batches grow by themselves, because work queues while lanes
are busy. Lanes are threads: each takes its next batch itself, most urgent class first (`Work`), then callers in turn
(`fairness`), then earliest deadline, then like lengths within a budget of tokens. A request that cannot be answered in
time is refused when it comes, with the time to come back, from the fitted cost of what is ahead of it; one that nobody
awaits any more leaves the line. The event loop is woken once a batch.

A batch is never interrupted, and so who is urgent has lanes of their own (`LANES_OF`): the kernel interrupts the lanes
of all others for these, and for the event loop, since they step back (`LANE_NICENESS`). Stand-alone scans come first as
long as they take no more than `SCAN_SHARE` of the lanes' time, and last beyond it.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any, Final, Generic, TypeVar

from core.errors import PosternError
from edge.inference.cost import Allowance, Stretch
from edge.inference.waiting import Batch, Request, Rules, Waiting, Work

In = TypeVar("In")
Out = TypeVar("Out")

RETRY_AFTER_S_MIN: Final = 1.0

TRUSTED: Final = 0.8
"""Of the time a request has, what the predicted wait may fill: the rest is for its own pass, and for being wrong."""

SCAN_SHARE: Final = 0.3
"""Of the lanes' time: customers' turns keep the rest, whatever a pipeline sends to be scanned."""

LANES_OF: Final[dict[Work, tuple[Work | None, ...]]] = {
    Work.SCAN: (Work.SCAN, None),
    Work.TURN: (Work.TURN,),
    Work.API: (None,),
    Work.BACKGROUND: (None,),
}
"""The lanes that serve each class: its own, at the process's priority, or None, those that step back. Turns stay away
from these: choosing an answer holds the interpreter's lock, which a thread that stepped back would keep from all."""

LANE_NICENESS: Final = 10
"""How far lanes that belong to nobody step back: of a contended core a thread beside them gets ten times their share
(sched(7)). A refusal or a scan of 3 ms then does not wait for passes that fill every core."""

SCAN_SAVED_S_MAX: Final = 0.2
"""Of scans' time that may be saved up while there are none: a burst of some fifty sentences on two cores."""


class QueueFull(PosternError):
    """More requests wait than the node takes on; the caller is told when to come back."""

    code = "queue_full"
    title = "The desk is very busy"
    remedy = "Try again after the time in Retry-After."
    status = 503

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("More questions are waiting than can be answered in time.")
        self.retry_after_s = max(RETRY_AFTER_S_MIN, math.ceil(retry_after_s))


@dataclass(frozen=True)
class LineStats:
    """What a line has done and holds."""

    waiting: int
    batches: int
    rows: int
    predicted_wait_s: float
    refused: int


class Line(Generic[In, Out]):
    """The requests of one class. `submit` from one event loop."""

    def __init__(
        self, scheduler: Scheduler, work: Work, run: Callable[[Sequence[In]], Sequence[Out]], rules: Rules,
        tokens_of: Callable[[In], int], on_batch: Callable[[int, float], None] | None,
    ) -> None:  # fmt: skip
        self.work = work
        self.rules = rules
        self.run = run
        self.waiting: Waiting[In, Out] = Waiting(rules)
        self.running: dict[int, tuple[Batch[In, Out], float]] = {}
        self._scheduler = scheduler
        self._tokens_of = tokens_of
        self._on_batch = on_batch
        self.stretch = Stretch()
        self._batches = self._rows = self._refused = 0

    async def submit(self, item: In, *, deadline_s: float | None = None, caller: str | None = None) -> Out:
        """Wait for the result of one item. Raises QueueFull, or what `run` raised.

        `deadline_s`: seconds from now after which the result is worth nothing: it is then not computed.
        `caller`: who takes turns with others; None: nobody else's.
        """
        return (await self.submit_all((item,), deadline_s=deadline_s, caller=caller))[0]

    async def submit_all(
        self, items: Iterable[In], *, deadline_s: float | None = None, caller: str | None = None
    ) -> list[Out]:
        """As `submit` for each, all or none."""
        requests: list[Request[In, Out]] = []
        try:
            for item in items:
                tokens, began = self._tokens_of(item), bool(requests)
                requests.append(self._scheduler.admit(self, item, tokens, deadline_s, caller, began=began))
            return [await request.future for request in requests]
        except BaseException:
            for request in requests:
                self._scheduler.leave(self, request)
            raise

    @property
    def ended(self) -> int:
        """Batches that came to an end."""
        return self._batches

    def predicted_wait_s(self) -> float:
        """Seconds until a lane would begin with an item of whoever has most in line, submitted now."""
        return self._scheduler.predicted_wait_s(self)

    def stats(self) -> LineStats:
        """Figures for metrics and status."""
        return LineStats(len(self.waiting), self._batches, self._rows, self.predicted_wait_s(), self._refused)

    def refuse(self, retry_after_s: float = 0.0) -> QueueFull:
        """Counted, with the seconds until one more would be taken on."""
        self._refused += 1
        return QueueFull(retry_after_s)

    def finish(
        self, batch: Batch[In, Out], results: Sequence[Out], error: Exception | None, seconds: float
    ) -> None:
        """In the event loop: tell everybody whom a batch concerns."""
        self._batches += 1
        self._rows += len(batch.requests)
        if self._on_batch is not None:
            self._on_batch(len(batch.requests), seconds)
        for index, request in enumerate(batch.requests):
            if request.future.done():
                continue
            if error is None:
                request.future.set_result(results[index])
            else:
                request.future.set_exception(error)


class Scheduler:
    """Lanes, and a line of requests for each class of work before them.

    A failure of `run` fails every request of its batch with that exception.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._lines: list[Line[Any, Any]] = []
        self._numbers = itertools.count()
        self._scans = Allowance(SCAN_SHARE * lanes, SCAN_SAVED_S_MAX)
        self._lock = threading.Lock()
        self._closed = False
        kinds = {Work.SCAN: 1, Work.TURN: lanes, None: lanes}
        self._free = {own: threading.Condition(self._lock) for own in kinds}
        self._idle = dict.fromkeys(kinds, 0)  # lanes that wait for work
        self._threads = [
            threading.Thread(
                target=self._serve,
                args=(own,),
                name=f"lane-{own.name if own is not None else 'any'}",
                daemon=True,
            )
            for own, count in kinds.items()
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def line(
        self, work: Work, run: Callable[[Sequence[In]], Sequence[Out]], rules: Rules, *,
        tokens_of: Callable[[In], int], on_batch: Callable[[int, float], None] | None = None,
    ) -> Line[In, Out]:  # fmt: skip
        """A line of a class; lines of one class share its lanes.

        `run`: items → results in the same order; blocking, thread-safe. `tokens_of`: about how long an item is.
        """
        line = Line(self, work, run, rules, tokens_of, on_batch)
        with self._lock:
            self._lines.append(line)
            self._lines.sort(key=lambda one: one.work)
        return line

    def admit(
        self, line: Line[In, Out], item: In, tokens: int, deadline_s: float | None, caller: str | None,
        *, began: bool,
    ) -> Request[In, Out]:  # fmt: skip
        """Put a request in line; `began`: as for `Waiting.has_room`. Raises QueueFull."""
        allowed_s = line.rules.wait_s_max if deadline_s is None else deadline_s
        loop = asyncio.get_running_loop()
        with self._lock:
            wait_s = self._wait_s(line, line.waiting.ahead_s(caller))
            # By what is ahead only: its own length would keep the long ones out whenever the line is full.
            if self._closed or wait_s > allowed_s * TRUSTED or not line.waiting.has_room(caller, began=began):
                raise line.refuse(wait_s - allowed_s * TRUSTED)
            request: Request[In, Out] = Request(
                item, tokens, perf_counter() + allowed_s, deadline_s is not None, loop.create_future(),
                next(self._numbers), allowed_s, wait_s, caller,
            )  # fmt: skip
            line.waiting.push(request)
            self._wake(line)
        return request

    def leave(self, line: Line[In, Out], request: Request[In, Out]) -> None:
        """Nobody awaits it any more."""
        with self._lock:
            line.waiting.remove(request)
        request.future.cancel()

    def predicted_wait_s(self, line: Line[Any, Any]) -> float:
        """See `Line.predicted_wait_s`."""
        with self._lock:
            return self._wait_s(line, line.waiting.work_s())

    async def close(self) -> None:
        """Take nothing more; fail what waits; wait for the running batches."""
        with self._lock:
            self._closed = True
            left = [(line, request) for line in self._lines for request in line.waiting.drain()]
            for free in self._free.values():
                free.notify_all()
        for line, request in left:
            if not request.future.done():
                request.future.set_exception(line.refuse())
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _wake(self, line: Line[Any, Any]) -> None:
        for own in LANES_OF[line.work]:
            self._free[own].notify()

    def _wait_s(self, line: Line[Any, Any], of_line_s: float) -> float:
        """Until a lane is free, and then what is ahead: `of_line_s` in its own line, and what is as urgent or more."""
        return line.stretch.of(self._ahead_s(line, of_line_s))

    def _ahead_s(self, line: Line[Any, Any], of_line_s: float) -> float:
        others = (other for other in self._lines if other is not line and other.work <= line.work)
        ahead_s = of_line_s + sum(other.waiting.work_s() for other in others)
        mine = list(line.running.values())
        if len(mine) < line.rules.lanes:
            if any(self._idle[own] for own in LANES_OF[line.work]):
                return ahead_s
            mine = [one for other in self._lines if _share(other, line) for one in other.running.values()]
        now = perf_counter()
        left_s = [max(0.0, batch.predicted_s - (now - began)) for batch, began in mine]
        return ahead_s + min(left_s, default=0.0)

    # In a lane's thread.

    def _serve(self, own: Work | None) -> None:
        if own is None:
            os.nice(LANE_NICENESS)  # Linux: of the calling thread, and of those that it starts
        ident = threading.get_ident()
        while True:
            with self._lock:
                while (found := self._next(own)) is None:
                    if self._closed:
                        return
                    self._idle[own] += 1
                    self._free[own].wait()
                    self._idle[own] -= 1
                line, batch = found
                began = perf_counter()
                line.running[ident] = batch, began
            self._run(line, batch, began)

    def _run(self, line: Line[Any, Any], batch: Batch[Any, Any], began: float) -> None:
        began_cpu = thread_time()
        results: Sequence[Any] = ()
        error: Exception | None = None
        try:
            results = line.run([request.item for request in batch.requests])
        except Exception as caught:
            error = caught
        seconds = perf_counter() - began
        with self._lock:
            del line.running[threading.get_ident()]
            if error is None:
                line.waiting.observe(batch, seconds)
            if line.work is Work.SCAN and self._wanted():
                # Its time on a core: while there are more threads than cores, a pass takes longer than it costs.
                self._scans.spend(thread_time() - began_cpu)
            self._free[Work.SCAN].notify()  # scans that had used up their share may have some again
        _tell(batch.requests[0], line.finish, batch, results, error, seconds)

    def _wanted(self) -> bool:
        """Whether others than scans want the lanes: what nobody else wanted is not held against scans."""
        return any(line.running or len(line.waiting) for line in self._lines if line.work is not Work.SCAN)

    def _next(self, own: Work | None) -> tuple[Line[Any, Any], Batch[Any, Any]] | None:
        """The batch to run next; what is too late for any is refused on the way."""
        for line in self._order(own):
            if len(line.running) >= line.rules.lanes or not len(line.waiting):
                continue
            now = perf_counter()
            batch, late = line.waiting.take(now)
            for request in late:
                _tell(request, _fail, request.future, line.refuse())
            if batch is not None:
                first = batch.requests[0]
                line.stretch.observe(first.predicted_s, now - (first.deadline_s - first.allowed_s))
                return line, batch
        return None

    def _order(self, own: Work | None) -> list[Line[Any, Any]]:
        """What a lane serves, the first first."""
        lines = [line for line in self._lines if own in LANES_OF[line.work]]
        if own is Work.TURN or self._scans.left(perf_counter()):
            return lines
        if own is Work.SCAN:
            return []
        return sorted(lines, key=lambda line: (line.work is Work.SCAN, line.work))


def _share(one: Line[Any, Any], other: Line[Any, Any]) -> bool:
    """Whether a lane serves both."""
    return not set(LANES_OF[one.work]).isdisjoint(LANES_OF[other.work])


def _tell(request: Request[Any, Any], tell: Callable[..., None], *arguments: object) -> None:
    loop = request.future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(tell, *arguments)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
