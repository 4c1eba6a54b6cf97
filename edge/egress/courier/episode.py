"""What the ledger holds of connections themselves, beside what is sent over them."""

from __future__ import annotations

import os

from edge.egress.ledger import Draft, Value
from edge.egress.ledger.queue import LedgerQueue


class Episode:
    """One leaf for all attempts until a link has been up and ended: months offline must not fill the ledger."""

    def __init__(self, queue: LedgerQueue) -> None:
        self._ledger = queue
        self._identifier = ""
        self._destination = ""
        self._attempts = 0

    async def attempt(self, destination: str) -> None:
        """Durable before the first byte of a connection."""
        if self._identifier and destination != self._destination:
            await self.close("identity_changed")
        if not self._identifier:
            identifier = os.urandom(16).hex()
            await self._ledger.append([Draft("link", {"envelope": identifier, "destination": destination})])
            self._identifier, self._destination, self._attempts = identifier, destination, 0
        self._attempts += 1

    async def close(self, outcome: str, frames: int = 0, size: int = 0, destination_key: str = "") -> None:
        """Record how it ended, and what the link's own frames came to; the key where somebody answered."""
        if not self._identifier:
            return
        identifier, self._identifier = self._identifier, ""
        fields: dict[str, Value] = {
            "envelope": identifier,
            "outcome": outcome,
            "attempts": self._attempts,
            "frames": frames,
            "bytes": size,
            "destination_key": destination_key,
        }
        await self._ledger.append([Draft("link_close", fields)])
