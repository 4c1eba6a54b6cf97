"""Puts a control plane back from a backup: its folder beside the place where it goes, its rows in one transaction.

What was numbered after the backup was made is not given out again (`store.incarnation`). Nodes do the rest: they
refuse a desired state older than theirs, and say which of their rows are with neither side.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa
from pyrage.x25519 import Identity

from cloud_sync.backups import FOLDER, Head, check_name, read_head
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.rollouts.restored import hold_rollouts
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import StoreUnavailable, own_engine
from cloud_sync.store.incarnation import begin_incarnation
from cloud_sync.store.migrate import current, upgrade, upgrade_to
from cloud_sync.store.registry import forget_minted
from cloud_sync.store.schema import leases, metadata
from cloud_sync.store.tables import PREFIX, known_tables, load_part
from core import archives
from core.archives import BackupUnusable, Found, Manifest, Part, RestoreRefused
from core.errors import ConfigError
from core.files import PRIVATE_FILE_MODE, fsync_folder, private_folder, write_atomic

SQLITE = "sqlite"
"""In the place of a database's address: a file in the folder."""
# Of a part that is held in memory. Pages of rows have some megabytes; the manifest of 100,000 parts has 13.
SMALL_BYTES_MAX = 256 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """What to restore and how."""

    file: Path
    identities: Sequence[Identity]
    database: str = ""
    """Where the rows go: "" as the backup's settings say, SQLITE, or an address of PostgreSQL."""
    replace: bool = False


@dataclass(frozen=True)
class Restored:
    """What is there now."""

    head: Head
    incarnation: int
    nodes: int
    rows: int
    before: Path | None
    """Where the folder lies that was there."""


def restore(paths: CloudPaths, wanted: Wanted, actor: str, now: datetime) -> Restored:
    """Put a backup in the place of `paths`. Raises BackupUnusable, RestoreRefused, StoreUnavailable; all is as it was.

    The rows are there before the folder is: ended between the two, the same command finishes it (with `replace`).
    """
    occupied = paths.root.is_dir() and any(paths.root.iterdir())
    if occupied and not wanted.replace:
        raise RestoreRefused(f"{paths.root} is not empty.", remedy="Choose another folder, or say --replace.")
    if occupied:
        _stopped(paths, now)
    beside = CloudPaths(paths.root.with_name(f"{paths.root.name}.restoring"))
    shutil.rmtree(beside.root, ignore_errors=True)
    private_folder(beside.root)
    restoring = _Restoring(beside, wanted, actor, now)
    try:
        with ExitStack() as stack:
            restoring.read(stack)
        before = _change(paths.root, beside.root, occupied, now)
    finally:
        shutil.rmtree(beside.root, ignore_errors=True)
    assert restoring.head is not None
    return Restored(restoring.head, restoring.incarnation, restoring.nodes, restoring.rows, before)


def _change(root: Path, beside: Path, occupied: bool, now: datetime) -> Path | None:
    before = root.with_name(f"{root.name}.until-{now:%Y%m%dT%H%M%S}") if occupied else None
    if before is not None:
        os.rename(root, before)
    elif root.is_dir():
        root.rmdir()
    os.rename(beside, root)
    fsync_folder(root.parent)
    return before


_Store = tuple[sa.Connection, dict[str, sa.Table]]


