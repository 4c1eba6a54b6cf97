"""An OpenAI-compatible server that misbehaves on command: every fault that one upstream can have, at any word.

Bytes are written by hand, so that nothing mends them on the way. `async with faulty_provider() as provider:` in a test;
`python -m tests.faulty_provider` in a process of its own, told what to do by lines of JSON on its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from core import identity as certificates
from tests.ports import free_port
from tests.provider_faults import OF_THE_CONNECTION, Fault

Body = dict[str, Any]
Words = Sequence[str] | Callable[[Body], Sequence[str]]
"""The pieces of an answer, the same for all or made from the request's body."""

WORDS: Final = ("The", " lift", " is", " to", " the", " left", ".")
REQUESTS_KEPT: Final = 1000


_STATUSES: Final = {
    Fault.BUSY: "429 Too Many Requests",
    Fault.BUSY_503: "503 Service Unavailable",
    Fault.ERROR_500: "500 Internal Server Error",
    Fault.ERROR_502: "502 Bad Gateway",
    Fault.ERROR_503: "503 Service Unavailable",
    Fault.UNAUTHORISED: "401 Unauthorized",
    Fault.REDIRECT: "307 Temporary Redirect",
}
# A TLS 1.2 record: alert, fatal, handshake_failure (RFC 5246 §7.2).
_TLS_ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x28"


class _Broken(Exception):
    """The fault has struck: the connection ends here."""


