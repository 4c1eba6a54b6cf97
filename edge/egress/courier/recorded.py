"""A call of the courier's own, in the ledger: its intent durable before the first byte, its end behind the last."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge.egress.courier import leaves
from edge.egress.ledger.queue import LedgerQueue


@dataclass
class Recorded:
    """How far a call has come; whoever makes it says so."""

    outcome: str = "not_sent"
    destination_key: str = ""

    def sending(self, destination_key: str) -> None:
        """From now on some of it may have left, to whoever holds a certificate under that key."""
        self.outcome, self.destination_key = "failed", destination_key

    def sent(self) -> None:
        """All of it was taken."""
        self.outcome = "written"


@asynccontextmanager
async def recorded(
    ledger: LedgerQueue, destination: str, kind: str, payload: bytes
) -> AsyncIterator[Recorded]:
    """For the length of the call. Raises LedgerFailed: then nothing may be sent."""
    envelope, call = os.urandom(16), Recorded()
    await ledger.append([leaves.own_intent(envelope, destination, kind, payload)])
    try:
        yield call
    finally:
        size = 0 if call.outcome == "not_sent" else len(payload)
        await ledger.append([leaves.close(envelope, call.outcome, size, call.destination_key)])