@dataclass
class _Restoring:
    """One reading of a file; what came out of it so far."""

    paths: CloudPaths
    wanted: Wanted
    actor: str
    now: datetime
    head: Head | None = None
    incarnation: int = 0
    nodes: int = 0
    rows: int = 0
    found: dict[str, Part] = field(default_factory=dict)

    def read(self, stack: ExitStack) -> None:
        """Everything; commits at the end, when the file has proved to be whole."""
        with archives.reading(self.wanted.file, self.wanted.identities) as parts:
            head = self._head(parts)
            store: _Store | None = None
            listed: Manifest | None = None
            for part in parts:
                if listed is not None:
                    raise BackupUnusable("Something follows its end.")
                if part.name.startswith(FOLDER):
                    self._file(part)
                    continue
                # The folder is whole: its settings and keys say where the rows go.
                store = store or self._opened(head, stack)
                if part.name == archives.MANIFEST:
                    listed = archives.read_manifest(_content(part))
                else:
                    self._rows(store, part)
            if store is None or listed is None or listed.parts != self.found:
                raise BackupUnusable("It is cut off, or its parts are not those of its list.")
        # Only its end says that the file is genuine.
        self._finish(store[0], head)

    def _head(self, parts: Iterator[Found]) -> Head:
        first = next(parts, None)
        if first is None or first.name != archives.HEAD:
            raise BackupUnusable("It does not begin as a backup of Postern does.")
        self.head = read_head(_content(first))
        return self.head

    def _file(self, part: Found) -> None:
        place = self.paths.root / check_name(part.name)
        private_folder(place.parent)
        digest = sha256()
        with open(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE_MODE), "wb") as target:
            while chunk := part.content.read(CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        self.found[part.name] = Part(size=part.size, sha256=digest.hexdigest())

    def _opened(self, head: Head, stack: ExitStack) -> _Store:
        """The database, with empty tables. Raises ConfigError, StoreUnavailable, RestoreRefused, BackupUnusable."""
        if self.wanted.database:
            url = "" if self.wanted.database == SQLITE else self.wanted.database
            text = self.paths.config.read_text(encoding="utf-8")
            write_atomic(self.paths.config, with_database(text, url).encode())
        engine = own_engine(self.paths, load_settings(self.paths))
        stack.callback(engine.dispose)
        connection = stack.enter_context(engine.connect())
        self._make_room(connection)
        if not upgrade_to(connection, head.revision):
            raise BackupUnusable(
                "It was made by a later version.", remedy="Restore with that version or a later one."
            )
        return connection, known_tables(connection)

    def _make_room(self, connection: sa.Connection) -> None:
        if current(connection) is None:
            return
        if not self.wanted.replace:
            raise RestoreRefused(
                "The database holds a control plane.", remedy="Name an empty database, or say --replace."
            )
        _refuse_running(connection, self.now)
        found = sa.MetaData()
        found.reflect(connection, only=lambda name, _: name in metadata.tables or name == "alembic_version")
        found.drop_all(connection)

    def _rows(self, store: _Store, part: Found) -> None:
        if not part.name.startswith(PREFIX):
            raise BackupUnusable("It holds a part that no backup of a control plane has.")
        content = _content(part)
        self.found[part.name] = Part(size=len(content), sha256=sha256(content).hexdigest())
        number = load_part(*store, part.name, content)
        self.rows += number
        self.nodes += number if part.name.startswith(f"{PREFIX}nodes/") else 0

    def _finish(self, connection: sa.Connection, head: Head) -> None:
        upgrade(connection)
        begun = begin_incarnation(connection, head.made_at, self.now)
        hold_rollouts(connection, self.actor, self.now)
        detail = f"incarnation {begun.number}, of {head.made_at:%Y-%m-%d %H:%M} UTC"
        # Nodes may have seen newer signatures than the backup holds: all that this machine signs is signed anew.
        forget_minted(connection)
        add_audit(connection, AuditRow(self.now, self.actor, "plane.restored", "", detail))
        connection.commit()
        self.incarnation = begun.number


def _stopped(paths: CloudPaths, now: datetime) -> None:
    """Raises RestoreRefused when a control plane runs on the folder. One that cannot be read has none that does."""
    try:
        settings = load_settings(paths)
        if not settings.database.url.get_secret_value() and not paths.database.is_file():
            return
        engine = own_engine(paths, settings)
    except (ConfigError, StoreUnavailable):
        return
    try:
        with engine.connect() as connection:
            _refuse_running(connection, now)
    except sa.exc.DBAPIError:
        return
    finally:
        engine.dispose()


def _refuse_running(connection: sa.Connection, now: datetime) -> None:
    """Raises RestoreRefused while a replica holds a lease."""
    if not sa.inspect(connection).has_table(leases.name):
        return
    alive = sa.select(sa.func.count()).select_from(leases).where(leases.c.expires_at > now)
    if connection.execute(alive).scalar_one():
        remedy = "Stop every replica first. One that was killed counts as running for 15 seconds."
        raise RestoreRefused("A control plane runs on that database.", remedy=remedy)


def with_database(text: str, url: str) -> str:
    """The settings with another database's address. Pure."""
    line = f"url = {json.dumps(url)}"
    head, found, rest = text.partition("[database]\n")
    if not found:
        return f"{text.rstrip()}\n\n[database]\n{line}\n"
    section, bracket, after = rest.partition("\n[")
    changed, times = re.subn(r"(?m)^\s*url\s*=.*$", lambda _: line, section)
    return head + found + (changed if times else f"{line}\n{section}") + bracket + after


def _content(part: Found) -> bytes:
    if part.size > SMALL_BYTES_MAX:
        raise BackupUnusable(f"{part.name} is larger than any of a backup.")
    return part.content.read()
