"""A registry on an encrypted store of its own, with a clock that the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud_sync.config import CloudPaths
from cloud_sync.registry.blobs import Blobs
from cloud_sync.registry.director import Director
from cloud_sync.registry.packing import pack
from cloud_sync.registry.signing_keys import KeyRing, OnlineKeys
from cloud_sync.registry.vendor import Vendor
from cloud_sync.store.assignments import Assignment, add_assignments
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import ACTIVE, NodeRow, add_node
from core.artifacts import Manifest, Requires
from tests.cloud_store import opened_store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NODE, OTHER = "node-one", "node-two"

BOTH = pytest.mark.parametrize("registry", [False, True], indirect=True, ids=["sqlite", "postgres"])
"""Runs a test on both engines."""


@dataclass
class Clock:
    """Stands still until it is turned."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Registry:
    """All of it, and the organisation's keys."""

    database: Database
    blobs: Blobs
    online: OnlineKeys
    vendor: Vendor
    director: Director
    clock: Clock
    files: Path
    root: KeyRing = field(default_factory=KeyRing)
    targets: KeyRing = field(default_factory=KeyRing)
    generation: int = 0

    async def published(self, version: str = "1.0.0", content: bytes = b"a model") -> Manifest:
        folder = self.files / version
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.bin").write_bytes(content)
        manifest = pack(folder, "model", "encoder", version, Requires(), self.blobs)
        await self.vendor.publish(manifest, self.targets, "ada")
        return manifest

    async def assign(self, target: str, node: str = NODE) -> None:
        kind, name, version = target.split("/")
        self.generation += 1
        one = Assignment(node, kind, name, version, target, "r-1", 900)
        await self.database.run(lambda connection: add_assignments(connection, [one], self.generation))


@pytest.fixture
async def registry(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Registry]:
    """With nothing published; on SQLite, or as BOTH says."""
    engine = (
        request.getfixturevalue("postgres").empty_tables()
        if hasattr(request, "param") and request.param
        else ""
    )
    paths = CloudPaths(tmp_path / "cloud")
    async with opened_store(paths.root, engine) as database:
        clock, blobs, online = Clock(), Blobs(paths.blobs), OnlineKeys(paths.registry_keys)
        vendor = Vendor(database, blobs, online, clock)
        director = Director(database, blobs, online, clock)
        made = Registry(database, blobs, online, vendor, director, clock, tmp_path / "files")
        await vendor.create(made.root, made.targets, lambda: None, "ada")
        for node in (NODE, OTHER):
            row = NodeRow(node, "St. Anna", node, "default", ACTIVE, b"f", START + timedelta(days=365), START)
            await database.run(lambda connection, row=row: add_node(connection, row))  # type: ignore[misc]
        yield made
