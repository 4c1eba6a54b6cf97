"""Requests of one class that wait for a lane: callers in turn (`fairness`), then the earliest deadline, like lengths
together. Pure."""

from __future__ import annotations

import math
from asyncio import Future
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Generic, TypeVar

from edge.inference.cost import Cost
from models.fairness import Shares
from models.runtimes import buckets

In = TypeVar("In")
Out = TypeVar("Out")

LENGTH_MAX: Final = 512
"""Tokens: longer texts share a bucket, and each is a batch of its own."""

LENGTHS: Final = tuple(length for length in buckets.LENGTHS if length <= LENGTH_MAX)
"""Bounds of the length buckets, tokens, those of the devices' shapes. Narrow ones: rows of a batch that differ by more
than a pass costs would become passes of their own (`models.passes`)."""

CHARS_A_TOKEN: Final = 4
"""Of English text, about (measured 4.2). Only sorts and predicts: the encoder counts for itself."""


def about_tokens(text: str) -> int:
    """How long a text is, without looking into it; the two that the model adds included."""
    return 2 + math.ceil(len(text) / CHARS_A_TOKEN)


class Work(IntEnum):
    """Classes of work, most urgent first."""

    SCAN = 0
    """A stand-alone scan: somebody's own pipeline waits. A turn's scan is part of its turn."""
    TURN = 1
    API = 2
    BACKGROUND = 3
    """Documents, training: whenever nobody else waits."""


@dataclass(frozen=True)
class Rules:
    """How one class is batched and bounded."""

    rows_max: int
    waiting_max: int
    wait_s_max: float
    """A request that would have to wait longer, and has no deadline of its own, is refused at once."""
    tokens_max: int | None = None
    """Rows × length of a batch, padding included; None: what runs the batch cuts its own passes."""
    lanes: int = 1
    """Batches at once."""


@dataclass(eq=False)
class Request(Generic[In, Out]):
    """One item and who awaits its result. `deadline_s`: by the scheduler's clock; `strict`: worthless after it."""

    item: In
    tokens: int
    deadline_s: float
    strict: bool
    future: Future[Out] = field(repr=False)
    number: int = 0
    allowed_s: float = 0.0
    """From when it came to its deadline."""
    predicted_s: float = 0.0
    """The wait that it was taken on with."""
    caller: str | None = None
    """Whose it is, for `fairness`."""
    start: float = 0.0
    """In virtual time, tokens."""

    def __lt__(self, other: Request[In, Out]) -> bool:
        return (self.start, self.deadline_s, self.number) < (other.start, other.deadline_s, other.number)


@dataclass
class _Bucket(Generic[In, Out]):
    width: int
    cost: Cost
    requests: list[Request[In, Out]]
    """Sorted: one of thousands leaves in microseconds, which a heap's would not when a program goes away."""
    tokens: int = 0
    """Padded to `width`, where there is one."""


@dataclass(frozen=True)
class Batch(Generic[In, Out]):
    """What a lane runs next. `tokens`: padding included."""

    requests: list[Request[In, Out]]
    bucket: int
    tokens: int
    predicted_s: float


