"""One link to the control plane: mutual TLS, and two streams on it, so that neither waits behind the other.

A link that nobody answers fails in a plain TCP connect, before gRPC is asked (what a failed attempt of grpc.aio leaks,
edge/egress/courier/lane.py says); certificates cannot be reloaded, so each link has a channel of its own
(edge/egress/courier/cloud_channel.py).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import grpc.aio

from core.errors import NotReachable
from edge.egress.courier.cloud_channel import opened_channel
from edge.egress.courier.inspection import UPLOADS
from edge.egress.courier.lane import Destination, Lane
from edge.egress.envelope import Envelope, Purpose
from edge.egress.identity.identity import Identity
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation import own_traffic

CONNECT = "/postern.v1.SyncService/Connect"
UPLOAD = "/postern.v1.SyncService/Upload"
# A signature and a commit.
CALL_TIMEOUT_S = 20.0
Deliver = Callable[[bytes, bool], Awaitable[None]]
Announce = Callable[[], Awaitable[None]]


class CloudLink:
    """A link's life: `run` once; `offer` envelopes while it is up; `close` asks it to end."""

    def __init__(self, identity: Identity, ledger: LedgerQueue, sent_bytes: Counter[str]) -> None:
        self._identity = identity
        self._sent_bytes = sent_bytes
        destination = Destination(identity.enrolment.sync_endpoint, identity.destination_key)
        self._control = Lane(CONNECT, ledger, destination, self._count)
        self._upload = Lane(UPLOAD, ledger, destination, self._count)
        self._reason = ""
        self._channel: grpc.aio.Channel | None = None
        self.connected = False
        self.framing_frames = 0
        self.framing_bytes = 0

    async def offer(self, envelope: Envelope) -> None:
        """Queue a verified envelope in its lane; waits while that is full."""
        await (self._upload if envelope.kind in UPLOADS else self._control).offer(envelope)

    @property
    def up(self) -> bool:
        """Whether it can be asked."""
        return self._channel is not None

    async def ask(self, method: str, request: bytes) -> bytes:
        """A call beside the lanes; what is sent counts as a frame of the link. Raises NotReachable."""
        channel = self._channel
        if channel is None:
            raise NotReachable("There is no link.")
        self._sent_bytes[method.rpartition("/")[2]] += len(request)
        own_traffic.framed(len(request))
        self.framing_frames += 1
        self.framing_bytes += len(request)
        try:
            answer: bytes = await channel.unary_unary(method, None, None)(request, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            raise NotReachable(f"The control plane answered {error.code().name}.") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise NotReachable("The link ended.") from None  # which is how grpc.aio says it
        return answer

    def close(self, reason: str) -> None:
        """Ask the link to end."""
        self._reason = self._reason or reason
        self._close_lanes()

    async def run(self, announce: Announce, deliver: Deliver) -> str:
        """Connect, announce, carry frames until an end; returns why it ended, as a short code.

        `deliver` is told whether a frame is of the upload.
        """
        channel, why = await opened_channel(self._identity, self._identity.enrolment.sync_endpoint)
        if channel is None:
            self._close_lanes()
            return self._reason or why
        try:
            self.connected, self._channel = True, channel
            await announce()
            return await self._carry(channel, deliver)
        finally:
            self._close_lanes()
            self._channel = None
            await channel.close(None)

    async def _carry(self, channel: grpc.aio.Channel, deliver: Deliver) -> str:
        """Both lanes; the end of one is the end of the other."""

        async def run(lane: Lane, upload: bool) -> str:
            try:
                return await lane.run(channel, lambda payload: deliver(payload, upload))
            finally:
                self._close_lanes()

        reasons = await asyncio.gather(run(self._control, False), run(self._upload, True))
        return self._reason or next((reason for reason in reasons if reason not in ("", "ended")), "ended")

    def _close_lanes(self) -> None:
        self._control.close()
        self._upload.close()

    def _count(self, envelope: Envelope) -> None:
        self._sent_bytes[envelope.kind] += len(envelope.payload)
        if envelope.purpose is Purpose.FRAMING:
            self.framing_frames += 1
            self.framing_bytes += len(envelope.payload)