@dataclass
class FaultyProvider:
    """How it behaves, and what it saw. All but the connection's faults may be set at any time as attributes."""

    port: int
    words: Words = WORDS
    fault: Fault = Fault.NONE
    after: int = 0
    """Words that are said before a fault of the stream."""
    first_text_s: float = 0.0
    """Before the first word."""
    between_s: float = 0.0
    """Before each further word."""
    retry_after_s: int = 7
    next_faults: deque[Fault] = field(default_factory=deque)
    """One a request, before `fault` holds again; none of the connection."""
    bodies: deque[Body] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    heads: deque[str] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    requests: int = 0
    whole: int = 0
    """Answers that were said to their end."""
    running: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody left before the end of an answer."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: what stalls goes on."""
    tls: ssl.SSLContext | None = None
    _listener: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _deaf: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As settings name it."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    async def misbehave(self, fault: Fault, *, after: int = 0) -> None:
        """Change the behaviour, the connection's included: open connections end where the fault is one of theirs."""
        self.after, old, self.fault = after, self.fault, fault
        self.hold.clear()
        if fault in OF_THE_CONNECTION or old in OF_THE_CONNECTION:
            await self.close()
            await self._open()

    async def mend(self) -> None:
        """All is well."""
        await self.misbehave(Fault.NONE)

    async def close(self) -> None:
        """Nothing listens; open connections are reset."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for sock in self._deaf:
            sock.close()
        self._deaf.clear()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _open(self) -> None:
        match self.fault:
            case Fault.REFUSED:
                return
            case Fault.UNANSWERED:
                self._deaf = _deaf(self.port)
                return
            case Fault.WRONG_CERTIFICATE if self.tls is not None:
                tls: ssl.SSLContext | None = server_tls()
            case Fault.NOT_TLS:
                tls = None
            case _:
                tls = self.tls
        self._listener = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=tls, reuse_address=True
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._request(reader, writer):
                pass
            writer.close()
        except _Broken:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            self.left.set()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one and answer it; False when there is no further one."""
        if self.fault is Fault.NOT_TLS and self.tls is not None:
            await reader.read(1)
            await _say(writer, _head("400 Bad Request", "text/plain", b"plain text here"))
            return False
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return False
        if head.startswith("GET "):
            await _say(writer, _head("200 OK", "application/json", b'{"object":"list","data":[]}'))
            return True
        body = json.loads(await reader.readexactly(_length(head)))
        self.requests += 1
        self.heads.append(head)
        self.bodies.append(body)
        fault = self.next_faults.popleft() if self.next_faults else self.fault
        self.running += 1
        try:
            await self._spoil_head(fault, reader, writer)
            await self._stream(fault, body, reader, writer)
        finally:
            self.running -= 1
        return True

    async def _spoil_head(
        self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer otherwise than by a stream, where the fault says so. Raises _Broken then."""
        match fault:
            case Fault.MUTE:
                await self._held(reader)
            case Fault.NOT_HTTP | Fault.WRONG_CERTIFICATE:
                await _say(writer, b"\x00\x01 not the protocol \xff\r\n\r\n")
            case Fault.NOT_TLS:
                await _say(writer, _TLS_ALERT)
            case Fault.NO_STREAM:
                whole = b'{"choices":[{"message":{"content":"secret"},"finish_reason":"stop"}]}'
                await _say(writer, _head("200 OK", "application/json", whole))
            case _ if fault in _STATUSES:
                headers = {
                    Fault.BUSY: f"Retry-After: {self.retry_after_s}\r\n",
                    Fault.BUSY_503: f"Retry-After: {self.retry_after_s}\r\n",
                    Fault.REDIRECT: "Location: http://203.0.113.5/\r\n",
                }.get(fault, "")
                await _say(writer, _head(_STATUSES[fault], "text/plain", b"secret", headers))
            case _:
                return
        with suppress(ConnectionError):
            writer.write_eof() if writer.can_write_eof() else writer.close()
            await reader.read()
        raise _Broken

    async def _stream(
        self, fault: Fault, body: Body, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _say(
            writer,
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
        )
        words = self.words(body) if callable(self.words) else self.words
        if fault is Fault.EMPTY:
            words = words[: self.after]
        said = 0
        for word in words:
            await self._pace(reader, self.between_s if said else self.first_text_s)
            if said == self.after:
                await self._spoil_stream(fault, reader, writer)
            await _event(writer, _chunk(word))
            said += 1
        if said <= self.after:
            await self._spoil_stream(fault, reader, writer)
        await _event(writer, _chunk("", "length" if said >= body.get("max_tokens", said + 1) else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            await _event(writer, _usage(body, said))
        await _piece(writer, b"data: [DONE]\n\n")
        await _piece(writer, b"")
        self.whole += 1

    async def _spoil_stream(
        self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match fault:
            case Fault.CUT:
                raise _Broken
            case Fault.NO_END:
                await _piece(writer, b"")
                writer.write_eof() if writer.can_write_eof() else writer.close()
                await reader.read()
                raise _Broken
            case Fault.STALL:
                await self._held(reader)
            case Fault.NO_JSON:
                await _piece(writer, b"data: {no json\n\n")
            case Fault.BAD_SSE:
                await _piece(writer, b'\xff\xfe nonsense\n\ndata: {"choices":{"delta":3}}\n\n')
            case Fault.ERROR_EVENT:
                await _piece(writer, b'data: {"error":{"message":"out of memory"}}\n\n')
            case Fault.LONG_LINE:
                await _piece(writer, b"data: " + b"x" * 600_000 + b"\n\n")
            case Fault.CONTENT_FILTER:
                await _event(writer, _chunk("", "content_filter"))
            case Fault.TOO_LONG:
                for word in cycle(self.words if not callable(self.words) else WORDS):
                    await _event(writer, _chunk(word))
                    await asyncio.sleep(0)

    async def _pace(self, reader: asyncio.StreamReader, wait_s: float) -> None:
        """Wait; raises ConnectionError when the other side leaves meanwhile."""
        if reader.at_eof():
            raise ConnectionResetError
        if wait_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await reader.read(1)
                    raise ConnectionResetError

    async def _held(self, reader: asyncio.StreamReader) -> None:
        """Until `hold` is set; raises ConnectionError when the other side leaves before."""
        gone = asyncio.create_task(reader.read(1))
        held = asyncio.create_task(self.hold.wait())
        try:
            await asyncio.wait((gone, held), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ConnectionResetError
        finally:
            gone.cancel()
            held.cancel()


@asynccontextmanager
async def faulty_provider(
    *, words: Words = WORDS, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[FaultyProvider]:
    """One on a free port of this machine, which it keeps over its faults; well at first."""
    provider = FaultyProvider(words=words, tls=tls, port=port or free_port())
    await provider._open()
    try:
        yield provider
    finally:
        provider.hold.set()
        await provider.close()


def server_tls(authority: certificates.Authority | None = None) -> ssl.SSLContext:
    """A server's TLS for 127.0.0.1, of the authority or one that nobody knows."""
    now, day = datetime.now(UTC), timedelta(days=1)
    authority = authority or certificates.create_ca("elsewhere", now=now, validity=day)
    mine = certificates.create_server_certificate(authority, ["127.0.0.1"], now=now, validity=day)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(mine.certificate_pem)
        key.write_bytes(mine.key_pem)
        context.load_cert_chain(chain, key)
    return context


def _deaf(port: int) -> list[socket.socket]:
    """A listener whose queue is full and never emptied: a further connection gets no answer (Linux drops its SYN)."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(0)
    kept = [listener]
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        kept.append(filler)
    return kept


async def _say(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _piece(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One chunk of HTTP's chunked coding; an empty one is the last."""
    await _say(writer, f"{len(data):x}\r\n".encode() + data + b"\r\n")


async def _event(writer: asyncio.StreamWriter, found: Body) -> None:
    await _piece(writer, b"data: " + json.dumps(found, ensure_ascii=False).encode() + b"\n\n")


def _chunk(text: str, finish: str | None = None) -> Body:
    delta = {"content": text} if text else {}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _usage(body: Body, said: int) -> Body:
    asked = sum(len(str(message.get("content", "")).split()) for message in body.get("messages", ()))
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    return {"object": "chat.completion.chunk", "choices": [], "usage": usage}


def _head(status: str, content_type: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


def _length(head: str) -> int:
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


async def _main(options: argparse.Namespace) -> None:
    """Obey lines such as {"fault": "cut", "after": 2, "first_text_s": 0.3}; each is answered by a line of counts."""
    async with faulty_provider(port=options.port) as provider:
        provider.first_text_s, provider.between_s = options.first_text_s, options.between_s
        print(json.dumps({"port": provider.port}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            told = json.loads(line)
            fault, after = told.pop("fault", provider.fault), told.pop("after", provider.after)
            for name, value in told.items():
                setattr(provider, name, value)
            await provider.misbehave(Fault(fault), after=after)
            counts = {"requests": provider.requests, "whole": provider.whole, "running": provider.running}
            print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-text-s", type=float, default=0.0)
    parser.add_argument("--between-s", type=float, default=0.0)
    asyncio.run(_main(parser.parse_args()))
