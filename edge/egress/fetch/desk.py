"""The courier's side of fetching on its socket: who asks for what, and who is told what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from edge.egress.courier.ends import CUT
from edge.egress.courier.inspection import fetch_refusal_of, sealed
from edge.egress.courier.peer import Peer
from edge.egress.courier.under_way import UnderWay
from edge.egress.fetch.link import FetchLink, FetchOrder
from edge.egress.identity.identity import Identity
from edge.egress.ledger.queue import LedgerQueue
from postern.v1 import courier_pb2 as wire

log = logging.getLogger(__name__)

ORDERS_MAX: Final = 4
"""At once: a node fetches one thing after the other, and a command may look at the metadata meanwhile."""

DEADLINE_S_MAX: Final = 3600.0
"""Whatever the node says. A slow line takes longer for all of a model, not for 64 pieces of it."""


class FetchDesk:
    """One link for all who ask."""

    def __init__(
        self,
        identity: Identity | None,
        key: bytes,
        ledger: LedgerQueue,
        sent_bytes: Counter[str],
        refused: Counter[str],
        counted: Callable[[], None],
    ) -> None:
        """`key`: of envelopes. `counted`: called after `sent_bytes` or `refused` changed."""
        self._key = key
        self._ledger = ledger
        self._sent_bytes = sent_bytes
        self._refused = refused
        self._counted = counted
        self._identity = identity
        self._link: FetchLink | None = None
        self._orders: dict[tuple[Peer, int], FetchOrder] = {}
        self._under_way = UnderWay("fetch")

    async def use(self, identity: Identity | None) -> None:
        """This identity from now on: the channel of an older one closes."""
        self._identity = identity
        await self.close(CUT)

    async def close(self, code: str) -> None:
        """The channel, and what is under way: whoever asked is told `code`. The next order opens another, if it may."""
        link, self._link = self._link, None
        if link is not None:
            await link.stop(code)

    def order(self, peer: Peer, message: wire.FetchOrder) -> None:
        """Take it on; what comes of it is said to the peer."""
        envelope, at = sealed(message.envelope), (peer, message.number)
        reason = fetch_refusal_of(envelope, self._key)
        if reason:
            self._refused[reason] += 1
            self._counted()
            log.error("a fetch was refused", extra={"reason": reason})
        elif self._identity is None:
            reason = "not_enrolled"
        elif len(self._orders) >= ORDERS_MAX or at in self._orders:
            reason = "busy"
        if reason or envelope is None or self._identity is None:
            self._under_way.start(_end(peer, message.number, reason))
            return
        if self._link is None:
            self._link = FetchLink(self._identity, self._ledger, self._sent_bytes)
        given_s = min(message.deadline_ms / 1000, DEADLINE_S_MAX)
        order = FetchOrder(envelope, asyncio.get_running_loop().time() + given_s, message.bytes_per_second)
        self._orders[at] = order
        self._under_way.start(self._fetch(at, self._link, order))

    def leave(self, peer: Peer) -> None:
        """It has gone: nobody wants what it asked for."""
        for (asked_by, _), order in tuple(self._orders.items()):
            if asked_by is peer:
                order.drop()

    async def stop(self) -> None:
        """End what is under way."""
        await self.use(None)
        await self._under_way.ended()

    async def _fetch(self, at: tuple[Peer, int], link: FetchLink, order: FetchOrder) -> None:
        peer, number = at
        try:
            code = await link.fetch(order, partial(_deliver, peer, number))
        except Exception:  # a bug here must not leave the node waiting for what never comes
            log.exception("a fetch failed")
            code = CUT
        finally:
            del self._orders[at]
        await _end(peer, number, code)
        self._counted()


async def _deliver(peer: Peer, number: int, payload: bytes) -> None:
    await peer.say(wire.CourierFrame(fetch_piece=wire.FetchPiece(number=number, payload=payload)))


async def _end(peer: Peer, number: int, code: str) -> None:
    await peer.say(wire.CourierFrame(fetch_ended=wire.FetchEnded(number=number, code=code)))
