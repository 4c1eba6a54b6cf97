"""Who may have an answer written now: places, and a short line before them that takes one node after the other.

A node has at most `per_node_max` places and half of the line, and places that become free go round the nodes that
wait: however much one asks, another one's next answer waits for one place, not for all that the first had asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from core.errors import PosternError

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


class Line:
    """Used from one event loop."""

    def __init__(self, *, places: int, per_node_max: int, waiting_max: int) -> None:
        self._places = places
        self._per_node_max = per_node_max
        self._waiting_max = waiting_max
        self._running = Counter[str]()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._seconds = _SECONDS_GUESS

    @property
    def running(self) -> int:
        """Answers that are being written."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Callers in line."""
        return sum(map(len, self._waiting.values()))

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
        if self._allows(node) and not self._waiting.get(node):
            self._running[node] += 1
            return
        own = len(self._waiting.get(node, ()))
        if self.waiting >= self._waiting_max or own >= max(1, self._waiting_max // 2):
            raise LineFull(self._retry_after_s())
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(node, deque()).append(admitted)
        try:
            async with asyncio.timeout(within_s):
                await admitted
        except TimeoutError:
            if not admitted.done() or admitted.cancelled():
                raise LineFull(self._retry_after_s()) from None
            # A place came in the same moment.
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self._free(node)
            raise
        finally:
            self._forget(node, admitted)

    def _free(self, node: str) -> None:
        """Give a place back, and places to those who wait, a node after the other."""
        self._running[node] -= 1
        if not self._running[node]:
            del self._running[node]
        if node in self._waiting:  # it just had one
            self._waiting.move_to_end(node)
        for waiting in tuple(self._waiting):
            if self.running >= self._places:
                return
            if self._allows(waiting) and (admitted := self._first(waiting)):
                self._running[waiting] += 1
                admitted.set_result(None)
                self._waiting.move_to_end(waiting)

    def _first(self, node: str) -> asyncio.Future[None] | None:
        """The first of a node's that still waits, taken out of the line."""
        line = self._waiting[node]
        while line:
            if not (admitted := line.popleft()).done():
                return admitted
        return None

    def _forget(self, node: str, admitted: asyncio.Future[None]) -> None:
        line = self._waiting.get(node)
        if line is not None:
            if admitted in line:
                line.remove(admitted)
            if not line:
                del self._waiting[node]

    def _retry_after_s(self) -> float:
        """When a place may be free: half of what runs is through."""
        least, most = RETRY_AFTER_S
        return min(most, max(least, self._seconds * (0.5 + self.waiting / self._places)))
