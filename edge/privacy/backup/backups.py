"""A site's backups as the node makes them: the file by a child, the keys beside it, the list of them.

A file gets its name when it is whole, on the disk, and on the list, so that whatever ends the work in its midst leaves
no backup at all. From the list on, no erasure misses the keys beside it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlite_utils import Database

from core.archives import BackupExists, BackupFailed
from core.files import fsync_folder
from core.version import VERSION
from edge.apart import NICENESS_BESIDE_TURNS, work_apart
from edge.config import Config, SitePaths, load_config
from edge.keys.recovery import recipient
from edge.privacy.backup import keys_file, making, manifest, rows
from edge.privacy.backup.keys_file import KeysFiles
from edge.privacy.backup.named_files import named_files
from edge.privacy.backup.places import at, there
from edge.privacy.backup.rows import Made
from edge.store.store import Store
from models.progress import Report

log = logging.getLogger(__name__)

SECONDS_MAX: Final = 12 * 3_600.0
"""A terabyte at the usual pace takes seven hours."""

ROOM: Final = 1.05
"""What a backup takes of what it holds: age adds 16 bytes to 65,536, tar a block to each file."""

ROOM_BYTES: Final = 64 * 1024 * 1024
"""And what must be left beside it: people's keys, and what others write meanwhile."""

BYTES_OF_MB: Final = 1_000_000


class Backups:
    """Used from one event loop. One backup at a time."""

    def __init__(self, store: Store, paths: SitePaths) -> None:
        self._store = store
        self._paths = paths
        self._making = asyncio.Lock()
        self.keys_files = KeysFiles(store, paths)

    async def make(self, file: Path, report: Report, *, replace: bool) -> Made:
        """Write a backup to `file`, an absolute path, and people's keys beside it.

        Raises BackupExists, BackupFailed, ConfigError, KeysUnusable.
        """
        if self._making.locked():
            raise BackupFailed("A backup is being made.", remedy="Wait until it is done.")
        async with self._making:
            config = load_config(self._paths)
            await _look_at(file, self._paths, replace=replace)
            await asyncio.to_thread(_check_room, file, self._paths)  # looks at every document
            return await self._write(file, config, report)

    def left_out(self) -> list[str]:
        """What is not in a backup that is made now. Raises ConfigError."""
        return left_out(load_config(self._paths), self._paths)

    async def listing(self) -> list[Made]:
        """All that were made, newest first."""
        return await self._store.read_keys(rows.listing)

    async def _write(self, file: Path, config: Config, report: Report) -> Made:
        made_ms, backup_id = time.time_ns() // 1_000_000, uuid.uuid4().hex
        task = self._task(file, config, made_ms, backup_id)
        try:
            written = await work_apart(making.__name__, task, report, BackupFailed, SECONDS_MAX)
        except BaseException:
            with suppress(OSError):
                await at(file.parent, partial(_part(file).unlink, missing_ok=True))
            raise
        made = Made(backup_id, made_ms, file, keys_file.beside(file), written.result["bytes"])
        await self._name(made)
        try:  # whoever gets an older backup learns of this one, and so do erasures there
            await self.keys_files.rewrite()
        except Exception:  # it is whole and on the list; the rest follows by the hour
            log.exception("people's keys beside the other backups were not written; they are tried again")
        return made

    async def _name(self, made: Made) -> None:
        """Put it on the list, then the keys beside it, then give it its name. Raises BackupFailed, KeysUnusable."""
        earlier = await self._store.write_keys(partial(_put_down, made=made))
        try:
            await self.keys_files.write(made.keys_file)
            await at(made.file.parent, partial(_give_name, made.file))
        except BaseException as error:
            await self._undo(made, earlier)
            if isinstance(error, OSError):
                raise BackupFailed(f"{error.filename}: {error.strerror}.") from None
            raise

    async def _undo(self, made: Made, earlier: Made | None) -> None:
        """No backup after all. What lies there all the same, or may, stays on the list: no erasure misses it."""
        try:
            left = await at(made.file.parent, partial(_take_away, made, alone=earlier is None))
        except OSError:
            left = True
        if earlier is not None:
            await self._store.write_keys(lambda db: rows.add(db, earlier))
        elif not left:
            await self._store.write_keys(lambda db: rows.remove(db, made.id))

    def _task(self, file: Path, config: Config, made_ms: int, backup_id: str) -> dict[str, Any]:
        """For the child, on its standard input."""
        keys = self._store.keys
        head = manifest.Head(
            format=manifest.FORMAT,
            id=backup_id,
            product=VERSION,
            site=config.site.name,
            site_id=config.site.id,
            made_ms=made_ms,
            encoder=config.models.encoder,
            store=keys_file.store_tag(keys.store),
            left_out=tuple(left_out(config, self._paths)),
        )
        receipts = keys.receipts.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return {
            "settings": {"niceness": NICENESS_BESIDE_TURNS},
            "site": str(self._paths.root),
            "target": str(_part(file)),
            "recipient": str(recipient(self._paths)),
            "store_key": keys.store.hex(),
            "data_keys": {"store": keys.store.hex(), "receipts": receipts.hex()},
            "bytes_per_s": config.backup.mb_per_s * BYTES_OF_MB,
            "head": head.model_dump(),
        }


