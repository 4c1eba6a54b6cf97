"""The node's way to proofs: which leaves of the ledger are of some envelopes. Opens no network connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from core.local_socket import BadFrame, read_frame, write_frame
from edge.egress.courier.client import COURIER_AWAY
from edge.egress.ledger.excerpt import ENVELOPES_MAX, Excerpt, Proven
from postern.v1 import courier_pb2 as wire

ANSWER_S_MAX: Final = 2.0
"""The courier looks through half an hour of leaves in well under a second. A kiosk's page takes a node that says
nothing for 2.5 s for dead, and would go on at a sibling."""


class Unproven(Exception):
    """There is no proof now. `code`: courier_away, late, busy, too_many, too_far_back, ledger_failed,
    ledger_broken."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProofClient:
    """Asks the courier, over a connection for each receipt."""

    def __init__(self, socket: Path) -> None:
        """`socket`: the courier's."""
        self._socket = socket

    async def proofs(self, envelopes: Iterable[str], since_ms: int) -> Excerpt:
        """Of `envelopes` (as the ledger names them), the first of which was let out at `since_ms`. Raises Unproven."""
        wanted = [bytes.fromhex(one) for one in envelopes]
        if len(wanted) > ENVELOPES_MAX:
            raise Unproven("too_many")
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._asked(wire.ProofOrder(envelope_ids=wanted, since_unix_ms=since_ms))
        except TimeoutError:
            raise Unproven("late") from None
        except (OSError, BadFrame):
            raise Unproven(COURIER_AWAY) from None

    async def _asked(self, order: wire.ProofOrder) -> Excerpt:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            write_frame(writer, wire.NodeFrame(proof_order=order))
            await writer.drain()
            while (frame := await read_frame(reader, wire.CourierFrame)) is not None:
                if frame.HasField("proofs"):
                    return _excerpt(frame.proofs)
        finally:
            writer.close()
        raise Unproven(COURIER_AWAY)


def _excerpt(proofs: wire.Proofs) -> Excerpt:
    if proofs.code:
        raise Unproven(proofs.code)
    leaves = tuple(Proven(one.index, one.entry, tuple(one.proof)) for one in proofs.leaves)
    return Excerpt(proofs.log_key, proofs.checkpoint, leaves)
