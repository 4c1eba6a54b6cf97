"""The courier's own sockets before the proxy: whose they are, and what becomes of the two ends of a tunnel."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.egress.courier import relay
from edge.egress.courier.relay import Relay, Streams

DEADLINE_S = 10.0
ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    try:
        s.sendall(b"mine")
        print("refused" if s.recv(1) == b"" else "taken")
    except ConnectionError:
        print("refused")
"""


class Far:
    """The other end of each tunnel: `opened` are those that were asked for."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int]] = []
        self.ends: asyncio.Queue[Streams] = asyncio.Queue()

    async def open(self, host: str, port: int) -> Streams:
        self.opened.append((host, port))
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.ends.put((reader, writer))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Relay]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        mine = Relay(self.open)
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield mine
        finally:
            await mine.close()
            server.close()


async def near(mine: Relay, host: str = "control.example") -> Streams:
    path = (await mine.target(host, 443)).removeprefix("unix:")
    return await asyncio.open_unix_connection(path)


async def test_each_connection_is_a_tunnel_to_its_address() -> None:
    far = Far()
    async with far.serving() as mine:
        first, second = await asyncio.gather(mine.target("a", 443), mine.target("b", 443))
        assert first == await mine.target("a", 443) != second
        assert not far.opened, "nobody is asked before gRPC connects"
        for host in ("a", "b", "a"):
            reader, writer = await near(mine, host)
            there, back = await far.ends.get()
            writer.write(b"out")
            back.write(b"in")
            assert (await there.readexactly(3), await reader.readexactly(2)) == (b"out", b"in")
            writer.close()
        assert far.opened == [("a", 443), ("b", 443), ("a", 443)]


async def test_nobody_else_gets_in_and_nothing_stays() -> None:
    """Another process of the same user, which may enter the folder."""
    far = Far()
    async with far.serving() as mine:
        path = Path((await mine.target("a", 443)).removeprefix("unix:"))
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.parent.stat().st_uid == os.getuid()
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", ASK, path, stdout=asyncio.subprocess.PIPE
        )
        assert (await other.communicate())[0] == b"refused\n"
        assert not far.opened
        await mine.close()
        assert not path.parent.exists()


@pytest.mark.parametrize("dies", ["near", "far"])
async def test_both_ends_of_a_tunnel_die_together_and_what_was_said_comes(dies: str) -> None:
    far = Far()
    async with far.serving() as mine:
        one = await near(mine)
        two = await far.ends.get()
        (_, dying), (reading, _) = (one, two) if dies == "near" else (two, one)
        dying.write(b"last")
        dying.close()
        assert await reading.read() == b"last"


async def test_a_tunnel_that_does_not_open_ends_the_connection() -> None:
    async def closed(host: str, port: int) -> Streams:
        raise ConnectionRefusedError

    mine = Relay(closed)
    reader, _ = await near(mine)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b""
    await mine.close()


async def test_an_end_that_does_not_read_stops_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing heaps up in between; and `close` does not wait for it."""
    monkeypatch.setattr(relay, "GOODBYE_TIMEOUT_S", 0.0)
    far = Far()
    async with far.serving() as mine:
        _, writer = await near(mine)
        there, _ = await far.ends.get()
        there._transport.pause_reading()  # type: ignore[attr-defined]
        piece, sent = bytes(1 << 20), 0
        try:
            while sent < 64 << 20:
                writer.write(piece)
                async with asyncio.timeout(0.3):
                    await writer.drain()
                sent += len(piece)
        except TimeoutError:
            pass
        assert sent < 32 << 20, "sockets of this machine hold some megabytes each, and a tunnel less than one"
