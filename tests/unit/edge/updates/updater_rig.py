"""An updater with a scripted control plane, and an installer whose versions are plain files."""

from __future__ import annotations

import asyncio
import errno
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.artifacts import Manifest
from core.files import write_atomic
from edge.config import site_paths
from edge.egress.fetch.client import FetchFailed
from edge.store.store import Store
from edge.updates import rows
from edge.updates.chunks import ChunkStore
from edge.updates.fetching import Fetching
from edge.updates.installer import Content, Figures, InstallRefused
from edge.updates.rows import UpdateRow
from edge.updates.updater import Updater
from edge.updates.wanted import Update
from edge.updates.watching import Baseline, Vitals
from tests.contract.courier_process import until
from tests.unit.edge.updates.packages import manifest_of, pieces_of

FILES = {"weights.bin": random.Random(8).randbytes(3 * 256 * 1024 + 7), "labels.txt": b"one two three"}

TIMES = 5
"""How much faster time goes by here: a watch of a second is over in a fifth of one."""


def update(version: str = "2.0", rollout: str = "r1", name: str = "org-minilm", watch_s: int = 1) -> Update:
    """What the control plane wants."""
    return Update(
        kind="model",
        name=name,
        version=version,
        target=f"model/{name}/{version}",
        rollout=rollout,
        watch_s=watch_s,
    )


@dataclass
class Cloud:
    """Both ports towards the control plane."""

    pieces: dict[str, bytes] = field(default_factory=lambda: pieces_of(FILES))
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    refusal: Exception | None = None
    """Of the trust."""
    cut_after: int = -1
    """Blobs after which the line breaks, once."""
    line: asyncio.Event = field(default_factory=asyncio.Event)
    served: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line.set()

    async def manifest(self, wanted: Update) -> Manifest:
        if self.refusal is not None:
            raise self.refusal
        return manifest_of(self.files, name=wanted.name, version=wanted.version)

    async def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[int, bytes], None]:
        for index, digest in enumerate(digests):
            await self.line.wait()
            if self.cut_after == len(self.served):
                self.cut_after = -1
                raise FetchFailed("cut")
            self.served.append(digest)
            content = self.pieces[digest]
            yield index, content[: len(content) // 2]
            yield index, content[len(content) // 2 :]


@dataclass
class Slots:
    """Versions as folders, and a pointer to the one that serves: as an installer of models works."""

    folder: Path
    gate_refusal: Exception | None = None
    unhealthy: str = ""
    way_back_is: str | None = None
    """In place of what the pointer says."""
    stop_at: str = ""
    """A method that hangs."""
    fails_at: str = ""
    """A method that fails half done, once."""
    calls: list[str] = field(default_factory=list)

    @property
    def pointer(self) -> Path:
        return self.folder / "current"

    def serving(self) -> str:
        """The version that would serve after a start; its files must be whole."""
        version = self.pointer.read_text()
        if version != "1.0":
            for path, content in FILES.items():
                assert (self.folder / version / path).read_bytes() == content
        return version

    def present(self, wanted: Update) -> Sequence[Path]:
        return ()

    async def stage(self, wanted: Update, content: Content) -> str:
        await self._call("stage")
        for file in content.manifest.files:
            await asyncio.to_thread(content.write, file.path, self.folder / wanted.version / file.path)
        return wanted.version

    async def gate(self, wanted: Update, staged: str) -> Figures:
        await self._call("gate")
        if self.gate_refusal is not None:
            raise self.gate_refusal
        return Figures(golden_permille=950, latency_us=800)

    async def way_back(self, wanted: Update, staged: str) -> str:
        return self.pointer.read_text() if self.way_back_is is None else self.way_back_is

    async def activate(self, wanted: Update, staged: str, way_back: str) -> None:
        await self._call("activate")
        write_atomic(self.pointer, staged.encode())

    async def health(self, wanted: Update, staged: str) -> str:
        return self.unhealthy

    async def settle(self, wanted: Update) -> None:
        await self._call("settle")

    async def keep(self, wanted: Update, staged: str, way_back: str) -> None:
        await self._call("keep")

    async def roll_back(self, wanted: Update, staged: str, way_back: str) -> None:
        await self._call("roll_back")
        write_atomic(self.pointer, way_back.encode())

    async def discard(self, wanted: Update, staged: str) -> None:
        await self._call("discard")

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            self.fails_at = ""
            raise OSError(errno.EIO, "the disk")
        if name == self.stop_at:
            await asyncio.Event().wait()


@dataclass
class Calm:
    """Vitals that say what they are told to."""

    now_is: Vitals = field(default_factory=Vitals)

    async def baseline(self, now_ms: int) -> str:
        return json.dumps({"turns": self.now_is.turns})

    async def now(self, baseline: str) -> tuple[Baseline, Vitals]:
        return Baseline(Vitals(**json.loads(baseline)), 0.1, 0.0), self.now_is


@dataclass
class Rig:
    """One node's updates; `running` is a life of its process."""

    folder: Path
    cloud: Cloud = field(default_factory=Cloud)
    vitals: Calm = field(default_factory=Calm)
    may_fetch: Callable[[], bool] = lambda: True
    settled_s: float = 3600.0

    def __post_init__(self) -> None:
        self.slots = Slots(self.folder / "slots")
        self.slots.folder.mkdir(parents=True)
        write_atomic(self.slots.pointer, b"1.0")
        self.store = Store.open(site_paths(self.folder / "site"))
        self.chunks = ChunkStore(self.folder / "blobs", spare_bytes=0)

    @asynccontextmanager
    async def running(self, *wanted: Update) -> AsyncIterator[Updater]:
        fetching = Fetching(self.cloud, self.chunks, self.may_fetch, look_s=0.01)
        updater = Updater(
            self.store,
            self.cloud,
            self.chunks,
            fetching,
            {"model": self.slots},
            self.vitals,
            now_ms=lambda: TIMES * time.time_ns() // 1_000_000,
            look_every_s=0.01,
            settled_s=self.settled_s,
        )
        updater.want(wanted)
        task = asyncio.create_task(updater.run())
        try:
            yield updater
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def listing(self) -> list[UpdateRow]:
        return await self.store.read(rows.listing)

    async def ended(self, wanted: Update) -> UpdateRow:
        """Wait until it has."""
        found: list[UpdateRow] = []

        async def look() -> bool:
            nonlocal found
            found = [row for row in await self.listing() if row.update == wanted and not row.running]
            return bool(found)

        await until(look)
        return found[0]

    async def at(self, step: str) -> None:
        """Wait until the newest update is there."""

        async def look() -> bool:
            newest = next(iter(await self.listing()), None)
            return newest is not None and newest.standing.step == step

        await until(look)

    async def told(self) -> list[tuple[str, str, str]]:
        """What goes up of it."""

        def read(db):
            query = "SELECT payload FROM outbox WHERE kind = 'update.step' ORDER BY sequence"
            return [json.loads(row[0]) for row in db.execute(query)]

        return [(one["step"], one["outcome"], one["reason"]) for one in await self.store.read(read)]


def refused(reason: str, *, passing: bool = False) -> InstallRefused:
    """By an installer or the trust."""
    return InstallRefused(reason, passing=passing)
