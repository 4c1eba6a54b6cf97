"""A node's updates in a process of its own, to be recorded and killed: the real updater, store, chunks and slots.

Only the models are small, and neither converted nor asked their golden set. FOLDER of
`python -m tests.bench.update_walk run FOLDER` holds `site/`, `models/` and what the control plane would serve,
`published/VERSION/`. Of the versions, the second is kept and the third goes back.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from core.artifacts import CHUNK_BYTES_MIN, ArtifactFile, Manifest, cut
from edge.config import SitePaths, site_paths
from edge.egress.envelope import load_or_create_key
from edge.egress.fetch.client import FetchClient
from edge.egress.records.guard import Guard
from edge.store.store import Store
from edge.updates import rows
from edge.updates.chunks import ChunkStore
from edge.updates.fetching import Fetching, Source
from edge.updates.installer import Figures
from edge.updates.model_installer import ModelInstaller
from edge.updates.model_slots import ModelSlots, count_start
from edge.updates.updater import Updater
from edge.updates.wanted import Update
from edge.updates.watching import Baseline, Vitals
from models import versions
from tests.projected_encoder import HEAD

NAME: Final = "projected"
BEFORE: Final = "before"
VERSIONS: Final = ("2.0", "3.0")
BAD: Final = "3.0"
PIECE_BYTES: Final = 64 * 1024
BYTES_PER_S: Final = "POSTERN_BENCH_BYTES_PER_S"
"""In the environment: chunks come through the site's courier, so fast at most."""


def update(version: str) -> Update:
    """What the control plane wants."""
    target = f"model/{NAME}/{version}"
    return Update(
        kind="model", name=NAME, version=version, target=target, rollout=f"r{version[0]}", watch_s=1
    )


def manifest_of(folder: Path, version: str) -> Manifest:
    """What is published in a folder."""
    files = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        chunks = tuple(digest for digest, _ in cut(BytesIO(content), CHUNK_BYTES_MIN))
        files.append(
            ArtifactFile(path=path.name, size=len(content), sha256=sha256(content).hexdigest(), chunks=chunks)
        )
    return Manifest(kind="model", name=NAME, version=version, chunk_bytes=CHUNK_BYTES_MIN, files=tuple(files))


class Cloud:
    """Serves what is published."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._chunks: dict[str, bytes] = {}
        for version in VERSIONS:
            for path in (root / "published" / version).iterdir():
                self._chunks.update(cut(BytesIO(path.read_bytes()), CHUNK_BYTES_MIN))

    async def manifest(self, wanted: Update) -> Manifest:
        return manifest_of(self._root / "published" / wanted.version, wanted.version)

    async def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[int, bytes], None]:
        for index, digest in enumerate(digests):
            content = self._chunks[digest]
            for start in range(0, len(content), PIECE_BYTES):
                await asyncio.sleep(0)
                yield index, content[start : start + PIECE_BYTES]


class _Small(ModelInstaller):
    """The slots are real; staging copies, and the gate passes."""

    def __init__(self, slots: ModelSlots, staging: Path) -> None:
        super().__init__(slots, staging, self._nothing, lambda _: "", lambda _: False)
        self._models_dir = slots.models_dir

    async def _nothing(self, name: str) -> None:
        pass

    async def gate(self, update: Update, staged: str) -> Figures:
        return Figures(golden_permille=1000)

    async def health(self, update: Update, staged: str) -> str:
        return "quality" if update.version == BAD else ""

    async def _work(self, task: dict[str, Any]) -> dict[str, Any]:
        folder = versions.begin(self._models_dir, NAME, "1.0")
        for path in Path(task["source"]).iterdir():
            with (folder / path.name).open("wb") as file:
                file.write(path.read_bytes())
                file.flush()
                os.fsync(file.fileno())
        return {"folder": str(folder)}


class Calm:
    """Vitals of a node to which nothing happens."""

    async def baseline(self, now_ms: int) -> str:
        return "{}"

    async def now(self, baseline: str) -> tuple[Baseline, Vitals]:
        return Baseline(Vitals(), None, 0.0), Vitals()


def prepare(root: Path, size: int) -> None:
    """A site that serves by a model of its own, and two versions of another to come, of `size` bytes each."""
    paths = site_paths(root / "site")
    paths.root.mkdir(parents=True)
    paths.config.write_text(f'[site]\nid = "walk"\nname = "Walk"\n\n[models]\nencoder = "{BEFORE}"\n')
    for name, folder in ((BEFORE, "serving"), *((NAME, f"published/{version}") for version in VERSIONS)):
        _model(root / folder, name, size if name == NAME else 1000)
    versions.activate(Path(shutil.copytree(root / "serving", root / "models" / BEFORE / "1.0")))
    asyncio.run(Store.open(paths).close())


def _model(folder: Path, name: str, size: int) -> None:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(os.urandom(size))
    (folder / "tokenizer.json").write_bytes(os.urandom(100))
    lines = [
        f'"{path.name}" = "{sha256(path.read_bytes()).hexdigest()}"\n' for path in sorted(folder.iterdir())
    ]
    (folder / "model.toml").write_text(HEAD.replace(f'name = "{NAME}"', f'name = "{name}"') + "".join(lines))


def _source(paths: SitePaths) -> Source | None:
    """The node's own way through its courier, where that is what is measured."""
    rate = int(os.environ.get(BYTES_PER_S, "0"))
    if not rate:
        return None
    return FetchClient(paths.courier_socket, Guard(load_or_create_key(paths.keys)), lambda: rate)


async def _ends(store: Store) -> dict[str, str]:
    """How updates ended, by version."""
    found = await store.read(rows.listing)
    return {row.update.version: row.standing.end.value for row in found if row.standing.end is not None}


async def run(root: Path) -> dict[str, str]:
    """A life of the node, until both updates have ended; how each did."""
    paths, models = site_paths(root / "site"), root / "models"
    count_start(paths, models)
    store = Store.open(paths)
    chunks, cloud = ChunkStore(paths.updates / "blobs", spare_bytes=0), Cloud(root)
    installer = _Small(ModelSlots(paths, models), paths.updates / "staging")
    fetching = Fetching(_source(paths) or cloud, chunks, lambda: True)
    updater = Updater(store, cloud, chunks, fetching, {"model": installer}, Calm(), look_every_s=0.02)
    sys.stdout.write("runs\n")
    sys.stdout.flush()
    running = asyncio.create_task(updater.run())
    # What ended in a life before is not wanted again: what came after it would be withdrawn for it.
    ended = await _ends(store)
    for version in VERSIONS:
        if version not in ended:
            updater.want([update(version)])
        while version not in ended:
            await asyncio.wait((running,), timeout=0.02)
            if running.done():
                running.result()
            ended = await _ends(store)
    running.cancel()
    await asyncio.wait((running,))
    await store.close()
    return ended


if __name__ == "__main__":
    json.dump(asyncio.run(run(Path(sys.argv[2]))), sys.stdout)
