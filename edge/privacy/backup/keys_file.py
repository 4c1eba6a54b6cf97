"""FILE.keys: people's keys, what was erased, what is on hold, and the list of backups, in a small age file beside FILE.

It lives as long as FILE: each erasure writes all of them anew as the keys are now, and so does the node by the hour, so
that who is gone, erased or out of time, is soon in none. The node cannot read what it wrote: only the recovery key can.
A file that is not where it was written cannot be reached; that is why it is apart from FILE, small, and said to be kept
where the node can write. All that a site has say the same.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pyrage
from pyrage.x25519 import Identity, Recipient
from sqlite_utils import Database

from core.archives import BackupUnusable
from core.files import meant_for, write_atomic
from core.signing import canonical_json
from edge import metrics
from edge.config import SitePaths
from edge.keys.errors import KeysUnusable
from edge.keys.recovery import recipient
from edge.privacy.backup import rows
from edge.privacy.backup.places import at
from edge.privacy.backup.rows import Made
from edge.store.store import Store

log = logging.getLogger(__name__)

SUFFIX: Final = ".keys"
FORMAT: Final = "postern-keys-1"
REWRITE_INTERVAL_S: Final = 3_600.0
"""How long the key of a conversation that was wiped may stay in them: a write of some kilobytes an hour."""

TABLES: Final = ("subject_keys", "erasures", "holds", "backups")
_BYTES: Final = "base64"
"""In the place of a value that JSON cannot hold: {"base64": …}."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table; values as the database has them."""


@dataclass(frozen=True, slots=True)
class People:
    """What one file says, and when it was written."""

    tables: Rows
    written_ms: int


REWRITTEN, NOT_THERE = "rewritten", "not there"
"""What became of a file: the second also where the node may not write any more."""

WRITTEN_AT_ONCE: Final = 8
"""Files: each waits for the disk twice, and a disk takes several waits in one."""

TOLD_MAX: Final = 30
"""A month of daily backups, told one by one in each receipt; and each receipt is in each of these files."""

COMPONENT: Final = "keys_files"
_DAY_MS: Final = 86_400_000
"""A file whose content stays the same is written anew once in so long, so that it says of itself how old it is."""

_Look = tuple[int, int, int]
"""Inode, time of the last write, length: by which another file at the same place is known."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What all files are to hold. `says`: a digest of what is told, for `sealed` differs each time."""

    says: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class _Written:
    """A file as it was left."""

    says: bytes
    look: _Look


def beside(file: Path) -> Path:
    """Where the keys of the backup `file` are."""
    return file.with_name(file.name + SUFFIX)


def store_tag(store_key: bytes) -> str:
    """By which a backup and a file of keys know that they are of one store; says nothing of the key."""
    return sha256(b"postern backup of a store 1" + store_key).hexdigest()


def collect(keys: Database) -> Rows:
    """What the file holds, as it is now."""
    return {table: list(keys[table].rows) for table in TABLES}


def seal(found: Rows, tag: str, to: Recipient, written_ms: int) -> bytes:
    """The file's content. `tag`: of the store."""
    head = {"format": FORMAT, "store": tag, "written_ms": written_ms}
    content: bytes = pyrage.encrypt(canonical_json({**head, "tables": _plain_tables(found)}), [to])
    return content


def read(path: Path, tag: str, identities: Sequence[Identity]) -> People:
    """What the file says. Raises BackupUnusable: not there, damaged, for another recovery key, of another site."""
    try:
        found = json.loads(pyrage.decrypt(path.read_bytes(), list(identities)))
        tables = {table: [_values(row) for row in found["tables"][table]] for table in TABLES}
        people = People(tables, int(found["written_ms"]))
    except OSError as error:
        raise BackupUnusable(f"{path}: {error.strerror or 'damaged'}.") from None
    except pyrage.DecryptError as error:
        raise _unreadable(path, error) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackupUnusable(f"{path} is no file of people's keys, or damaged.") from None
    if found.get("format") != FORMAT:
        raise BackupUnusable(f"{path} is of another version of Postern.")
    if found.get("store") != tag:
        raise BackupUnusable(
            f"{path} belongs to another site than the backup.", remedy="Take the one that was made with it."
        )
    return people


def _unreadable(path: Path, error: pyrage.DecryptError) -> BackupUnusable:
    if "No matching keys" not in str(error):
        return BackupUnusable(f"{path} is no file of people's keys, or damaged.")
    return BackupUnusable(
        f"{path} was not encrypted to this recovery key.",
        remedy="Where it was replaced since the backup, give both: a file with a line each, the new one last.",
    )


def insert(keys: Database, found: Rows) -> None:
    """Put them into a file of keys; what is there already stays. Raises BackupUnusable for columns that it has not."""
    for table in TABLES:
        known = {column.name for column in keys[table].columns}
        for row in found[table]:
            if not row.keys() <= known:
                raise BackupUnusable("The people's keys are of a later version of Postern.")
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            keys.execute(
                f"INSERT OR IGNORE INTO {table}({names}) VALUES ({marks})",  # noqa: S608 - names of the schema
                list(row.values()),
            )


