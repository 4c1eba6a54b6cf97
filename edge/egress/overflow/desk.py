"""The courier's side of overflow on its socket: who asks, what is under way for whom, and who is told what."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from edge.egress.courier.ends import CUT
from edge.egress.courier.inspection import overflow_refusal_of, sealed
from edge.egress.courier.peer import Peer
from edge.egress.courier.replays import Replays
from edge.egress.courier.under_way import UnderWay
from edge.egress.identity.identity import Identity
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.overflow.link import Order, OverflowLink
from postern.v1 import courier_pb2 as wire

log = logging.getLogger(__name__)

ORDERS_MAX: Final = 128
"""Answers that stream at once. A node asks for more only when a provider hangs, and then quotes are better."""

DEADLINE_S_MAX: Final = 120.0
"""Whatever the node says: no customer waits longer."""


HANDOVER_S: Final = 10.0
"""For channels under a renewed certificate to open; then they take over, open or not."""


class OverflowDesk:
    """One link for all who ask, opened with the first and closed with the last of them."""

    def __init__(
        self,
        identity: Identity | None,
        key: bytes,
        ledger: LedgerQueue,
        replays: Replays,
        sent_bytes: Counter[str],
        refused: Counter[str],
        counted: Callable[[], None],
    ) -> None:
        """`key`: of envelopes. `counted`: called after `sent_bytes` or `refused` changed."""
        self._key = key
        self._ledger = ledger
        self._replays = replays
        self._sent_bytes = sent_bytes
        self._refused = refused
        self._counted = counted
        self._identity = identity
        self._link: OverflowLink | None = None
        self._next: OverflowLink | None = None
        self._peers: set[Peer] = set()
        self._orders: dict[tuple[Peer, int], Order] = {}
        self._under_way = UnderWay("overflow")

    async def use(self, identity: Identity | None) -> None:
        """This identity from now on: the channels of an older one close."""
        self._identity = identity
        await self.close(CUT)

    async def close(self, code: str) -> None:
        """The channels, and what is under way: whoever asked is told `code`. Others open in their place, if any may."""
        await self._close_link(code)
        await self._tell()

    def hand_over(self, identity: Identity) -> None:
        """This identity from now on, for the same node: what is under way goes on to its end over the older channels,
        which are left when new ones are open."""
        self._identity = identity
        if self._link is None:
            return
        superseded, self._next = self._next, self._new_link(identity)
        if superseded is not None:
            self._under_way.start(superseded.stop(CUT))
        self._under_way.start(self._replace_by(self._next))

    async def _replace_by(self, fresh: OverflowLink) -> None:
        await fresh.opened(HANDOVER_S)
        if self._next is not fresh:
            return  # it was stopped: nobody asks any more, or there is a newer one
        old, self._link, self._next = self._link, fresh, None
        await self._tell()
        if old is not None:
            await old.retire()

    async def attach(self, peer: Peer) -> None:
        """It is told whether a text would be sent, now and at each change."""
        self._peers.add(peer)
        self._open_link()
        await peer.say(self._state())

    async def leave(self, peer: Peer) -> None:
        """It has gone, and with it whoever read its answers."""
        self._peers.discard(peer)
        for (asked_by, _), order in tuple(self._orders.items()):
            if asked_by is peer:
                order.drop()
        if not self._peers:
            await self._close_link(CUT)

    def order(self, peer: Peer, message: wire.OverflowOrder) -> None:
        """Take a text on; what comes of it is said to the peer."""
        envelope, at = sealed(message.envelope), (peer, message.number)
        reason = overflow_refusal_of(envelope, self._key)
        if not reason and (at in self._orders or self._replays.seen(message.envelope.envelope_id)):
            reason = "replayed"
        if reason:
            self._refused[reason] += 1
            self._counted()
            log.error("a text was refused", extra={"reason": reason})
        elif self._link is None:
            reason = "not_enrolled"
        elif len(self._orders) >= ORDERS_MAX:
            reason = "busy"
        if reason or envelope is None or self._link is None:
            self._under_way.start(_fail(peer, message.number, reason))
            return
        given_s = min(message.deadline_ms / 1000, DEADLINE_S_MAX)
        self._orders[at] = Order(envelope, asyncio.get_running_loop().time() + given_s)
        self._under_way.start(self._answer(at, self._link, self._orders[at]))

    def cancel(self, peer: Peer, number: int) -> None:
        """Nobody reads that answer."""
        if (order := self._orders.get((peer, number))) is not None:
            order.drop()

    async def stop(self) -> None:
        """End what is under way."""
        self._peers.clear()
        for order in tuple(self._orders.values()):
            order.drop()
        await self._close_link(CUT)
        await self._under_way.ended()

    async def _answer(self, at: tuple[Peer, int], link: OverflowLink, order: Order) -> None:
        """What comes back goes to the peer under its number."""
        peer, number = at
        try:
            code = await link.answer(order, partial(_deliver, peer, number))
        except Exception:  # a bug here must not leave the node waiting for an answer that never ends
            log.exception("an answer failed")
            code = CUT
        finally:
            del self._orders[at]
        if code:
            await _fail(peer, number, code)
        self._counted()

    def _open_link(self) -> None:
        if self._link is None and self._identity is not None and self._peers:
            self._link = self._new_link(self._identity)

    def _new_link(self, identity: Identity) -> OverflowLink:
        return OverflowLink(identity, self._ledger, self._sent_bytes, self._tell_soon)

    async def _close_link(self, code: str) -> None:
        """Another one is there at once, as long as anybody asks: it says why it does not open."""
        links, self._link, self._next = (self._link, self._next), None, None
        self._open_link()
        # Tasks, so that `stop` waits for what `leave` has begun.
        stopping = [self._under_way.start(link.stop(code)) for link in links if link is not None]
        if stopping:
            await asyncio.wait(stopping)

    async def _tell(self) -> None:
        for peer in tuple(self._peers):
            await peer.say(self._state())

    def _tell_soon(self) -> None:
        self._under_way.start(self._tell())

    def _state(self) -> wire.CourierFrame:
        reason = "not_enrolled" if self._link is None else self._link.reason
        return wire.CourierFrame(overflow_state=wire.OverflowState(ready=not reason, reason=reason))


async def _deliver(peer: Peer, number: int, payload: bytes) -> None:
    await peer.say(wire.CourierFrame(overflow_event=wire.OverflowEvent(number=number, payload=payload)))


async def _fail(peer: Peer, number: int, code: str) -> None:
    await peer.say(wire.CourierFrame(overflow_failed=wire.OverflowFailed(number=number, code=code)))
