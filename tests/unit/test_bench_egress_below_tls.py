"""The tap of the bench of the way out knows what came below TLS, and tells what it could not decrypt."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from tests.bench import egress_cable
from tests.bench.egress_tap import TlsEnd
from tests.bench.harness import BenchRefused
from tests.faulty_provider import server_tls


async def spoken_to(speak: Callable[[socket.socket], None]) -> tuple[bytes, TlsEnd]:
    """What an end of TLS decrypted of one connection, and the end."""
    context, done = server_tls(), asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end, said = TlsEnd(context, reader, writer), b""
        with suppress(OSError):
            await end.begin()
            while piece := await end.read():
                said += piece
        with suppress(OSError):
            await end.end()
        writer.close()
        done.set_result((said, end))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            await asyncio.to_thread(speak, client)
            client.shutdown(socket.SHUT_WR)
            # Else the system takes back what was said: bytes that came and nobody read reset a connection that closes.
            await asyncio.to_thread(read_to_the_end, client)
            said, end = await done
            return said, end


def read_to_the_end(client: socket.socket) -> None:
    with suppress(OSError):
        while client.recv(1 << 16):
            pass


def in_tls(client: socket.socket, words: bytes, junk: bytes = b"") -> int:
    """Say words; `junk`: behind them, below TLS. How much it was below TLS."""
    sent: list[bytes] = []
    tls = ssl._create_unverified_context()
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    speaking = tls.wrap_bio(came, goes)

    def flush(more: bytes = b"") -> None:
        sent.append(goes.read() + more)
        client.sendall(sent[-1])

    while True:
        try:
            speaking.do_handshake()
            break
        except ssl.SSLWantReadError:
            flush()
            came.write(client.recv(1 << 16))
    speaking.write(words)
    flush(junk)
    return sum(map(len, sent))


async def test_all_that_was_said_in_tls_is_decrypted_and_counted_below_it() -> None:
    below: list[int] = []
    words = os.urandom(300_000)
    said, end = await spoken_to(lambda client: below.append(in_tls(client, words)))
    assert said == words
    assert [end.passed.up.size] == below
    assert end.passed.up.size > len(words)
    assert end.passed.down.size > 0
    assert end.unread_bytes == 0


async def test_what_is_no_tls_is_told() -> None:
    said, end = await spoken_to(lambda client: client.sendall(b"GET /?name=Kellingthorpe HTTP/1.1\r\n\r\n"))
    assert (said, end.unread_bytes) == (b"", end.passed.up.size)
    assert end.unread_bytes > 0
    said, end = await spoken_to(lambda client: in_tls(client, b"hello", b"junk behind it, no record of TLS"))
    assert (said, end.unread_bytes) == (b"hello", end.passed.up.size)


async def test_a_record_that_never_ends_is_told() -> None:
    # Application data of 1,000 bytes, of which two come.
    said, end = await spoken_to(lambda client: in_tls(client, b"hello", b"\x17\x03\x03\x03\xe8no"))
    assert said == b"hello"
    assert end.unread_bytes > 0


def test_where_nobody_may_make_networks_there_is_no_cable_and_the_bench_says_so(tmp_path: Path) -> None:
    with mock.patch.object(egress_cable, "may_make_networks", return_value=False):
        with egress_cable.laid(tmp_path) as line:
            assert line is None
            with pytest.raises(BenchRefused, match="root"):
                egress_cable.crossed(line, mock.Mock(), {})
