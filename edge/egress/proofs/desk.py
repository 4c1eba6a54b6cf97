"""The courier's side of receipts on its socket: what the ledger says of some envelopes, proven."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from edge.egress.courier.peer import Peer
from edge.egress.courier.under_way import UnderWay
from edge.egress.ledger import LedgerBroken, LedgerFailed
from edge.egress.ledger.excerpt import ENVELOPES_MAX, Excerpt, TooFarBack, TooMany, excerpt
from edge.egress.ledger.queue import LedgerQueue
from postern.v1 import courier_pb2 as wire

log = logging.getLogger(__name__)

WAITING_MAX: Final = 16
"""Receipts at once. Each is looked for alone, so that the courier's memory holds one."""


class ProofDesk:
    """Answers one after the other."""

    def __init__(self, path: Path, ledger: LedgerQueue) -> None:
        """`path`: of the ledger that `ledger` writes."""
        self._path = path
        self._ledger = ledger
        self._turn = asyncio.Lock()
        self._under_way = UnderWay("proofs")

    def order(self, peer: Peer, message: wire.ProofOrder) -> None:
        """Take it on; the peer is told what was found."""
        code = "busy" if len(self._under_way) >= WAITING_MAX else ""
        code = code or ("too_many" if len(message.envelope_ids) > ENVELOPES_MAX else "")
        self._under_way.start(_say(peer, wire.Proofs(code=code)) if code else self._answer(peer, message))

    async def stop(self) -> None:
        """Nobody is answered any more."""
        await self._under_way.cancel()

    async def _answer(self, peer: Peer, message: wire.ProofOrder) -> None:
        envelopes = frozenset(one.hex() for one in message.envelope_ids)
        async with self._turn:
            try:
                # Signed now, so that it covers all that is looked for.
                note = await self._ledger.checkpoint()
                found = await asyncio.to_thread(excerpt, self._path, note, envelopes, message.since_unix_ms)
                proofs = _message(found)
            except TooMany:
                proofs = wire.Proofs(code="too_many")
            except TooFarBack:
                proofs = wire.Proofs(code="too_far_back")
            except (LedgerBroken, LedgerFailed) as error:
                log.error("a receipt has no proof", extra={"detail": error.detail})
                proofs = wire.Proofs(code=error.code)
            except (
                Exception
            ):  # as of a leaf that is damaged: the page must not take it for a courier that is slow
                log.exception("a receipt has no proof")
                proofs = wire.Proofs(code=LedgerBroken.code)
        await _say(peer, proofs)


def _message(found: Excerpt) -> wire.Proofs:
    leaves = [wire.ProvenLeaf(index=one.index, entry=one.entry, proof=one.proof) for one in found.leaves]
    return wire.Proofs(log_key=found.log_key, checkpoint=found.checkpoint, leaves=leaves)


async def _say(peer: Peer, proofs: wire.Proofs) -> None:
    await peer.say(wire.CourierFrame(proofs=proofs))