class Waiting(Generic[In, Out]):
    """The requests of one class, by length bucket."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        widths = (0,) if rules.tokens_max is None else LENGTHS
        self._buckets: list[_Bucket[In, Out]] = [_Bucket(width, Cost(), []) for width in widths]
        self._all = Cost()
        self._rows = 0
        self._shares = Shares()

    def __len__(self) -> int:
        return self._rows

    def has_room(self, caller: str | None, *, began: bool) -> bool:
        """Whether this caller may have one more in line; `began`: of items that come together, behind the first."""
        if began:  # what comes together is taken on together, if there are places at all
            return self._rows < self.rules.waiting_max
        return self._shares.has_room(caller, self._rows, self.rules.waiting_max)

    def push(self, request: Request[In, Out]) -> None:
        """Take one in."""
        bucket = self._buckets[self._index(request.tokens)]
        request.start = self._shares.enter(request.caller, bucket.width or request.tokens)
        insort(bucket.requests, request)
        bucket.tokens += bucket.width or request.tokens
        self._rows += 1

    def remove(self, request: Request[In, Out]) -> None:
        """Nobody awaits it any more. Nothing happens where it does not wait."""
        bucket = self._buckets[self._index(request.tokens)]
        index = bisect_left(bucket.requests, request)
        if index < len(bucket.requests) and bucket.requests[index] is request:
            del bucket.requests[index]
            self._forget(bucket, request)

    def take(self, now_s: float) -> tuple[Batch[In, Out] | None, list[Request[In, Out]]]:
        """The next batch, and what is too late for one: the bucket of the first in line, up to the budget."""
        late = list(self._late(now_s))
        ready = [bucket for bucket in self._buckets if bucket.requests]
        if not ready:
            return None, late
        bucket = min(ready, key=lambda one: one.requests[0])
        self._shares.serve(bucket.requests[0].start)
        too_late_s = now_s + self._pass_s(bucket)
        taken: list[Request[In, Out]] = []
        while bucket.requests and self._fits(len(taken) + 1, bucket.width):
            request = self._pop(bucket)
            # Behind the first, callers' turns go before deadlines: one of these may have passed.
            (late if taken and request.strict and request.deadline_s <= too_late_s else taken).append(request)
        tokens = bucket.width * len(taken) or sum(request.tokens for request in taken)
        index = self._buckets.index(bucket)
        return Batch(taken, index, tokens, self._predict(bucket, tokens, 1)), late

    def drain(self) -> list[Request[In, Out]]:
        """Everything, at a close."""
        return [self._pop(bucket) for bucket in self._buckets for _ in range(len(bucket.requests))]

    def observe(self, batch: Batch[In, Out], seconds: float) -> None:
        """A batch took so long."""
        self._buckets[batch.bucket].cost.observe(batch.tokens, seconds)
        self._all.observe(batch.tokens, seconds)

    def work_s(self) -> float:
        """Seconds that what waits will take, on this class's lanes."""
        return self._work_s(math.inf)

    def ahead_s(self, caller: str | None) -> float:
        """… and of that what goes before one more of this caller."""
        return self._work_s(self._shares.start(caller))

    def _work_s(self, start: float) -> float:
        """Of what starts no later than `start`."""
        seconds = 0.0
        for bucket in self._buckets:
            if rows := bisect_right(bucket.requests, start, key=_start):
                tokens = bucket.tokens * rows / len(bucket.requests)
                seconds += self._predict(bucket, tokens, self._passes(bucket, rows))
        return seconds / self.rules.lanes

    def _fits(self, rows: int, width: int) -> bool:
        if rows > self.rules.rows_max:
            return False
        return rows == 1 or self.rules.tokens_max is None or rows * width <= self.rules.tokens_max

    def _passes(self, bucket: _Bucket[In, Out], rows: int) -> int:
        """That so many rows take."""
        at_once = self.rules.rows_max
        if self.rules.tokens_max is not None:
            at_once = min(at_once, max(1, self.rules.tokens_max // bucket.width))
        return math.ceil(rows / at_once)

    def _predict(self, bucket: _Bucket[In, Out], tokens: float, passes: int) -> float:
        cost = bucket.cost if bucket.cost.known else self._all
        return cost.predict(tokens, passes)

    def _index(self, tokens: int) -> int:
        return min(bisect_left(LENGTHS, tokens), len(self._buckets) - 1)

    def _late(self, now_s: float) -> Iterator[Request[In, Out]]:
        """What is worthless by now, or would be when its pass is done, which would take the time of others.

        The last that waits is tried all the same: else a fit gone wrong would never see the pass that mends it.
        """
        for bucket in self._buckets:
            while bucket.requests and bucket.requests[0].strict:
                pass_s = self._pass_s(bucket) if self._rows > 1 else 0.0
                if bucket.requests[0].deadline_s > now_s + pass_s:
                    break
                yield self._pop(bucket)

    def _pass_s(self, bucket: _Bucket[In, Out]) -> float:
        """Seconds of the pass that would be taken now."""
        passes = self._passes(bucket, len(bucket.requests))
        return self._predict(bucket, math.ceil(bucket.tokens / passes), 1)

    def _pop(self, bucket: _Bucket[In, Out]) -> Request[In, Out]:
        request = bucket.requests.pop(0)
        self._forget(bucket, request)
        return request

    def _forget(self, bucket: _Bucket[In, Out], request: Request[In, Out]) -> None:
        bucket.tokens -= bucket.width or request.tokens
        self._rows -= 1
        self._shares.leave(request.caller)


def _start(request: Request[In, Out]) -> float:
    return request.start
