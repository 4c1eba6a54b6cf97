"""A language model in a process of ours that misbehaves on command, and the node's worker around it."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from edge.inference.own_model import OwnModel
from edge.inference.worker import serve
from edge.inference.worker_client import WorkerClient
from models.errors import RuntimeUnavailable
from models.runtimes.port import GenerationResult, Message
from tests.contract.courier_process import until

GONE: Final = "gone"
"""Nothing is on the socket."""
KILLED: Final = "killed"
"""The connection breaks, as with a process that is killed."""
RAISES: Final = "raises"
HANGS: Final = "hangs"
EMPTY: Final = "empty"
ENDLESS: Final = "endless"
"""The words again and again."""


@dataclass
class FaultyGenerator:
    """A model that says its words, and fails after so many."""

    words: Sequence[str]
    fault: str = ""
    after: int = 0
    on_kill: Callable[[], None] = field(default=lambda: None)
    released: threading.Event = field(default_factory=threading.Event)
    name: str = "scripted"
    device: str = "CPU"
    context_tokens: int = 2048
    fallback: str = ""

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        """See `TextGenerator.generate`."""
        words = () if self.fault == EMPTY else cycle(self.words) if self.fault == ENDLESS else self.words
        said = 0
        for word in words:
            if said == self.after:
                self._fail()
            said += 1
            if on_text(word):
                return GenerationResult("", "stopped", 9, said)
            if said >= max_new_tokens:
                return GenerationResult("", "length", 9, said)
        return GenerationResult("", "stop", 9, said)

    def close(self) -> None:
        """Nothing to free."""

    def _fail(self) -> None:
        if self.fault == RAISES:
            raise RuntimeUnavailable("as told")
        if self.fault == KILLED:
            self.on_kill()
        if self.fault in (KILLED, HANGS):
            self.released.wait()


@asynccontextmanager
async def own_worker(words: Sequence[str], fault: str, after: int) -> AsyncIterator[OwnModel]:
    """A worker on its socket, behind a wire that can be cut."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        wire, socket, stop = _Wire(Path(folder) / "wire"), Path(folder) / "worker", asyncio.Event()
        generator = FaultyGenerator(words, fault, after, on_kill=lambda: loop.call_soon_threadsafe(wire.cut))
        serving = asyncio.create_task(serve(socket, lambda: generator, stop, model_name="small"))
        await until(socket.exists)
        listener = await asyncio.start_unix_server(wire.through(socket), wire.path)
        client = WorkerClient(wire.path)
        if fault == GONE:
            wire.path.unlink()
        try:
            yield OwnModel(client)
        finally:
            generator.released.set()
            await client.close()
            listener.close()
            await wire.ended()
            stop.set()
            await serving


@dataclass
class _Wire:
    """A Unix socket before another one."""

    path: Path
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _carrying: set[asyncio.Task[Any]] = field(default_factory=set)

    def through(self, target: Path) -> Callable[..., Any]:
        """Serves a connection by one to `target`."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_unix_connection(target)
            self._writers |= {writer, back}
            copies = {asyncio.create_task(_copy(reader, back)), asyncio.create_task(_copy(there, writer))}
            self._carrying |= copies
            await asyncio.wait(copies)

        return carry

    async def ended(self) -> None:
        """Both sides have closed their connections."""
        if self._carrying:
            await asyncio.wait(self._carrying)

    def cut(self) -> None:
        """As a process that is killed leaves its connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
