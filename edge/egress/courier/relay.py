"""Sockets of the courier's own, behind each of which a tunnel of the site's proxy begins: gRPC connects to them.

gRPC speaks no TLS to a proxy, and logs in again by itself. No ports: other users of this machine must not use them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from core.local_socket import peer
from edge.egress.reconciliation import own_traffic

log = logging.getLogger(__name__)

PIECE_BYTES: Final = 65_536
"""Read at once. With what streams and sockets hold, a tunnel waits with under 1 MB when an end does not read."""
OPEN_TIMEOUT_S: Final = 10.0
"""As long as gRPC is given for a channel."""
GOODBYE_TIMEOUT_S: Final = 2.0
"""For the last bytes of a tunnel, once one of its ends has gone."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OpenWay = Callable[[str, int], Awaitable[Streams]]


class Relay:
    """A socket for each address that was asked for, until `close`."""

    def __init__(self, open_way: OpenWay) -> None:
        """`open_way`: opens a tunnel to a host and a port; raises OSError."""
        self._open_way = open_way
        self._folder: Path | None = None
        self._servers: dict[tuple[str, int], tuple[str, asyncio.Server]] = {}
        self._adding = asyncio.Lock()
        self._tunnels: set[asyncio.Task[None]] = set()

    async def target(self, host: str, port: int) -> str:
        """What gRPC connects to in place of that address."""
        async with self._adding:
            if (host, port) not in self._servers:
                # A folder that nobody but this user can enter, by a name that is not too long for a socket.
                self._folder = self._folder or Path(tempfile.mkdtemp(prefix="postern-way-"))
                path = str(self._folder / str(len(self._servers)))
                server = await asyncio.start_unix_server(partial(self._accepted, host, port), path)
                self._servers[host, port] = path, server
            return f"unix:{self._servers[host, port][0]}"

    async def close(self) -> None:
        """End every tunnel, and remove the sockets."""
        for _, server in self._servers.values():
            server.close()
        self._servers.clear()
        if self._tunnels:  # whose channels are closed: what they said last may still be under way
            await asyncio.wait(self._tunnels, timeout=GOODBYE_TIMEOUT_S)
        for task in self._tunnels:
            task.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _accepted(
        self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if peer(writer) != (os.getpid(), os.getuid()):
            log.warning("another process wanted the courier's way out", extra={"pid": peer(writer)[0]})
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(host, port, reader, writer), name="tunnel")
        self._tunnels.add(task)
        task.add_done_callback(self._tunnels.discard)

    async def _serve(
        self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                there, onwards = await self._open_way(host, port)
        except BaseException as error:
            writer.transport.abort()
            if isinstance(error, OSError):  # a timeout too. Why: whoever opens channels asks that by itself
                return
            raise
        await _carry((reader, writer), (there, onwards))


async def _carry(one: Streams, other: Streams) -> None:
    """What comes at each end to the other, until one of them ends: then both do."""
    copying = [
        asyncio.create_task(_copy(one[0], other[1]), name="tunnel-out"),
        asyncio.create_task(_copy(other[0], one[1]), name="tunnel-in"),
    ]
    try:
        await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in copying:
            task.cancel()
        await asyncio.gather(*copying, return_exceptions=True)
        await asyncio.gather(_end(one[1]), _end(other[1]))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    in_tls = writer.get_extra_info("ssl_object") is not None
    with suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            if in_tls:
                own_traffic.wrapped(len(piece))
            writer.write(piece)
            await writer.drain()


async def _end(writer: asyncio.StreamWriter) -> None:
    """Close, and for good where the other end does not take what is left."""
    writer.close()
    with suppress(OSError):  # a TimeoutError is one
        async with asyncio.timeout(GOODBYE_TIMEOUT_S):
            await writer.wait_closed()
    writer.transport.abort()
