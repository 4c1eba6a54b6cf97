"""Who may have an answer written now: places, and a short line before them in which nodes take turns.

A node has at most `per_node_max` places, and of the line what `models.fairness` leaves it: however much one asks,
another one's next answer waits for one place, not for all that the first had asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from core.errors import PosternError
from models.fairness import Shares

_SECONDS_GUESS: Final = 5.0
"""Of one answer, until one was timed."""

_WEIGHT_OF_NEWEST: Final = 0.1
"""In the running mean of an answer's seconds: remembers about the last ten."""

RETRY_AFTER_S: Final = (1.0, 30.0)
"""The least and the most that is said: less is a knock at a closed door, more outlives most rushes."""


class LineFull(PosternError):
    """More answers are asked for than can be begun in time."""

    code = "overflow_busy"
    title = "The control plane writes as many answers as it can"
    remedy = (
        "Try again after the time given, or answer without it. More providers, or more places, in cloud.toml."
    )
    status = 503

    def __init__(self, retry_after_s: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, eq=False)
class _Caller:
    """One that waits; `start`: its turn, in virtual time."""

    node: str
    start: float
    admitted: asyncio.Future[None]


class Line:
    """Used from one event loop."""

    def __init__(self, *, places: int, per_node_max: int, waiting_max: int) -> None:
        self._places = places
        self._per_node_max = per_node_max
        self._waiting_max = waiting_max
        self._running = Counter[str]()
        self._waiting: list[_Caller] = []  # in the order in which they came
        self._shares = Shares()
        self._seconds = _SECONDS_GUESS

    @property
    def running(self) -> int:
        """Answers that are being written."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Callers in line."""
        return len(self._waiting)

    @asynccontextmanager
    async def place(self, node: str, within_s: float) -> AsyncIterator[None]:
        """A place for the block. Raises LineFull, at once where the line is full, or when none came in time."""
        await self._admitted(node, within_s)
        began = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            took_s = asyncio.get_running_loop().time() - began
            self._seconds += _WEIGHT_OF_NEWEST * (took_s - self._seconds)
            self._free(node)

    def _allows(self, node: str) -> bool:
        return self.running < self._places and self._running[node] < self._per_node_max

    async def _admitted(self, node: str, within_s: float) -> None:
        # A place is only free while nobody who may have it waits.
        if self._allows(node):
            self._running[node] += 1
            return
        if not self._shares.has_room(node, self.waiting, self._waiting_max):
            raise LineFull(self._retry_after_s())
        start = self._shares.enter(node, 1.0)
        caller = _Caller(node, start, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        try:
            async with asyncio.timeout(within_s):
                await caller.admitted
        except TimeoutError:
            if caller in self._waiting:
                raise LineFull(self._retry_after_s()) from None
            # A place came in the same moment.
        except asyncio.CancelledError:
            if caller not in self._waiting:
                self._free(node)
            raise
        finally:
            self._leave(caller)

    def _free(self, node: str) -> None:
        """Give a place back, and it to whoever's turn it is."""
        self._running[node] -= 1
        if not self._running[node]:
            del self._running[node]
        able = [
            caller for caller in self._waiting if self._allows(caller.node) and not caller.admitted.done()
        ]
        if not able:
            return
        first = min(able, key=lambda caller: caller.start)
        self._running[first.node] += 1
        self._shares.serve(first.start)
        self._leave(first)
        first.admitted.set_result(None)

    def _leave(self, caller: _Caller) -> None:
        if caller in self._waiting:
            self._waiting.remove(caller)
            self._shares.leave(caller.node)

    def _retry_after_s(self) -> float:
        """When a place may be free: half of what runs is through."""
        least, most = RETRY_AFTER_S
        return min(most, max(least, self._seconds * (0.5 + self.waiting / self._places)))
