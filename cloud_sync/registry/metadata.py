"""Signed metadata as The Update Framework 1.0 has it, made and read. Pure: keys and clock are the caller's.

https://theupdateframework.github.io/specification/latest/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Role, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from core.errors import PosternError

RoleName = Literal["root", "timestamp", "snapshot", "targets"]
ROLES: Final[tuple[RoleName, ...]] = ("root", "timestamp", "snapshot", "targets")
_HASH: Final = "sha256"

# Expiry stops new installs and nothing else. What a person must sign again is asked for once a year, with a reminder
# from `registry list`; what the control plane signs by itself is short, since it bounds how long a node can be shown
# an old state.
ROOT_DAYS: Final = 3 * 365
TARGETS_DAYS: Final = 365
SNAPSHOT_DAYS: Final = 30
TIMESTAMP_DAYS: Final = 3


class RegistryDamaged(PosternError):
    """Stored metadata cannot be read, or does not hold together."""

    code = "registry_damaged"
    title = "The registry is damaged"
    remedy = "Restore the control plane from its backup, then run `postern-cloud registry verify`."


@dataclass(frozen=True)
class Entry:
    """What a targets file says of one target."""

    target: str
    sha256: str
    length: int
    custom: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RoleKeys:
    """Who may sign a role; one signature of any of them does."""

    root: Key
    targets: Key
    snapshot: Key
    timestamp: Key


def root_signed(keys: RoleKeys, version: int, now: datetime, signers: Collection[CryptoSigner]) -> bytes:
    """Root metadata; `signers`: the key that it names, and the one that the root before it names."""
    root = Root(version, expires=_after(now, ROOT_DAYS), roles=_roles(), consistent_snapshot=True)
    for role in ROLES:
        root.add_key(getattr(keys, role), role)
    return _signed(root, signers)


def targets_signed(
    entries: Iterable[Entry], version: int, now: datetime, days: int, signer: CryptoSigner
) -> bytes:
    """What there is."""
    files = {entry.target: _target_file(entry) for entry in entries}
    return _signed(Targets(version, expires=_after(now, days), targets=files), [signer])


def snapshot_signed(targets: bytes, version: int, now: datetime, signer: CryptoSigner) -> bytes:
    """Which targets file is the current one."""
    meta = {"targets.json": _meta_file(targets)}
    return _signed(Snapshot(version, expires=_after(now, SNAPSHOT_DAYS), meta=meta), [signer])


def timestamp_signed(snapshot: bytes, version: int, now: datetime, signer: CryptoSigner) -> bytes:
    """Which snapshot is the current one, said anew all the time."""
    timestamp = Timestamp(version, expires=_after(now, TIMESTAMP_DAYS), snapshot_meta=_meta_file(snapshot))
    return _signed(timestamp, [signer])


def next_version(previous: int, now: datetime) -> int:
    """Above `previous`, and by the clock where that is more.

    A control plane restored from an old backup so goes on above everything that nodes have seen of it.
    """
    return max(previous + 1, int(now.timestamp()))


def half_over(content: bytes, days: int, now: datetime) -> bool:
    """Whether it is time to sign anew what was signed for `days`. Raises RegistryDamaged."""
    return _said(content).expires - now < timedelta(days=days) / 2


def expires_of(content: bytes) -> datetime:
    """When it ends. Raises RegistryDamaged."""
    return _said(content).expires


def version_of(content: bytes) -> int:
    """Raises RegistryDamaged."""
    return _said(content).version


def entries_of(targets: bytes) -> tuple[Entry, ...]:
    """What a targets file says. Raises RegistryDamaged."""
    signed = cast("Targets", _said(targets))
    return tuple(
        Entry(path, file.hashes[_HASH], file.length, dict(file.custom or {}))
        for path, file in signed.targets.items()
    )


def key_ids_of(root: bytes, role: RoleName) -> tuple[str, ...]:
    """Which keys may sign a role. Raises RegistryDamaged."""
    return tuple(cast("Root", _said(root)).roles[role].keyids)


def keys_of(root: bytes) -> RoleKeys:
    """The first key of each role. Raises RegistryDamaged."""
    signed = cast("Root", _said(root))
    return RoleKeys(**{role: signed.keys[signed.roles[role].keyids[0]] for role in ROLES})


def signed_by(content: bytes, root: bytes, role: RoleName) -> bool:
    """Whether the keys that `root` names for a role signed it. Raises RegistryDamaged."""
    metadata, delegator = _read(content), cast("Root", _said(root))
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError):
        return False
    return True


def _read(content: bytes) -> Metadata[Any]:
    try:
        return Metadata.from_bytes(content)
    except DeserializationError as error:
        raise RegistryDamaged("Stored metadata cannot be read.") from error


def _said(content: bytes) -> Signed:
    said: Signed = _read(content).signed
    return said


def _signed(content: Signed, signers: Collection[CryptoSigner]) -> bytes:
    metadata: Metadata[Any] = Metadata(content)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def _roles() -> dict[str, Role]:
    return {role: Role([], 1) for role in ROLES}


def _after(now: datetime, days: int) -> datetime:
    # The format knows whole seconds.
    return now.replace(microsecond=0) + timedelta(days=days)


def _meta_file(content: bytes) -> MetaFile:
    return MetaFile.from_data(version_of(content), content, [_HASH])


def _target_file(entry: Entry) -> TargetFile:
    custom = {"custom": dict(entry.custom)} if entry.custom else {}
    return TargetFile(entry.length, {_HASH: entry.sha256}, entry.target, custom)