class KeysFiles:
    """The files of people's keys that a site has written. Used from one event loop."""

    def __init__(self, store: Store, site: SitePaths) -> None:
        self._store = store
        self._site = site
        self._writing = asyncio.Lock()
        self._at_once = asyncio.Semaphore(WRITTEN_AT_ONCE)
        self._written: dict[Path, _Written] = {}

    async def rewrite(self) -> list[dict[str, object]]:
        """Write all of them anew as the keys are now: after whatever shredded one, before that is called done.

        What became of the file of each backup, for a receipt: {"backup": id, "made_ms": …, "keys_file": "rewritten"};
        of those behind the TOLD_MAX newest together: {"backups": how many, "from_ms": …, "to_ms": …, "keys_file": …}.
        A place that is away or does not answer is told as not there, and ends nothing.
        """
        async with self._writing:  # what is read last is written last
            backups = await self._store.read_keys(rows.listing)
            done: set[Path] = set()
            if backups:
                with suppress(KeysUnusable):
                    done = await self._write({made.keys_file for made in backups}, await self._content())
        return _told([(made, REWRITTEN if made.keys_file in done else NOT_THERE) for made in backups])

    async def write(self, path: Path) -> None:
        """Write one for the first time. Its backup is on the list already, so that no erasure misses it.

        Raises OSError, KeysUnusable.
        """
        async with self._writing:
            content = await self._content()
            await at(path.parent, partial(write_atomic, path, content.sealed))

    async def keep(self) -> None:
        """By the hour, for as long as the node runs; whatever goes wrong at one time is tried again at the next."""
        while True:
            try:
                await self.rewrite()
            except Exception:
                metrics.fall_back(COMPONENT, "failed")
                log.exception(
                    "people's keys beside the backups were not written; they are tried again in an hour"
                )
            else:
                metrics.recover(COMPONENT)
            await asyncio.sleep(REWRITE_INTERVAL_S)

    async def _write(self, places: Collection[Path], content: _Content) -> set[Path]:
        """Which of the files are as `content` says."""
        folders: dict[Path, set[str]] = defaultdict(set)
        for path in places:
            folders[path.parent].add(path.name)
        sweeps = [at(folder, partial(_sweep, folder, names)) for folder, names in folders.items()]
        await asyncio.gather(*sweeps, return_exceptions=True)  # what fails there fails below, and is told
        done = await asyncio.gather(*(self._write_one(path, content) for path in places))
        return {path for path in done if path is not None}

    async def _write_one(self, path: Path, content: _Content) -> Path | None:
        async with self._at_once:
            before = self._written.pop(path, None)
            same = before.look if before is not None and before.says == content.says else None
            try:
                look = await at(path.parent, partial(_rewrite, path, content.sealed, same))
            except OSError:
                return None
        if look is None:
            return None
        self._written[path] = _Written(content.says, look)
        return path

    async def _content(self) -> _Content:
        """Raises KeysUnusable."""
        found = await self._store.read_keys(collect)
        tag, to = store_tag(self._store.keys.store), recipient(self._site)
        return await asyncio.to_thread(_content, found, tag, to)


def _content(found: Rows, tag: str, to: Recipient) -> _Content:
    now_ms = time.time_ns() // 1_000_000
    says = sha256(canonical_json(_plain_tables(found)) + f"{to} {now_ms // _DAY_MS}".encode()).digest()
    return _Content(says, seal(found, tag, to, now_ms))


def _rewrite(path: Path, content: bytes, same: _Look | None) -> _Look | None:
    """How the file looks that has `content`; None where there is none to be replaced. Raises OSError.

    same    how it looked when something was written that says the same
    """
    if not path.is_file():
        return None
    if same is None or _look(path) != same:
        write_atomic(path, content)
    return _look(path)


def _sweep(folder: Path, names: Collection[str]) -> None:
    """Remove what a write left that was killed in its midst: everybody's keys of then, which nobody writes anew."""
    for path in folder.iterdir():
        if meant_for(path.name) in names:
            path.unlink(missing_ok=True)


def _told(files: Sequence[tuple[Made, str]]) -> list[dict[str, object]]:
    """For a receipt. `files`: newest first, each with what became of it."""
    told: list[dict[str, object]] = [
        {"backup": made.id, "made_ms": made.made_ms, "keys_file": became} for made, became in files[:TOLD_MAX]
    ]
    for each in (REWRITTEN, NOT_THERE):
        times = [made.made_ms for made, became in files[TOLD_MAX:] if became == each]
        if times:
            span = {"backups": len(times), "from_ms": min(times), "to_ms": max(times)}
            told.append({**span, "keys_file": each})
    return told


def _look(path: Path) -> _Look:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _plain_tables(found: Rows) -> dict[str, list[dict[str, Any]]]:
    return {table: [_plain(row) for row in found[table]] for table in TABLES}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {_BYTES: base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Raises KeyError, ValueError for what `_plain` did not write."""
    return {
        name: base64.b64decode(value[_BYTES], validate=True) if isinstance(value, dict) else value
        for name, value in row.items()
    }
