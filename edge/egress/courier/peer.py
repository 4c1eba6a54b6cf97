"""A connection to the courier's socket, as the courier holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from core.local_socket import write_frame
from postern.v1 import courier_pb2 as wire


@dataclass(eq=False)
class Peer:
    """Whoever connected: a node, or a command that enrols."""

    writer: asyncio.StreamWriter
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def say(self, frame: wire.CourierFrame) -> None:
        """In order of calls; waits while the other end does not read. Nothing happens once it has gone."""
        try:
            async with self._turn:
                write_frame(self.writer, frame)
                await self.writer.drain()
        except (ConnectionError, RuntimeError):
            pass  # its reader notices and cleans up
