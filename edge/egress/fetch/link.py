"""The courier's way to what a node updates itself from: a channel of its own, opened when something is asked for.

A large model must hold up no row and no answer, and may take as much of the line as the site grants it. What is asked
for are names and digests, so the channel's leaf in the ledger counts the requests like a link's own frames.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from aiolimiter import AsyncLimiter

from edge.egress.courier.cloud_channel import Incoming, in_short, opened_channel
from edge.egress.courier.ends import CUT, code_of
from edge.egress.courier.episode import Episode
from edge.egress.courier.proxy import UNREACHABLE
from edge.egress.envelope import Envelope
from edge.egress.fetch.order import METADATA
from edge.egress.identity.identity import Identity
from edge.egress.ledger import LedgerFailed
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation import own_traffic

log = logging.getLogger(__name__)

PIECE_BYTES_MAX: Final = 256 * 1024
"""Of one message with a part of a blob: part of the protocol."""

FETCHED_BYTES_MAX: Final = 64 * (4 * 1024 * 1024 + 4096)
"""Of one order: as many blobs as it may name, each as large as a chunk may be. More is not what was asked for."""

IDLE_S: Final = 30.0
"""The channel closes when nobody asked for so long: between two pieces of one update it stays, between updates not."""

STOP_S: Final = 2.0
"""For what is under way to end once its calls are cancelled."""

_METHODS: Final = "/postern.v1.ArtifactService/"

Deliver = Callable[[bytes], Awaitable[None]]


@dataclass(eq=False)
class FetchOrder:
    """Something that is being fetched. `give_up_at`: on the loop's clock."""

    envelope: Envelope
    give_up_at: float
    bytes_per_second: int
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    code: str = CUT
    """What whoever asked for it is told once it was dropped."""
    call: Any = field(default=None, repr=False)

    def drop(self, code: str = CUT) -> None:
        """Nobody wants it any more, or nobody may have it."""
        self.code = self.code if self.dropped.is_set() else code
        self.dropped.set()
        if self.call is not None:
            self.call.cancel()

    @property
    def left_s(self) -> float:
        return self.give_up_at - asyncio.get_running_loop().time()


class Pace:
    """How fast bytes may be taken from the line: a bucket for all orders of one rate."""

    def __init__(self) -> None:
        self._rate = 0
        self._bucket: AsyncLimiter | None = None

    async def spend(self, size: int, order: FetchOrder) -> None:
        """Wait until `size` bytes, at most a piece, are within the order's rate, or nobody wants them any more."""
        bucket = self._bucket_of(order.bytes_per_second)
        if bucket is None:
            return
        turn = asyncio.ensure_future(bucket.acquire(min(size, bucket.max_rate)))
        dropped = asyncio.ensure_future(order.dropped.wait())
        await asyncio.wait((turn, dropped), timeout=max(order.left_s, 0), return_when=asyncio.FIRST_COMPLETED)
        for waiting in (turn, dropped):
            waiting.cancel()

    def _bucket_of(self, rate: int) -> AsyncLimiter | None:
        if rate != self._rate:
            # It must hold a whole piece, however slow the line is.
            size = max(rate, PIECE_BYTES_MAX)
            self._rate, self._bucket = rate, AsyncLimiter(size, size / rate) if rate else None
        return self._bucket


