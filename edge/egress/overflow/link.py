"""The courier's way to the control plane for texts that it is to answer: recorded, sent, and the answer streamed back.

Channels of its own, beside the link's: an answer holds up no row.
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
from google.protobuf.message import DecodeError

from edge.egress.courier.cloud_channel import Incoming
from edge.egress.courier.ends import CUT, code_of
from edge.egress.courier.handshake import REFUSED
from edge.egress.courier.leaves import close_of, intent_of
from edge.egress.courier.proxy import UNREACHABLE
from edge.egress.envelope import Envelope
from edge.egress.identity.identity import Identity
from edge.egress.ledger import Draft, LedgerFailed
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.overflow.endpoint import OverflowEndpoint
from postern.v1 import overflow_pb2

log = logging.getLogger(__name__)

METHOD: Final = "/postern.v1.OverflowService/Generate"

ENDPOINTS_MAX: Final = 4
"""A connection is kept to each."""

ANSWER_BYTES_MAX: Final = 512 * 1024
"""Of one answer on the wire: 1,024 tokens in messages of their own, three times over, are a third of it."""

TAKEN_ON_S_MAX: Final = 0.5
"""A replica says at once that it has the text (its headers). One that does not by then hangs; another is asked."""

LATE_S: Final = 10.0
"""So long a replica that hung is asked last."""

REFUSED_S: Final = 60.0
"""So long a replica is left alone that does not take this site's texts: a person must act first."""

STOP_S: Final = 2.0
"""For what is under way to end once its calls are cancelled."""

_ELSEWHERE: Final = {UNREACHABLE, REFUSED, "busy", CUT}
"""After which another replica may do better, as long as nothing of an answer came."""

Deliver = Callable[[bytes], Awaitable[None]]


@dataclass(eq=False)
class Order:
    """One text under way. `give_up_at`: on the loop's clock."""

    envelope: Envelope
    give_up_at: float
    dropped: bool = False
    code: str = ""
    """What whoever reads it is told once it was dropped; empty: nobody does."""
    begun: bool = False
    """Some of the answer was delivered."""
    call: Any = field(default=None, repr=False)

    def drop(self, code: str = "") -> None:
        """Nobody reads the answer any more, or it may not go on, for the reason `code`."""
        self.code = self.code if self.dropped else code
        self.dropped = True
        if self.call is not None:
            self.call.cancel()

    @property
    def left_s(self) -> float:
        return self.give_up_at - asyncio.get_running_loop().time()


