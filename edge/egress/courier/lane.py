"""One stream of a link: what waits for it, recorded before it is written, and what comes back over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from edge.egress.courier.cloud_channel import Incoming
from edge.egress.courier.handshake import REFUSED
from edge.egress.courier.leaves import close_of, intent_of
from edge.egress.envelope import Envelope, Purpose
from edge.egress.ledger import Draft, LedgerFailed
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation import own_traffic

log = logging.getLogger(__name__)

# Envelopes that wait for the ledger or the wire: as many batches as the node keeps in flight
# (edge/sync/upload_session.py), so that the socket that both lanes share is always read on.
ENVELOPES_WAITING_MAX = 16
# After we said that nothing more comes, the control plane has this long to end the stream.
GOODBYE_TIMEOUT_S = 2.0

Deliver = Callable[[bytes], Awaitable[None]]
Count = Callable[[Envelope], None]


@dataclass(frozen=True)
class Destination:
    """Where a stream goes. `key`: see `edge.egress.identity.identity.Identity.destination_key`."""

    address: str
    key: str


class Lane:
    """`run` once; `offer` envelopes; `close` asks it to end. `count` is told of each envelope that was written."""

    def __init__(self, method: str, ledger: LedgerQueue, destination: Destination, count: Count) -> None:
        self._method = method
        self._ledger = ledger
        self._destination = destination
        self._count = count
        self._waiting: asyncio.Queue[Envelope | None] = asyncio.Queue(ENVELOPES_WAITING_MAX)
        self._wanted = asyncio.Event()
        self._closing = asyncio.Event()

    async def offer(self, envelope: Envelope) -> None:
        """Queue an envelope; waits while the queue is full. Dropped without a leaf once the lane has ended."""
        if not self._closing.is_set():
            self._wanted.set()
            await self._waiting.put(envelope)

    def close(self) -> None:
        """Ask it to end."""
        self._closing.set()
        self._wanted.set()

    async def run(self, channel: grpc.aio.Channel, deliver: Deliver) -> str:
        """Open the stream with the first envelope, carry frames until an end; returns why, as a short code."""
        try:
            await self._wanted.wait()
            return "" if self._closing.is_set() else await self._carry(channel, deliver)
        finally:
            self._closing.set()
            self._drop_waiting()

    async def _carry(self, channel: grpc.aio.Channel, deliver: Deliver) -> str:
        connect: Any = channel.stream_stream
        call = connect(self._method)()  # without serialisers: bytes in, bytes out
        reading = asyncio.create_task(_read(call, deliver), name="link-read")
        sending = asyncio.create_task(self._send(call), name="link-send")
        closing = asyncio.create_task(self._closing.wait(), name="link-closing")
        await asyncio.wait((reading, sending, closing), return_when=asyncio.FIRST_COMPLETED)
        self._closing.set()
        self._wake_sender()
        await asyncio.wait((sending,), timeout=GOODBYE_TIMEOUT_S)
        await asyncio.wait((reading,), timeout=GOODBYE_TIMEOUT_S)
        call.cancel()  # ends the stream if it has not ended; the pending read then returns by itself
        reasons = await asyncio.gather(reading, sending)
        await closing
        return next(filter(None, reasons), "ended")

    def _wake_sender(self) -> None:
        try:
            self._waiting.put_nowait(None)
        except asyncio.QueueFull:
            pass  # it has enough to wake up for

    def _drop_waiting(self) -> None:
        """Let go of what nobody sends any more; the node reads its rows again for the next link."""
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def _send(self, call: Any) -> str:
        try:
            while group := await self._next_group():
                if not await self._send_group(call, group):
                    return ""
            await call.done_writing()
        except LedgerFailed as error:
            log.error("the ledger cannot be written; nothing more is sent", extra={"detail": error.detail})
            return error.code
        except (grpc.RpcError, asyncio.InvalidStateError, asyncio.CancelledError):
            pass  # the stream has ended; the reader knows why. Nobody cancels this task: it is the call's own word
        return ""

    async def _next_group(self) -> list[Envelope]:
        """What waits now, at least one; empty when the lane is to end."""
        group: list[Envelope] = []
        item = await self._waiting.get()
        while item is not None and not self._closing.is_set():
            group.append(item)
            if self._waiting.empty():
                break
            item = self._waiting.get_nowait()
        return group

    async def _send_group(self, call: Any, group: list[Envelope]) -> bool:
        """Intents durable, then the bytes, then the closes. False when the stream broke on the way."""
        recorded = [envelope for envelope in group if envelope.purpose is not Purpose.FRAMING]
        if recorded:
            await self._ledger.append(
                [intent_of(envelope, self._destination.address) for envelope in recorded]
            )
        closes: list[Draft] = []
        broken = False
        for envelope in group:
            if envelope not in recorded and not broken:
                own_traffic.framed(len(envelope.payload))
            outcome = "not_sent" if broken else await _write(call, envelope.payload)
            broken = outcome != "written"
            if outcome != "not_sent":
                self._count(envelope)
            if envelope in recorded:
                closes.append(close_of(envelope, outcome, self._destination.key))
        if closes:
            await self._ledger.append(closes)
        return not broken


async def _write(call: Any, payload: bytes) -> str:
    """Hand bytes to the transport. "failed" may have put some of them on the wire."""
    try:
        await call.write(payload)
    except (grpc.RpcError, asyncio.InvalidStateError, asyncio.CancelledError):
        return "failed"
    return "written"


async def _read(call: Any, deliver: Deliver) -> str:
    """Deliver what comes until the stream ends; returns why. Never cancelled."""
    incoming = Incoming(call)
    async for payload in incoming:
        await deliver(payload)
    if incoming.status in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return REFUSED
    return "ended"
