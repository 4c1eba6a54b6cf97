"""One link to the control plane: mutual TLS, one bidirectional stream, every envelope recorded before it is written.

grpc.aio leaks native memory with each cancelled or failed batch (grpc/grpc #43360, #38499). So: a link that nobody
answers fails in a plain TCP connect, before gRPC is asked; the pending read is never cancelled, the stream is ended and
the read returns; certificates cannot be reloaded, so each link has a channel of its own (edge/egress/cloud_channel.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc.aio import EOF  # type: ignore[attr-defined]  # missing in grpc-stubs

from edge.egress.cloud_channel import is_ready, open_channel, reachable
from edge.egress.envelope import Envelope, Purpose
from edge.egress.handshake import REFUSED, why_refused
from edge.egress.identity import Identity
from edge.egress.leaves import close_of, intent_of
from edge.egress.ledger import Draft, LedgerFailed
from edge.egress.ledger_queue import LedgerQueue

log = logging.getLogger(__name__)

METHOD = "/postern.v1.SyncService/Connect"
# After we said that nothing more comes, the control plane has this long to end the stream.
GOODBYE_TIMEOUT_S = 2.0
# Envelopes that wait for the ledger or the wire; the node keeps two batches in flight, the rest is framing.
ENVELOPES_WAITING_MAX = 16
Deliver = Callable[[bytes], Awaitable[None]]
Announce = Callable[[], Awaitable[None]]


class CloudLink:
    """A link's life: `run` once; `offer` envelopes while it is up; `close` asks it to end."""

    def __init__(self, identity: Identity, ledger: LedgerQueue, sent_bytes: Counter[str]) -> None:
        self._identity = identity
        self._ledger = ledger
        self._sent_bytes = sent_bytes
        self._waiting: asyncio.Queue[Envelope | None] = asyncio.Queue(ENVELOPES_WAITING_MAX)
        self._closing = asyncio.Event()
        self._reason = ""
        self.connected = False
        self.framing_frames = 0
        self.framing_bytes = 0

    async def offer(self, envelope: Envelope) -> None:
        """Queue a verified envelope; waits while the queue is full. Dropped without a leaf once the link has ended."""
        if not self._closing.is_set():
            await self._waiting.put(envelope)

    def close(self, reason: str) -> None:
        """Ask the link to end."""
        self._reason = self._reason or reason
        self._closing.set()

    async def run(self, announce: Announce, deliver: Deliver) -> str:
        """Connect, announce, carry frames until an end; returns why it ended, as a short code."""
        if not await reachable(self._identity.enrolment.sync_endpoint):
            return self._reason or "unreachable"
        channel = open_channel(self._identity, self._identity.enrolment.sync_endpoint)
        try:
            if not await is_ready(channel):
                return self._reason or await self._why_refused()
            self.connected = True
            await announce()
            return await self._carry(channel, deliver)
        finally:
            self._closing.set()
            self._drop_waiting()
            await channel.close(None)

    async def _why_refused(self) -> str:
        enrolment = self._identity.enrolment
        return await why_refused(enrolment.sync_endpoint, self._identity.roots_pem, enrolment.target_name)

    async def _carry(self, channel: grpc.aio.Channel, deliver: Deliver) -> str:
        connect: Any = channel.stream_stream
        call = connect(METHOD)()  # without serialisers: bytes in, bytes out
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
        return self._reason or next(filter(None, reasons), "ended")

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
        except LedgerFailed:
            log.error("the ledger cannot be written; nothing is sent")
            return "ledger_failed"
        except (grpc.RpcError, asyncio.InvalidStateError, asyncio.CancelledError):
            pass  # the stream has ended; the reader knows why. Nobody cancels this task: it is the call's own word
        return ""

    async def _next_group(self) -> list[Envelope]:
        """What waits now, at least one; empty when the link is to end."""
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
        destination = self._identity.enrolment.sync_endpoint
        recorded = [envelope for envelope in group if envelope.purpose is not Purpose.FRAMING]
        if recorded:
            await self._ledger.append([intent_of(envelope, destination) for envelope in recorded])
        closes: list[Draft] = []
        broken = False
        for envelope in group:
            outcome = "not_sent" if broken else await _write(call, envelope.payload)
            broken = outcome != "written"
            self._count(envelope, outcome)
            if envelope in recorded:
                closes.append(close_of(envelope, outcome))
        if closes:
            await self._ledger.append(closes)
        return not broken

    def _count(self, envelope: Envelope, outcome: str) -> None:
        if outcome == "not_sent":
            return
        self._sent_bytes[envelope.kind] += len(envelope.payload)
        if envelope.purpose is Purpose.FRAMING:
            self.framing_frames += 1
            self.framing_bytes += len(envelope.payload)


async def _write(call: Any, payload: bytes) -> str:
    """Hand bytes to the transport. "failed" may have put some of them on the wire."""
    try:
        await call.write(payload)
    except (grpc.RpcError, asyncio.InvalidStateError, asyncio.CancelledError):
        return "failed"
    return "written"


async def _read(call: Any, deliver: Deliver) -> str:
    """Deliver what comes until the stream ends; returns why. Never cancelled while a read is pending."""
    try:
        while (payload := await call.read()) is not EOF:
            await deliver(payload)
        code = await call.code()
    except grpc.RpcError as error:
        code = error.code()
    except asyncio.CancelledError:  # how the call reports `call.cancel()` to its reader
        code = grpc.StatusCode.CANCELLED
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return REFUSED
    return "ended"
