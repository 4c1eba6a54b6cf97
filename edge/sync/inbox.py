"""What waits for a stream. Bounded for the courier: past that its socket is not read. Our own items are few."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from edge.egress.courier.client import CloudBytes, EnvelopeRefused, LinkDown, LinkUp
from edge.sync.events import Event

# A batch's acknowledgement, a heartbeat's answer and desired state at a time; more only when the node is swamped.
COURIER_ITEMS_MAX = 64


@dataclass(frozen=True)
class Beat:
    """The heartbeat's time has come."""


@dataclass(frozen=True)
class Broken:
    """The stream cannot go on."""

    reason: str


CourierItem = LinkUp | LinkDown | CloudBytes | EnvelopeRefused
Item = CourierItem | Broken | Beat | Event


class Inbox:
    """Many put, one gets."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._slots = asyncio.Semaphore(COURIER_ITEMS_MAX)

    async def put_from_courier(self, item: CourierItem) -> None:
        """Add an item, waiting for room."""
        await self._slots.acquire()
        self._queue.put_nowait(item)

    def put(self, item: Broken | Beat | Event) -> None:
        """Add an item of our own; its maker sees to it that only one of its kind waits."""
        self._queue.put_nowait(item)

    async def get(self) -> Item:
        """The next item."""
        item = await self._queue.get()
        if isinstance(item, CourierItem):
            self._slots.release()
        return item
