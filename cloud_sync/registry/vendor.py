"""What exists: packages that the organisation signs with keys of its own, which this machine sees only for the while.

The control plane alone signs how fresh that is (snapshots and timestamps); it cannot add a package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa

from cloud_sync.registry import metadata as tuf
from cloud_sync.registry.blobs import Blobs
from cloud_sync.registry.metadata import Entry, RegistryDamaged, RoleKeys, RoleName
from cloud_sync.registry.signing_keys import KeyRing, OnlineKeys, RegistryKeyMissing
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from cloud_sync.store.registry import (
    DIRECTOR,
    SHARED,
    VENDOR,
    ArtifactRow,
    add_artifact,
    add_metadata,
    all_artifacts,
    forget_minted,
    lock_metadata,
    metadata_of,
    withdraw_artifact,
)
from core.artifacts import Manifest
from core.errors import PosternError
from core.signing import content_hash

# A node takes a file of 900 KB at most (`edge.updates.trust`); an entry has 300 bytes with the longest names.
ARTIFACTS_MAX: Final = 2_500
Save = Callable[[KeyRing, KeyRing], None]
"""Keeps the rings of roots and of targets."""


class NoRegistry(PosternError):
    """Nobody has created the registry of this control plane."""

    code = "no_registry"
    title = "This control plane has no registry yet"
    remedy = "Create it: postern-cloud registry init --dir DIR --vendor-keys FOLDER."
    status = 404


class RegistryExists(PosternError):
    """There is one already; nodes trust its roots."""

    code = "registry_exists"
    title = "This control plane has a registry already"
    remedy = "Change its keys with `postern-cloud registry rotate-root`."
    status = 409


class VersionPublished(PosternError):
    """A version stays what it is."""

    code = "version_published"
    title = "This version was published already"
    remedy = "Publish what has changed under a new version."
    status = 409


class UnknownArtifact(PosternError):
    """No package of that name and version."""

    code = "unknown_artifact"
    title = "There is no such package"
    remedy = "List the packages: postern-cloud registry list."
    status = 404


class RegistryFull(PosternError):
    """As many packages as a node takes the list of."""

    code = "registry_full"
    title = "The registry has as many packages as it can"
    remedy = "Withdraw those that no node runs: postern-cloud registry withdraw."
    status = 409


@dataclass(frozen=True)
class Roots:
    """What a node trusts first: both repositories' roots as they are now."""

    vendor: bytes
    director: bytes


@dataclass(frozen=True)
class Standing:
    """What `registry list` shows beside the packages."""

    vendor_root_sha256: str
    director_root_sha256: str
    root_expires: datetime
    targets_expires: datetime
    sign_again: bool
    """Half of the time is over that a person's signature holds for."""
    targets_half_over: bool
    """That of the list; else it is the roots'."""


