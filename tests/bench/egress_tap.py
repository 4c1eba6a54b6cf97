"""A tap between the courier and the control plane, which ends TLS on both sides and keeps what the courier said.

It shows a certificate of the test's own authority and goes on with the site's own key, which the bench may read. It
knows how many bytes came and went below TLS, and their hash, for whoever captures them on the way (egress_wire). What
it keeps is what came out of the courier's encryption: of each stream of HTTP/2 the messages, put together over frames
and decompressed, and apart from them all other frames, and whatever is no HTTP/2. gRPC writes the values of headers
plainly.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloud_sync.config import CloudPaths
from cloud_sync.folder import load_identities
from core import identity as certificates
from core.identity import Credential
from edge.egress.identity import identity
from tests.bench.egress_wire import Connection

READ_BYTES = 1 << 16
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
DATA_FRAME, PADDED = 0x0, 0x8
# RST_STREAM, SETTINGS, PING, WINDOW_UPDATE: they come at any time, and there is no room for words in them.
WORDLESS = frozenset({0x3, 0x4, 0x6, 0x8})
MESSAGE_HEAD_BYTES = 5
RECORD_HEAD_BYTES = 5
VALID = timedelta(days=1)


@dataclass
class Heard:
    """What one connection said to the control plane."""

    streams: dict[int, bytearray] = field(default_factory=dict)
    """By number: the payloads of its DATA frames."""
    rest: bytearray = field(default_factory=bytearray)
    """All other frames: headers, settings, pings; and what is no HTTP/2."""
    said_bytes: int = 0
    """Of frames that have room for words, and of what is no HTTP/2."""
    open: bool = True
    """There may come more."""
    _left: bytearray = field(default_factory=bytearray)
    """Of a frame that is not whole yet."""
    _begun: bool = False

    def feed(self, content: bytes) -> None:
        """The next bytes, from wherever they were cut."""
        self._left += content
        if not self._begun and not self._begins():
            return
        while len(self._left) >= HEAD_BYTES:
            size = HEAD_BYTES + int.from_bytes(self._left[:3], "big")
            if len(self._left) < size:
                return
            self._take(bytes(self._left[:size]))
            del self._left[:size]

    def _begins(self) -> bool:
        """Whether it begins as HTTP/2 does. What does not is kept as it is."""
        self._begun = self._left.startswith(PREFACE)
        if self._begun:
            del self._left[: len(PREFACE)]
        elif not PREFACE.startswith(self._left):
            self.said_bytes += len(self._left)
            self.rest += self._left
            self._left.clear()
        return self._begun

    def _take(self, frame: bytes) -> None:
        kind, flags, stream = frame[3], frame[4], int.from_bytes(frame[5:HEAD_BYTES], "big")
        if kind not in WORDLESS:
            self.said_bytes += len(frame) - HEAD_BYTES
        if kind != DATA_FRAME:
            self.rest += frame
            return
        content = frame[HEAD_BYTES:]
        if flags & PADDED:
            content = content[1 : len(content) - content[0]]
        self.streams.setdefault(stream, bytearray()).extend(content)

    def spoken(self) -> list[bytes]:
        """Each stream's payloads, with what has come of a frame that is not whole."""
        left, spoken = bytes(self._left), {number: bytes(said) for number, said in self.streams.items()}
        if len(left) > HEAD_BYTES and left[3] == DATA_FRAME:
            number = int.from_bytes(left[5:HEAD_BYTES], "big")
            spoken[number] = spoken.get(number, b"") + left[HEAD_BYTES:]
        return list(spoken.values())

    def blobs(self) -> list[bytes]:
        """Each stream's messages one after the other, and the rest with what has come of the next frame."""
        streams = [b"".join(messages(bytes(stream))) for stream in self.streams.values()]
        return [*streams, bytes(self.rest + self._left)]


def messages(stream: bytes) -> Iterator[bytes]:
    """Of gRPC, decompressed; what is cut off at the end, or cannot be decompressed, is given as it is."""
    while stream:
        size = MESSAGE_HEAD_BYTES + int.from_bytes(stream[1:MESSAGE_HEAD_BYTES], "big")
        content = stream[MESSAGE_HEAD_BYTES:size]
        if stream[0] and len(stream) >= size:
            with suppress(zlib.error):  # gzip or zlib, whichever it says
                content = zlib.decompress(content, zlib.MAX_WBITS | 32)
        yield content
        stream = stream[size:]


def record_bytes(content: bytes | bytearray) -> int:
    """Of a record of TLS that begins there (RFC 8446 §5.1), as far as its head is there."""
    return RECORD_HEAD_BYTES + int.from_bytes(content[3:RECORD_HEAD_BYTES], "big")