class FetchLink:
    """At most one channel, and the orders that are served over it; how many is bounded by whoever calls."""

    def __init__(self, identity: Identity, ledger: LedgerQueue, sent_bytes: Counter[str]) -> None:
        self._identity = identity
        self._sent_bytes = sent_bytes
        self._episode = Episode(ledger)
        self._pace = Pace()
        self._channel: grpc.aio.Channel | None = None
        self._turn = asyncio.Lock()
        self._orders: set[FetchOrder] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closing: asyncio.Task[None] | None = None
        self._frames = self._bytes = 0

    async def fetch(self, order: FetchOrder, deliver: Deliver) -> str:
        """Ask for it and deliver what comes; "" when all came, else a code of FetchEnded."""
        self._orders.add(order)
        self._quiet.clear()
        await self._stay_open()
        try:
            code = await self._fetch(order, deliver)
        except LedgerFailed as error:
            log.error("the ledger cannot be written; nothing is asked for", extra={"detail": error.detail})
            code = error.code
        finally:
            self._orders.discard(order)
            if not self._orders:
                self._quiet.set()
                self._closing = asyncio.create_task(self._close_when_idle(), name="fetch-idle")
        return order.code if order.dropped.is_set() else code

    async def stop(self, code: str) -> None:
        """Drop what is under way, close the channel, record its end. `code`: what is said of what is under way."""
        for order in tuple(self._orders):
            order.drop(code)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._quiet.wait()
        await self._stay_open()
        await self._close("closed")

    async def _stay_open(self) -> None:
        closing, self._closing = self._closing, None
        if closing is not None:
            closing.cancel()
            await asyncio.wait((closing,))

    async def _close_when_idle(self) -> None:
        await asyncio.sleep(IDLE_S)
        await asyncio.shield(self._close("closed"))

    async def _close(self, outcome: str) -> None:
        async with self._turn:
            channel, self._channel = self._channel, None
            if channel is not None:
                await channel.close(None)
            try:
                key = self._identity.destination_key if channel is not None else ""
                await self._episode.close(outcome, self._frames, self._bytes, key)
            except LedgerFailed:
                log.error("the ledger cannot be written; the end of a connection is not in it yet")
            self._frames = self._bytes = 0

    async def _fetch(self, order: FetchOrder, deliver: Deliver) -> str:
        channel, why = await self._opened()
        if channel is None:
            return why
        if order.dropped.is_set() or order.left_s <= 0:
            return "late"
        payload = order.envelope.payload
        self._sent_bytes[order.envelope.kind] += len(payload)
        own_traffic.framed(len(payload))
        self._frames += 1
        self._bytes += len(payload)
        code = await self._call(channel, order, deliver)
        if code == UNREACHABLE and self._channel is channel and len(self._orders) == 1:
            await self._close("ended")  # the next order connects anew
        return code

    async def _opened(self) -> tuple[grpc.aio.Channel | None, str]:
        """The channel, or why there is none. Durable in the ledger before the first byte."""
        async with self._turn:
            if self._channel is not None:
                return self._channel, ""
            endpoint = self._identity.enrolment.sync_endpoint
            await self._episode.attempt(endpoint)
            self._channel, why = await opened_channel(self._identity, endpoint)
            return self._channel, in_short(why)

    async def _call(self, channel: grpc.aio.Channel, order: FetchOrder, deliver: Deliver) -> str:
        # Without serialisers: bytes in, bytes out.
        if order.envelope.kind == METADATA:
            unary: Any = channel.unary_unary
            order.call = unary(f"{_METHODS}GetMetadata")(order.envelope.payload, timeout=order.left_s)
            return await self._one(order, deliver)
        streamed: Any = channel.unary_stream
        order.call = streamed(f"{_METHODS}FetchBlobs")(order.envelope.payload, timeout=order.left_s)
        return await self._many(order, deliver)

    async def _one(self, order: FetchOrder, deliver: Deliver) -> str:
        try:
            payload = await order.call
            own_traffic.received(len(payload))
        except grpc.RpcError as error:
            return _end_of(error.code())
        except asyncio.CancelledError:  # how the call reports `call.cancel()`
            return CUT
        await deliver(payload)
        return ""

    async def _many(self, order: FetchOrder, deliver: Deliver) -> str:
        incoming, received = Incoming(order.call), 0
        async for payload in incoming:
            received += len(payload)
            if received > FETCHED_BYTES_MAX or len(payload) > PIECE_BYTES_MAX + 64:
                order.call.cancel()
                return "size"
            await deliver(payload)
            await self._pace.spend(len(payload), order)
        if received and incoming.status is grpc.StatusCode.UNAVAILABLE:
            return CUT
        return _end_of(incoming.status)


def _end_of(status: grpc.StatusCode) -> str:
    """What FetchEnded says."""
    match status:
        case grpc.StatusCode.OK:
            return ""
        case grpc.StatusCode.NOT_FOUND:
            return "not_found"
        case _:
            return code_of(status)
