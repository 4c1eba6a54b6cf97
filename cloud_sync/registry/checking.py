"""Whether the registry holds together: signatures, list, manifests, chunks; and chunks that nothing names any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final

import sqlalchemy as sa

from cloud_sync.registry import metadata as tuf
from cloud_sync.registry.blobs import BlobMissing, Blobs
from cloud_sync.registry.metadata import RegistryDamaged
from cloud_sync.store.database import Database
from cloud_sync.store.registry import DIRECTOR, SHARED, VENDOR, ArtifactRow, all_artifacts, metadata_of
from core.artifacts import InvalidArtifact, read_manifest

# Publishing 16 GiB to a slow disk takes an hour; its list of packages is signed at the end.
UNTOUCHED_S: Final = 24 * 3600.0


@dataclass(frozen=True)
class Checked:
    """What was looked at, and what is wrong with it."""

    packages: int
    chunks: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Pruned:
    """What was removed."""

    blobs: int
    bytes: int


async def check(
    database: Database, blobs: Blobs, now: datetime, on_package: Callable[[str], None]
) -> Checked:
    """Every signature and every byte; `on_package` is told each target before its files are read."""
    rows, faults = await database.run(partial(_check_signed, now=now))
    chunks: set[str] = set()
    for row in rows:
        on_package(row.target)
        faults += await asyncio.to_thread(_check_package, row, blobs, chunks)
    return Checked(len(rows), len(chunks), tuple(faults))


async def prune(database: Database, blobs: Blobs, now: datetime) -> Pruned:
    """Remove what no published package names. What was written lately stays: a package may be on its way.

    Raises BlobMissing, InvalidArtifact: where a manifest cannot be read, nothing is removed. OSError.
    """
    rows = [row for row in await database.run(all_artifacts) if row.withdrawn_at is None]
    return await asyncio.to_thread(_prune, rows, blobs, now.timestamp())


def _prune(rows: list[ArtifactRow], blobs: Blobs, now_s: float) -> Pruned:
    named = {row.manifest_sha256 for row in rows}
    for row in rows:
        named |= set(read_manifest(blobs.read(row.manifest_sha256)).chunk_sizes())
    freed = [blobs.remove(digest, UNTOUCHED_S, now_s) for digest in list(blobs.all()) if digest not in named]
    return Pruned(sum(size > 0 for size in freed), sum(freed))


def _check_signed(connection: sa.Connection, now: datetime) -> tuple[list[ArtifactRow], list[str]]:
    rows = [row for row in all_artifacts(connection) if row.withdrawn_at is None]
    root = metadata_of(connection, VENDOR, SHARED, "root")
    if root is None or metadata_of(connection, DIRECTOR, SHARED, "root") is None:
        return rows, ["there is no registry: postern-cloud registry init"]
    faults = [fault for role in tuf.ROLES for fault in _role_faults(connection, root, role, now)]
    targets = metadata_of(connection, VENDOR, SHARED, "targets")
    if targets is not None:
        listed = {(row.target, row.manifest_sha256, row.manifest_bytes) for row in rows}
        signed = {(entry.target, entry.sha256, entry.length) for entry in tuf.entries_of(targets)}
        faults += [f"{target}: listed and signed differ" for target, *_ in sorted(listed ^ signed)]
    return rows, faults


def _role_faults(connection: sa.Connection, root: bytes, role: tuf.RoleName, now: datetime) -> Iterator[str]:
    content = metadata_of(connection, VENDOR, SHARED, role)
    if content is None:
        yield f"{role}: there is none"
        return
    try:
        if not tuf.signed_by(content, root, role):
            yield f"{role}: not signed by the keys of the root"
        # What the control plane signs by itself is signed anew when a node asks.
        if role in {"root", "targets"} and tuf.expires_of(content) <= now:
            yield f"{role}: expired"
    except RegistryDamaged:
        yield f"{role}: cannot be read"


def _check_package(row: ArtifactRow, blobs: Blobs, chunks: set[str]) -> list[str]:
    try:
        manifest = read_manifest(blobs.read(row.manifest_sha256))
    except (BlobMissing, InvalidArtifact) as error:
        return [f"{row.target}: {error.detail}"]
    faults = []
    for file in manifest.files:
        whole = sha256()
        try:
            for digest in file.chunks:
                whole.update(blobs.read(digest))
        except BlobMissing as error:
            faults.append(f"{row.target}: {file.path}: {error.detail}")
            continue
        chunks.update(file.chunks)
        if whole.hexdigest() != file.sha256:
            faults.append(f"{row.target}: {file.path}: its chunks do not make it up")
    return faults
