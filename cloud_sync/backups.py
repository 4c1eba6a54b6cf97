"""A backup of a control plane: its folder and every row, as they were at one moment, in one file.

The file is `core.archives`': a tar in the age format, encrypted to the recovery key. It is written while the control
plane serves. It goes back into either engine (`restoring`).
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

import pyrage
from pydantic import BaseModel, ConfigDict, ValidationError
from pyrage.x25519 import Identity, Recipient

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.store.database import own_engine, snapshot
from cloud_sync.store.incarnation import current_incarnation
from cloud_sync.store.migrate import HEAD, current
from cloud_sync.store.tables import table_parts
from core import archives
from core.archives import BackupExists, BackupFailed, BackupUnusable, Source
from core.errors import ConfigError
from core.files import PRIVATE_FILE_MODE, fsync_folder, write_atomic
from core.version import VERSION

FOLDER = "folder/"
# The recovery key leaves the machine; a claim code is worth nothing later; the store is in rows.
_LEFT_OUT = frozenset({"recovery-key", "claim-code", "store"})
_TEMPORARY = re.compile(r"\.part$|\.tmp$|\.sock$")
NAME_CHARACTERS_MAX = 1_000


class Head(BaseModel):
    """What a backup says of itself first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    of: Literal["control plane"]
    product: str
    organisation: str
    revision: str
    """Of the tables."""
    incarnation: int
    made_ms: int

    @property
    def made_at(self) -> datetime:
        """The moment."""
        return datetime.fromtimestamp(self.made_ms / 1000, UTC)


@dataclass(frozen=True)
class Made:
    """A backup that lies on the disk."""

    file: Path
    size: int
    made_at: datetime


def read_head(content: bytes) -> Head:
    """Raises BackupUnusable."""
    try:
        return Head.model_validate_json(content)
    except ValidationError:
        raise BackupUnusable(
            "It is no backup of a control plane, or one of a later version.",
            remedy="A site's goes back with `postern restore`; take the version that made it, or a later one.",
        ) from None


def recovery_recipient(paths: CloudPaths) -> tuple[Recipient, bool]:
    """To whom backups are encrypted, and whether the key was made only now: it lies in `recovery-key` then.

    Raises ConfigError.
    """
    place = paths.keys / "recovery.pub"
    try:
        return Recipient.from_str(place.read_text(encoding="ascii").strip()), False
    except FileNotFoundError:
        identity = Identity.generate()
        write_atomic(paths.recovery_key, f"{identity}\n".encode())
        write_atomic(place, f"{identity.to_public()}\n".encode())
        return identity.to_public(), True
    except (OSError, UnicodeDecodeError, pyrage.RecipientError):
        raise ConfigError(f"{place} is damaged.", remedy="Put it back from a backup.") from None


def make_backup(paths: CloudPaths, settings: CloudSettings, file: Path, replace: bool, now: datetime) -> Made:
    """Write a backup to `file`. Raises BackupExists, BackupFailed, StoreUnavailable, ConfigError."""
    _check_place(paths, file, replace)
    recipient, _ = recovery_recipient(paths)
    part = file.with_name(file.name + ".part")
    try:
        with ExitStack() as stack:
            engine = own_engine(paths, settings)
            stack.callback(engine.dispose)
            connection = stack.enter_context(snapshot(engine))
            if current(connection) != HEAD:
                raise BackupFailed(
                    "The tables are of an earlier version.",
                    remedy="Start the control plane once, so that it brings them up to date.",
                )
            before = current_incarnation(connection)
            head = Head(
                format=1,
                of="control plane",
                product=VERSION,
                organisation=settings.organisation,
                revision=HEAD,
                incarnation=before.number if before else 0,
                made_ms=int(now.timestamp() * 1000),
            )
            part.unlink(missing_ok=True)
            target = stack.enter_context(
                open(os.open(part, os.O_CREAT | os.O_WRONLY, PRIVATE_FILE_MODE), "wb")
            )
            sources = _sources(head, paths, table_parts(connection), stack)
            archives.write(sources, target, recipient)
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, file)
        fsync_folder(file.parent)
    except OSError as error:
        raise BackupFailed(f"{error.filename or file}: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return Made(file, file.stat().st_size, now)


def _sources(
    head: Head, paths: CloudPaths, tables: Iterator[tuple[str, bytes]], stack: ExitStack
) -> Iterator[Source]:
    yield _source(archives.HEAD, head.model_dump_json().encode())
    # Settings and keys come first: whoever restores needs them to open a store.
    for name in _files(paths.root):
        with (paths.root / name).open("rb") as content:
            yield Source(f"{FOLDER}{name}", os.fstat(content.fileno()).st_size, content)
    for name, rows in tables:
        yield _source(name, rows)


def _source(name: str, content: bytes) -> Source:
    return Source(name, len(content), io.BytesIO(content))


def _files(root: Path) -> list[str]:
    """What of the folder is in a backup: plain files, no links, nothing half written."""
    found = []
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root)
        folders[:] = sorted(name for name in folders if str(inside / name) not in _LEFT_OUT)
        for name in sorted(names):
            path, whole = inside / name, root / inside / name
            plain = whole.is_file() and not whole.is_symlink() and not _TEMPORARY.search(name)
            if plain and str(path) not in _LEFT_OUT:
                found.append(path.as_posix())
    return found


def check_name(name: str) -> str:
    """The path in the folder of a part that is a file of it. Raises BackupUnusable: nothing climbs out."""
    inside = name.removeprefix(FOLDER)
    path = PurePosixPath(inside)
    plain = str(path) == inside and "\0" not in name and 0 < len(inside) <= NAME_CHARACTERS_MAX
    if not plain or path.is_absolute() or ".." in path.parts or path.parts[0] in _LEFT_OUT:
        raise BackupUnusable("It holds a part that no backup of a control plane has.")
    return inside


def _check_place(paths: CloudPaths, file: Path, replace: bool) -> None:
    if file.resolve().is_relative_to(paths.root.resolve()):
        raise BackupFailed(
            "It would lie in the control plane's own folder, and be lost with it.",
            remedy="Choose a place outside.",
        )
    if file.is_dir() or not file.parent.is_dir():
        detail = f"{file.parent} is no folder, or {file} is one."
        raise BackupFailed(detail, remedy="Name a file in a folder that is there.")
    if file.exists() and not replace:
        raise BackupExists(f"{file} is there.")