class TlsEnd:
    """A server's end of TLS over a connection, which knows every byte that passed below it."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.passed = Connection(writer.get_extra_info("peername"), writer.get_extra_info("sockname"))
        self._reader, self._writer = reader, writer
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_side=True)
        self._broken = False
        self._unended = bytearray()

    @property
    def unread_bytes(self) -> int:
        """What came and was not decrypted; all of it where something was no TLS that this end understands."""
        return self.passed.up.size if self._broken else max(self._came.pending, len(self._unended))

    async def begin(self) -> None:
        """Shake hands. Raises OSError, of which SSLError is one."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send()
                if not await self._more():
                    raise ConnectionResetError from None
            except ssl.SSLError:
                self._broken = True
                raise
            else:
                return await self._send()

    async def read(self) -> bytes:
        """What was said next, b"" at the end. Raises OSError."""
        while True:
            try:
                return self._tls.read(READ_BYTES)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                await self._send()
                if not await self._more():
                    return b""
            except ssl.SSLError:
                self._broken = True
                raise

    async def write(self, content: bytes) -> None:
        """Say it. Raises OSError."""
        self._tls.write(content)
        await self._send()

    def say_no_more(self) -> None:
        """Nothing else is said. Raises OSError."""
        self._writer.write_eof()

    async def end(self) -> None:
        """Say no more, and hear what still comes, until the other end says no more. Raises OSError."""
        self.say_no_more()
        while await self._more():
            pass

    async def _more(self) -> bool:
        content = await self._reader.read(READ_BYTES)
        self.passed.up.feed(content)
        self._came.write(content)
        # TLS keeps a record that has not ended to itself, and says nothing of it at the end.
        self._unended += content
        while len(self._unended) >= (size := record_bytes(self._unended)):
            del self._unended[:size]
        return bool(content)

    async def _send(self) -> None:
        if content := self._goes.read():
            self._writer.write(content)
            self.passed.down.feed(content)
            await self._writer.drain()


class Tap:
    """From a port of its own to another of this machine, in a thread of its own."""

    def __init__(
        self,
        listener: socket.socket,
        target: int,
        server: ssl.SSLContext,
        client: ssl.SSLContext,
        name: str,
    ) -> None:
        """`name`: that the certificate of the other end must carry."""
        self.connections: list[Heard] = []
        self.ends: list[TlsEnd] = []
        """What passed below TLS, of each of them."""
        self._listener, self._target, self._name = listener, target, name
        self._server, self._client = server, client
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="tap", daemon=True).start()
        self._listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.address: tuple[str, int] = listener.getsockname()
        self.endpoint = f"{self.address[0]}:{self.address[1]}"

    def blobs(self) -> list[bytes]:
        """All that was said so far."""
        return [blob for heard in tuple(self.connections) for blob in heard.blobs()]

    def said_bytes(self) -> int:
        """Of all so far that has room for words."""
        return sum(heard.said_bytes for heard in tuple(self.connections))

    def requests(self) -> int:
        """Streams with a message."""
        return sum(len(heard.streams) for heard in tuple(self.connections))

    @property
    def open(self) -> int:
        """Connections over which the courier may still say something."""
        return sum(heard.open for heard in tuple(self.connections))

    def close(self) -> None:
        """For good."""
        self._loop.call_soon_threadsafe(self._listening.close)
        for writer in tuple(self._writers):
            self._loop.call_soon_threadsafe(writer.transport.abort)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, sock=self._listener)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard, end = Heard(), TlsEnd(self._server, reader, writer)
        self.connections.append(heard)
        self.ends.append(end)
        self._writers.add(writer)
        with suppress(OSError):
            await self._go_between(end, heard)
        with suppress(OSError):
            await end.end()
        heard.open = False
        writer.close()
        self._writers.discard(writer)

    async def _go_between(self, end: TlsEnd, heard: Heard) -> None:
        await end.begin()
        there, out = await asyncio.open_connection(
            "127.0.0.1", self._target, ssl=self._client, server_hostname=self._name
        )
        self._writers.add(out)
        answering = asyncio.create_task(self._answer(there, end))
        try:
            while content := await end.read():
                heard.feed(content)
                out.write(content)
                await out.drain()
        finally:
            out.close()
            self._writers.discard(out)
            await answering

    async def _answer(self, there: asyncio.StreamReader, end: TlsEnd) -> None:
        with suppress(OSError):
            while content := await there.read(READ_BYTES):
                await end.write(content)
        with suppress(OSError):
            end.say_no_more()


@dataclass(frozen=True)
class Taps:
    """One for texts, one for all else: which of them a byte came by says which exit it took."""

    overflow: Tap
    link: Tap


def on_loopback() -> socket.socket:
    """Any free port of this machine alone."""
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def tapped(courier: Path, cloud: Path, listener: Callable[[], socket.socket] = on_loopback) -> Iterator[Taps]:
    """Let an enrolled courier that does not run reach the control plane by taps. `listener`: where a tap listens."""
    mine = identity.load(courier)
    assert mine is not None
    enrolment, authority = mine.enrolment, load_identities(CloudPaths(cloud)).authority
    shown = certificates.create_server_certificate(
        authority, ["127.0.0.1"], now=datetime.now(UTC), validity=VALID
    )
    server = _context(ssl.PROTOCOL_TLS_SERVER, shown, mine.roots_pem)
    client = _context(ssl.PROTOCOL_TLS_CLIENT, Credential(mine.key_pem, mine.certificate_pem), mine.roots_pem)
    texts = (enrolment.overflow_endpoints or (enrolment.sync_endpoint,))[0]
    taps = Taps(
        *(
            Tap(listener(), _port(at), server, client, enrolment.target_name)
            for at in (texts, enrolment.sync_endpoint)
        )
    )
    by_taps = replace(
        enrolment, sync_endpoint=taps.link.endpoint, overflow_endpoints=(taps.overflow.endpoint,)
    )
    identity.store(courier, replace(mine, enrolment=by_taps))
    try:
        yield taps
    finally:
        identity.store(courier, mine)
        taps.overflow.close()
        taps.link.close()


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def _context(protocol: int, mine: Credential, roots_pem: bytes) -> ssl.SSLContext:
    """Either end of mutual TLS with HTTP/2."""
    context = ssl.SSLContext(protocol)
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(mine.certificate_pem)
        key.write_bytes(mine.key_pem)
        context.load_cert_chain(chain, key)
    context.load_verify_locations(cadata=roots_pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context