class Vendor:
    """Publishes, and serves what was published."""

    def __init__(
        self, database: Database, blobs: Blobs, online: OnlineKeys, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._online = online
        self._clock = clock

    async def create(self, root: KeyRing, targets: KeyRing, save: Callable[[], None], actor: str) -> None:
        """Both repositories, with new keys in the rings that are given, which `save` keeps before anything is signed.

        Raises RegistryExists, OSError, and what `save` raises.
        """
        now, online = self._clock(), KeyRing()
        vendor_root, director_root = root.new(), root.new()
        vendor_online, director_online = online.new(), online.new()
        fresh = vendor_online.public_key
        vendor = RoleKeys(vendor_root.public_key, targets.new().public_key, fresh, fresh)
        daily = director_online.public_key
        director = RoleKeys(director_root.public_key, daily, daily, daily)
        vendor_content = tuf.root_signed(vendor, 1, now, [vendor_root])
        director_content = tuf.root_signed(director, 1, now, [director_root])
        save()

        def write(connection: sa.Connection) -> None:
            if metadata_of(connection, VENDOR, SHARED, "root") is not None:
                raise RegistryExists()
            self._online.write(online)
            add_metadata(connection, VENDOR, SHARED, "root", 1, vendor_content)
            add_metadata(connection, DIRECTOR, SHARED, "root", 1, director_content)
            _sign_targets(connection, [], targets, now)
            _sign_fresh(connection, online, now)
            add_audit(connection, AuditRow(now, actor, "registry.created", "registry"))

        await self._database.run(write)

    async def publish(self, manifest: Manifest, keys: KeyRing, actor: str) -> ArtifactRow:
        """Say that a package exists, whose blobs are in the folder.

        Raises NoRegistry, VersionPublished, RegistryFull, RegistryKeyMissing.
        """
        content, now = manifest.content(), self._clock()
        row = ArtifactRow(
            target=manifest.target,
            kind=manifest.kind,
            name=manifest.name,
            version=manifest.version,
            manifest_sha256=content_hash(content).hex(),
            manifest_bytes=len(content),
            size_bytes=manifest.size,
            published_at=now,
            published_by=actor,
        )
        online = self._online.read()

        def write(connection: sa.Connection) -> None:
            entries = _published(connection)
            if any(entry.target == row.target for entry in entries):
                raise VersionPublished(f"{row.target} is there.")
            if len(entries) >= ARTIFACTS_MAX:
                raise RegistryFull(f"There are {len(entries)} packages.")
            entry = Entry(row.target, row.manifest_sha256, row.manifest_bytes)
            _sign_targets(connection, [*entries, entry], keys, now)
            _sign_fresh(connection, online, now)
            add_artifact(connection, row)
            add_audit(connection, AuditRow(now, actor, "registry.published", row.target, row.manifest_sha256))

        await self._database.run(write)
        return row

    async def withdraw(self, target: str, keys: KeyRing, actor: str) -> None:
        """Say that a package exists no longer: no node installs it from now on, whatever it is told.

        Raises NoRegistry, UnknownArtifact, RegistryKeyMissing.
        """
        now, online = self._clock(), self._online.read()

        def write(connection: sa.Connection) -> None:
            entries = _published(connection)
            left = [entry for entry in entries if entry.target != target]
            if len(left) == len(entries):
                raise UnknownArtifact(f"{target} is not published.")
            _sign_targets(connection, left, keys, now)
            _sign_fresh(connection, online, now)
            withdraw_artifact(connection, target, now)
            add_audit(connection, AuditRow(now, actor, "registry.withdrawn", target))

        await self._database.run(write)

    async def refresh(self, keys: KeyRing, actor: str) -> None:
        """Sign anew what the organisation has signed, for as long again. Raises NoRegistry, RegistryKeyMissing."""
        now, online = self._clock(), self._online.read()

        def write(connection: sa.Connection) -> None:
            _sign_targets(connection, _published(connection), keys, now)
            _sign_fresh(connection, online, now)
            add_audit(connection, AuditRow(now, actor, "registry.refreshed", "registry"))

        await self._database.run(write)

    async def rotate(self, root: KeyRing, targets: KeyRing, save: Save, actor: str) -> None:
        """New keys for every role, the roots signed by the old ones too.

        `save` keeps rings: called with old and new keys before anything is signed, with the new ones at the end, so
        that a crash in between loses none. Raises NoRegistry, RegistryKeyMissing, OSError.
        """
        rotated = Rotation(root, targets, self._online_if_any())
        self._online.write(rotated.online)
        save(root, targets)
        now = self._clock()

        def write(connection: sa.Connection) -> None:
            entries = _published(connection)
            old = _both_roots(connection)
            for repository, content, keys in (
                (VENDOR, old.vendor, rotated.vendor),
                (DIRECTOR, old.director, rotated.director),
            ):
                signers = [root.signer(tuf.key_ids_of(content, "root")), root.signer([keys.root.keyid])]
                version = tuf.version_of(content) + 1
                fresh = tuf.root_signed(keys, version, now, signers)
                add_metadata(connection, repository, SHARED, "root", version, fresh)
            forget_minted(connection)
            _sign_targets(connection, entries, targets, now)
            _sign_fresh(connection, rotated.online, now)
            add_audit(connection, AuditRow(now, actor, "registry.rotated", "registry"))

        await self._database.run(write)
        self._online.write(rotated.online.only(rotated.online_ids))
        save(root.only(rotated.root_ids), targets.only([rotated.vendor.targets.keyid]))

    async def packages(self) -> tuple[ArtifactRow, ...]:
        """Every package, withdrawn ones too."""
        return await self._database.run(all_artifacts)

    async def roots(self) -> Roots | None:
        """What a node trusts first; None: there is no registry."""

        def read(connection: sa.Connection) -> Roots | None:
            try:
                return _both_roots(connection)
            except NoRegistry:
                return None

        return await self._database.run(read)

    async def standing(self) -> Standing:
        """Raises NoRegistry, RegistryDamaged."""
        return await self._database.run(partial(_standing, now=self._clock()))

    async def metadata(self, role: RoleName, version: int | None) -> bytes | None:
        """A file as it is served; a timestamp is signed anew when half of its time is over.

        Raises RegistryKeyMissing, RegistryDamaged.
        """
        now = self._clock()

        def read(connection: sa.Connection) -> bytes | None:
            if role == "timestamp":
                self._keep_fresh(connection, now)
            return metadata_of(connection, VENDOR, SHARED, role, version)

        return await self._database.run(read)

    def _online_if_any(self) -> KeyRing:
        # Lost ones are replaced, which is what a rotation is for.
        try:
            return self._online.read()
        except RegistryKeyMissing:
            return KeyRing()

    def _keep_fresh(self, connection: sa.Connection, now: datetime) -> None:
        if not _stale(connection, now) or not lock_metadata(connection, SHARED):
            return
        if _stale(connection, now):  # nobody else did it meanwhile
            _sign_fresh(connection, self._online.read(), now)


class Rotation:
    """New keys beside the old ones in each ring, and what the next roots say of them."""

    def __init__(self, root: KeyRing, targets: KeyRing, online: KeyRing) -> None:
        self.online = online
        vendor_root, director_root = root.new().public_key, root.new().public_key
        fresh, daily = online.new().public_key, online.new().public_key
        self.vendor = RoleKeys(vendor_root, targets.new().public_key, fresh, fresh)
        self.director = RoleKeys(director_root, daily, daily, daily)
        self.root_ids = [vendor_root.keyid, director_root.keyid]
        self.online_ids = [fresh.keyid, daily.keyid]


def _both_roots(connection: sa.Connection) -> Roots:
    vendor = metadata_of(connection, VENDOR, SHARED, "root")
    director = metadata_of(connection, DIRECTOR, SHARED, "root")
    if vendor is None or director is None:
        raise NoRegistry()
    return Roots(vendor, director)


def _published(connection: sa.Connection) -> tuple[Entry, ...]:
    """What the signed targets say; from now on nobody else signs. Raises NoRegistry."""
    if not lock_metadata(connection, SHARED):
        raise NoRegistry()
    return tuf.entries_of(_newest(connection, "targets"))


def _newest(connection: sa.Connection, role: RoleName) -> bytes:
    content = metadata_of(connection, VENDOR, SHARED, role)
    if content is None:
        raise RegistryDamaged(f"There is no {role} metadata.")
    return content


def _sign_targets(connection: sa.Connection, entries: Iterable[Entry], keys: KeyRing, now: datetime) -> None:
    root = _both_roots(connection).vendor
    signer = keys.signer(tuf.key_ids_of(root, "targets"))
    version = tuf.next_version(_version(connection, "targets"), now)
    content = tuf.targets_signed(entries, version, now, tuf.TARGETS_DAYS, signer)
    add_metadata(connection, VENDOR, SHARED, "targets", version, content)


def _sign_fresh(connection: sa.Connection, online: KeyRing, now: datetime) -> None:
    """Snapshot and timestamp for the newest targets."""
    root = _both_roots(connection).vendor
    version = tuf.next_version(_version(connection, "snapshot"), now)
    signer = online.signer(tuf.key_ids_of(root, "snapshot"))
    snapshot = tuf.snapshot_signed(_newest(connection, "targets"), version, now, signer)
    add_metadata(connection, VENDOR, SHARED, "snapshot", version, snapshot)
    version = tuf.next_version(_version(connection, "timestamp"), now)
    signer = online.signer(tuf.key_ids_of(root, "timestamp"))
    timestamp = tuf.timestamp_signed(snapshot, version, now, signer)
    add_metadata(connection, VENDOR, SHARED, "timestamp", version, timestamp)


def _version(connection: sa.Connection, role: RoleName) -> int:
    content = metadata_of(connection, VENDOR, SHARED, role)
    return 0 if content is None else tuf.version_of(content)


def _stale(connection: sa.Connection, now: datetime) -> bool:
    """Whether there is a registry whose timestamp or snapshot must be signed anew."""
    if metadata_of(connection, VENDOR, SHARED, "root") is None:
        return False
    timestamp = metadata_of(connection, VENDOR, SHARED, "timestamp")
    snapshot = metadata_of(connection, VENDOR, SHARED, "snapshot")
    return (
        timestamp is None
        or snapshot is None
        or tuf.half_over(timestamp, tuf.TIMESTAMP_DAYS, now)
        or tuf.half_over(snapshot, tuf.SNAPSHOT_DAYS, now)
    )


def _standing(connection: sa.Connection, now: datetime) -> Standing:
    roots, targets = _both_roots(connection), _newest(connection, "targets")
    ends = min(tuf.expires_of(roots.vendor), tuf.expires_of(roots.director))
    half_over = tuf.half_over(targets, tuf.TARGETS_DAYS, now)
    return Standing(
        vendor_root_sha256=content_hash(roots.vendor).hex(),
        director_root_sha256=content_hash(roots.director).hex(),
        root_expires=ends,
        targets_expires=tuf.expires_of(targets),
        sign_again=half_over or ends - now < timedelta(days=tuf.ROOT_DAYS) / 2,
        targets_half_over=half_over,
    )
