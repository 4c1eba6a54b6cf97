"""What each node is to run, as the control plane signs it: a repository for every node, made when the node asks.

A node takes a package only if the vendor's repository has the same, and if what is here names the node itself: neither
these keys alone nor another node's metadata make it install anything.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from cloud_sync.registry import metadata as tuf
from cloud_sync.registry.blobs import BlobMissing, Blobs
from cloud_sync.registry.metadata import Entry, RoleName
from cloud_sync.registry.signing_keys import OnlineKeys
from cloud_sync.store.assignments import assignments_of
from cloud_sync.store.database import Database
from cloud_sync.store.registry import (
    DIRECTOR,
    SHARED,
    ArtifactRow,
    add_metadata,
    artifacts_named,
    lock_metadata,
    metadata_of,
)
from core.artifacts import InvalidArtifact, read_manifest

# Signed without a person, so for as long as the vendor's snapshots.
TARGETS_DAYS: Final = tuf.SNAPSHOT_DAYS
# Of packages that nodes fetch: a rollout or two run at a time. Each is 4,096 digests at most, some 400 KB.
MANIFESTS_KEPT_MAX: Final = 16


class Director:
    """Signs for nodes, and says what each may fetch."""

    def __init__(
        self, database: Database, blobs: Blobs, online: OnlineKeys, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._online = online
        self._clock = clock
        self._chunks: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def metadata(self, node_id: str, role: RoleName, version: int | None) -> bytes | None:
        """A file as a node is served; a timestamp brings all up to date first.

        Raises RegistryKeyMissing, RegistryDamaged.
        """
        if role == "root":
            return await self._database.run(
                lambda connection: metadata_of(connection, DIRECTOR, SHARED, "root", version)
            )
        now = self._clock()

        def read(connection: sa.Connection) -> bytes | None:
            if role == "timestamp":
                self._bring_up_to_date(connection, node_id, now)
            return metadata_of(connection, DIRECTOR, node_id, role, version)

        return await self._database.run(read)

    def _bring_up_to_date(self, connection: sa.Connection, node_id: str, now: datetime) -> None:
        if not _stale(connection, node_id, now) or not lock_metadata(connection, node_id):
            return
        if _stale(connection, node_id, now):  # nobody else did it meanwhile
            _sign(connection, node_id, self._online, now)

    async def may_fetch(self, node_id: str, digests: frozenset[str]) -> bool:
        """Whether all of these are manifests that a node is assigned, or chunks that such a manifest names."""
        rows = await self._database.run(lambda connection: _assigned(connection, node_id))
        left = digests - {row.manifest_sha256 for row in rows}
        for row in rows:
            if left:
                left -= await self._chunks_of(row.manifest_sha256)
        return not left

    async def _chunks_of(self, manifest: str) -> frozenset[str]:
        known = self._chunks.get(manifest)
        if known is None:
            known = await asyncio.to_thread(_named_by, self._blobs, manifest)
            self._chunks[manifest] = known
            if len(self._chunks) > MANIFESTS_KEPT_MAX:
                self._chunks.popitem(last=False)
        return known


def _named_by(blobs: Blobs, manifest: str) -> frozenset[str]:
    """The chunks of a manifest; none where it cannot be read."""
    try:
        return frozenset(read_manifest(blobs.read(manifest)).chunk_sizes())
    except (BlobMissing, InvalidArtifact):
        return frozenset()


def _assigned(connection: sa.Connection, node_id: str) -> tuple[ArtifactRow, ...]:
    """The packages that a node is to run, as far as they are published and not withdrawn."""
    wanted = assignments_of(connection, [node_id]).get(node_id, ())
    return artifacts_named(connection, [one.target for one in wanted])


def _entries(connection: sa.Connection, node_id: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(row.target, row.manifest_sha256, row.manifest_bytes, {"node": node_id})
        for row in sorted(_assigned(connection, node_id), key=lambda row: row.target)
    )


def _stale(connection: sa.Connection, node_id: str, now: datetime) -> bool:
    """Whether a node must be signed for anew: other packages, other keys, or half of a signature's time over."""
    root = metadata_of(connection, DIRECTOR, SHARED, "root")
    if root is None:
        return False
    targets = metadata_of(connection, DIRECTOR, node_id, "targets")
    timestamp = metadata_of(connection, DIRECTOR, node_id, "timestamp")
    if targets is None or timestamp is None or not tuf.signed_by(timestamp, root, "timestamp"):
        return True
    if tuf.half_over(timestamp, tuf.TIMESTAMP_DAYS, now) or tuf.half_over(targets, TARGETS_DAYS, now):
        return True
    return tuf.entries_of(targets) != _entries(connection, node_id)


def _sign(connection: sa.Connection, node_id: str, online: OnlineKeys, now: datetime) -> None:
    """All three files anew: they are small, and one rule is easier to trust than three."""
    root = metadata_of(connection, DIRECTOR, SHARED, "root")
    assert root is not None
    ring = online.read()
    signer = {role: ring.signer(tuf.key_ids_of(root, role)) for role in tuf.ROLES if role != "root"}
    version = tuf.next_version(_version(connection, node_id), now)
    entries = _entries(connection, node_id)
    targets = tuf.targets_signed(entries, version, now, TARGETS_DAYS, signer["targets"])
    snapshot = tuf.snapshot_signed(targets, version, now, signer["snapshot"])
    timestamp = tuf.timestamp_signed(snapshot, version, now, signer["timestamp"])
    for role, content in (("targets", targets), ("snapshot", snapshot), ("timestamp", timestamp)):
        add_metadata(connection, DIRECTOR, node_id, role, version, content)


def _version(connection: sa.Connection, node_id: str) -> int:
    content = metadata_of(connection, DIRECTOR, node_id, "timestamp")
    return 0 if content is None else tuf.version_of(content)