class OverflowLink:
    """Open channels, and the answers that stream over them; how many is bounded by whoever calls."""

    def __init__(
        self,
        identity: Identity,
        ledger: LedgerQueue,
        sent_bytes: Counter[str],
        changed: Callable[[], None],
    ) -> None:
        """`changed`: called whenever `reason` may have."""
        enrolment = identity.enrolment
        addresses = enrolment.overflow_endpoints or (enrolment.sync_endpoint,)
        self._ledger = ledger
        self._sent_bytes = sent_bytes
        self._changed = changed
        self._changed_here = asyncio.Event()
        self._stopped = False
        self._endpoints = [
            OverflowEndpoint(identity, address, ledger, self._on_change)
            for address in addresses[:ENDPOINTS_MAX]
        ]
        self._orders: set[Order] = set()
        self._idle = asyncio.Event()
        self._keeping = [
            asyncio.create_task(endpoint.keep(), name="overflow-channel") for endpoint in self._endpoints
        ]

    def _on_change(self) -> None:
        self._changed_here.set()
        self._changed()

    @property
    def reason(self) -> str:
        """Why no text would be sent, as a short code of the first replica; empty when one would."""
        reasons = [endpoint.reason for endpoint in self._endpoints]
        return "" if "" in reasons else reasons[0]

    async def answer(self, order: Order, deliver: Deliver) -> str:
        """Send it and deliver what comes back, from the first replica that takes it on.

        "" when the answer or a denial was delivered to its end, or nobody reads it; else a code of OverflowFailed.
        """
        self._orders.add(order)
        self._idle.clear()
        try:
            return await self._ask_in_turn(order, deliver)
        except LedgerFailed as error:
            log.error("the ledger cannot be written; nothing is sent", extra={"detail": error.detail})
            return error.code
        finally:
            self._orders.discard(order)
            if not self._orders:
                self._idle.set()

    async def opened(self, within_s: float) -> None:
        """Wait until a text would be sent, but no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.reason and not self._stopped:
                    self._changed_here.clear()
                    await self._changed_here.wait()

    async def retire(self) -> None:
        """Let what is under way end by itself (each answer has a deadline), then stop."""
        if self._orders:
            await self._idle.wait()
        await self.stop(CUT)

    async def stop(self, code: str) -> None:
        """Drop what is under way, close the channels, record their ends. `code`: what is said of what is under way."""
        self._stopped = True
        self._changed_here.set()
        for order in tuple(self._orders):
            order.drop(code)
        if self._orders:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._idle.wait()
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for endpoint in self._endpoints:
            try:
                await endpoint.close_episode()
            except LedgerFailed:
                log.error("the ledger cannot be written; the end of a connection is not in it yet")

    async def _ask_in_turn(self, order: Order, deliver: Deliver) -> str:
        now = asyncio.get_running_loop().time()
        ready = [endpoint for endpoint in self._endpoints if endpoint.ready]
        ready.sort(key=lambda endpoint: endpoint.late_until_s > now)
        code = self.reason or UNREACHABLE
        for endpoint in ready:
            if order.dropped:
                return order.code
            if order.left_s <= 0:
                return "late"
            code = await self._ask(endpoint, order, deliver, alone=endpoint is ready[-1])
            if order.begun or code not in _ELSEWHERE:
                break
        return order.code if order.dropped else code

    async def _ask(self, endpoint: OverflowEndpoint, order: Order, deliver: Deliver, *, alone: bool) -> str:
        """One replica. `alone`: there is no other one to go to."""
        async with endpoint.channel() as channel:
            if channel is None:
                return UNREACHABLE
            await self._ledger.append([intent_of(order.envelope, endpoint.address)])
            outcome, tokens = "not_sent", (0, 0)
            try:
                if order.dropped or order.left_s <= 0:
                    return "late"
                outcome = "failed"
                self._sent_bytes[order.envelope.kind] += len(order.envelope.payload)
                generate: Any = channel.unary_stream
                # Without serialisers: bytes in, bytes out.
                order.call = generate(METHOD)(order.envelope.payload, timeout=order.left_s)
                if not alone and not await _taken_on(order.call):
                    endpoint.late_until_s = asyncio.get_running_loop().time() + LATE_S
                    order.call.cancel()
                    return UNREACHABLE
                outcome, code, status, tokens = await _stream(order, deliver)
                if code_of(status) == REFUSED:
                    endpoint.refused(REFUSED_S)
                return code
            finally:
                order.call = None
                await self._close(close_of(order.envelope, outcome, endpoint.key, *tokens))

    async def _close(self, leaf: Draft) -> None:
        """That it ended. What was sent was recorded before; an end that cannot be is, before anything else leaves."""
        try:
            await self._ledger.append([leaf])
        except LedgerFailed as error:
            log.error("the ledger cannot be written", extra={"detail": error.detail})


async def _taken_on(call: Any) -> bool:
    """Whether the replica said anything in time."""
    headers = asyncio.ensure_future(call.initial_metadata())
    await asyncio.wait((headers,), timeout=TAKEN_ON_S_MAX)
    if headers.done():
        return True
    headers.cancel()
    return False


async def _stream(order: Order, deliver: Deliver) -> tuple[str, str, grpc.StatusCode, tuple[int, int]]:
    """Deliver what comes until it ends: the leaf's outcome, a code of OverflowFailed or "", gRPC's status, and how many
    tokens the control plane counted of the text and of its answer."""
    incoming, received, last = Incoming(order.call), 0, b""
    async for payload in incoming:
        order.begun, last = True, payload
        received += len(payload)
        if received > ANSWER_BYTES_MAX:
            order.call.cancel()
            return "written", CUT, grpc.StatusCode.CANCELLED, (0, 0)
        await deliver(payload)
    status = incoming.status
    tokens = _tokens_at_end(last)
    if tokens is not None:
        return "written", "", status, tokens
    if received:
        code = "late" if status is grpc.StatusCode.DEADLINE_EXCEEDED else CUT
        return "written", code, status, (0, 0)
    # Another replica may be asked, which the record allows after a failure only: so is an end that said nothing.
    return "failed", code_of(status), status, (0, 0)


def _tokens_at_end(payload: bytes) -> tuple[int, int] | None:
    """Tokens of the text and of the answer where the control plane had said all, be it a denial; None: it was cut."""
    try:
        response = overflow_pb2.GenerateResponse.FromString(payload)
    except DecodeError:
        return None
    if response.WhichOneof("event") not in {"end", "denial"}:
        return None
    return response.end.prompt_tokens, response.end.new_tokens
