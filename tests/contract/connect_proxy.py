"""A real HTTP proxy with CONNECT, in clear or in TLS: it can ask for a login, refuse, break off, or lead elsewhere."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from core import identity as certificates
from core.identity import Authority


class ConnectProxy:
    """`asked`: every tunnel that was asked for. `instead`: where they lead in truth, if elsewhere.

    `wire`: all bytes that came from its clients, as somebody at the cable sees them.
    """

    def __init__(
        self, login: str = "", status: int = 200, instead: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.login, self.status, self.instead, self.tls = login, status, instead, tls
        self.asked: list[str] = []
        self.wire = bytearray()
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Every tunnel ends now."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            method = await reader.readexactly(8)
            if method != b"CONNECT ":
                writer.write(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")
                return
            head = "CONNECT " + (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split(" ")[1]
            self.asked.append(target)
            wanted = f"basic {base64.b64encode(self.login.encode()).decode()}".lower()
            said = [line for line in head.lower().split("\r\n") if line.startswith("proxy-authorization: ")]
            status = 407 if self.login and said != [f"proxy-authorization: {wanted}"] else self.status
            if status != 200:
                writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            host, _, port = (self.instead or target).rpartition(":")
            there, onwards = await asyncio.open_connection(host, int(port))
            self._open.add(onwards)
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            await asyncio.gather(_copy(reader, onwards), _copy(there, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def listen_in(self, inner: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What comes to the port goes on to `inner`, where the proxy itself is."""
        there, onwards = await asyncio.open_connection("127.0.0.1", inner)
        await asyncio.gather(_copy(reader, onwards, self.wire), _copy(there, writer))


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray | None = None
) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            if seen is not None:
                seen += piece
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def serving(proxy: ConnectProxy, host: str = "127.0.0.1") -> AsyncIterator[ConnectProxy]:
    """The proxy at a port of its own."""
    inner = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=proxy.tls)
    at = inner.sockets[0].getsockname()[1]
    server = await asyncio.start_server(partial(proxy.listen_in, at), host, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        inner.close()
        proxy.cut()


def shown(
    authority: Authority, folder: Path, host: str = "127.0.0.1", age: timedelta = timedelta()
) -> ssl.SSLContext:
    """What a proxy shows with a certificate that is so old, and was made for a day."""
    mine = certificates.create_server_certificate(
        authority, [host], now=datetime.now(UTC) - age, validity=timedelta(days=1)
    )
    pem = folder / "proxy.pem"
    pem.write_bytes(mine.key_pem + mine.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