async def newest(store: Store) -> Made | None:
    """The last one that was made, wherever it is now. One that was ended before it had its name does not count."""
    for made in await store.read_keys(rows.listing):
        if not await there([_part(made.file)]):
            return made
    return None


def left_out(config: Config, paths: SitePaths) -> list[str]:
    """What is not in a backup and comes from elsewhere, in sentences."""
    found = [
        f"Models: the vectors of documents are of {config.models.encoder}.",
        "The identity towards the control plane: a new machine enrols with a code of its own.",
        "People's keys: they are in the file beside the backup.",
    ]
    if paths.courier.exists() and not os.access(paths.courier, os.R_OK | os.X_OK):
        found.append(
            "The record of what left (courier/ledger.db): the node may not read it. Copy it as root."
        )
    return found + [f"The file that {name} names: {path}." for name, path in named_files(config)]


def _part(file: Path) -> Path:
    return file.with_name(file.name + making.PART_SUFFIX)


def _put_down(keys: Database, made: Made) -> Made | None:
    """Note it; the one that was at its place, and is no more. Raises BackupFailed."""
    place = made.file, made.keys_file
    earlier = next((one for one in rows.listing(keys) if (one.file, one.keys_file) == place), None)
    rows.add(keys, made)
    return earlier


def _give_name(file: Path) -> None:
    os.replace(_part(file), file)
    fsync_folder(file.parent)


def _take_away(made: Made, *, alone: bool) -> bool:
    """Remove what is of this one only; whether anything lies at its place. `alone`: nothing was on the list there."""
    _part(made.file).unlink(missing_ok=True)
    if made.file.exists():
        return True
    if alone:
        made.keys_file.unlink(missing_ok=True)
    return made.keys_file.exists()


async def _look_at(file: Path, paths: SitePaths, *, replace: bool) -> None:
    """As `_check_place`, beside the event loop."""
    try:
        await at(file.parent, partial(_check_place, file, paths, replace=replace))
    except OSError as error:
        raise BackupFailed(f"{error.filename}: {error.strerror}.") from None


def _check_place(file: Path, paths: SitePaths, *, replace: bool) -> None:
    """Raises BackupExists, BackupFailed."""
    if not file.is_absolute():
        raise BackupFailed(
            "The place of a backup is given from the root.", remedy="Give a path that begins with /."
        )
    if file.resolve().is_relative_to(paths.root):
        raise BackupFailed(
            "It would lie in the site's own folder, and be lost with it.", remedy="Choose a place outside."
        )
    if not file.parent.is_dir() or file.is_dir():
        raise BackupFailed(
            f"{file.parent} is no folder, or {file} is one.", remedy="Name a file in a folder that is there."
        )
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise BackupFailed(f"The node may not write into {file.parent}.")
    taken = [path for path in (file, keys_file.beside(file)) if path.exists()]
    if taken and not replace:
        raise BackupExists(f"{taken[0]} is there.")


def _check_room(file: Path, paths: SitePaths) -> None:
    """Raises BackupFailed."""
    store = sum(path.stat().st_size for path in paths.store.parent.glob(f"{paths.store.name}*"))
    needed = round((making.folders_bytes(paths) + store) * ROOM) + ROOM_BYTES
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise BackupFailed(
            f"{needed / 1e6:,.0f} MB are needed in {file.parent}, {free / 1e6:,.0f} MB are free.",
            remedy="Make room there, or choose another disk.",
        )
