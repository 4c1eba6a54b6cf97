"""A link that can be cut, and that may be slow and lose packets: a TCP proxy in a thread of its own."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

READ_BYTES = 1 << 16
# What a sender waits at least before it takes a packet for lost and sends it again: Linux' TCP_RTO_MIN.
RESEND_S = 0.2


class LinkProxy:
    """From a port of its own to another of this machine. `delay_s` each way; `loss`: share of reads that come late."""

    def __init__(self, port: int, listen_port: int, *, delay_s: float = 0.0, loss: float = 0.0) -> None:
        self._delay_s, self._loss = delay_s, loss
        self._chance = random.Random(port)
        self.came: list[tuple[float, int]] = []
        """From the target: when (monotonic seconds), and bytes."""
        self.endpoint = f"127.0.0.1:{listen_port}"
        self._target, self._port = port, listen_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="link", daemon=True).start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    @property
    def bytes_down(self) -> int:
        """That have come from the target."""
        return sum(size for _, size in tuple(self.came))

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Connections break, and none is made."""
        self._loop.call_soon_threadsafe(self._cut)
        try:
            yield
        finally:
            self._is_cut = False

    def close(self) -> None:
        """For good."""
        self._loop.call_soon_threadsafe(self._cut)
        self._loop.call_soon_threadsafe(self._server.close)

    def _cut(self) -> None:
        self._is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, out}
        await asyncio.gather(self._pump(reader, out), self._pump(there, writer, counted=True))
        self._writers -= {writer, out}

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                if counted:
                    self.came.append((time.monotonic(), len(data)))
                if self._delay_s:
                    await asyncio.sleep(self._delay_s + RESEND_S * (self._chance.random() < self._loss))
                writer.write(data)
                await writer.drain()
        writer.close()
