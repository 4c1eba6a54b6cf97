"""The store: one writer thread that commits in groups, and a reader beside it.

Callers pass a function of the database and await its result. The writer takes whatever waits (never a timer),
runs each function in a savepoint of one transaction, commits once and then resolves all: a result means durable.
Floor: one fsync a group. Bounded: past WRITES_WAITING_MAX a write is refused at once (StoreBusy).
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlcipher3 import OperationalError
from sqlite_utils import Database

from core.errors import PosternError
from edge.config import SitePaths
from edge.keys import SiteKeys
from edge.store import audit, migrations
from edge.store.connection import BUSY_TIMEOUT_MS, StoreUnusable, connect, lock
from edge.store.head import Head, committed_groups, count_group, note_of
from edge.store.subjects import SubjectDigests
from edge.store.unwritable import told

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITES_WAITING_MAX = 2048  # at ~40,000 rows/s in groups this is 50 ms of work
GROUP_MAX = 64  # past this a group gains little: the fsync is spread thin already
CLOSE_TIMEOUT_S = 5.0
COMPACT_BYTES_MAX = 128 * 2**20  # three seconds, and as much memory, of the node's 700 MB
# Free pages that are worth a write: a burst that has gone up, not the day's coming and going.
SPACE_BYTES_MIN = 4 * 2**20
# Given back at once: 20 ms of work, which no customer's write waits longer for.
SPACE_PAGES_MAX = 1024
LOG_WAIT_MS = 250  # a write may wait so long behind it: far from BUSY_TIMEOUT_MS, and no customer sees it


class StoreBusy(PosternError):
    """More writes wait than the store takes on."""

    code = "store_busy"
    title = "The store is busy"
    remedy = "Try again in a moment."
    status = 503
    # A full queue of writes is a fraction of a second of work.
    retry_after_s = 1


class StoreClosed(PosternError):
    """The store is closing; nothing more is written."""

    code = "store_closed"
    title = "The node is stopping"
    remedy = "Try again when the node is back."
    status = 503
    # A supervised node is back within this.
    retry_after_s = 5


@dataclass(frozen=True)
class _Write:
    run: Callable[[Database], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    alone: bool = False


class GroupWriter:
    """One thread that owns the writing connection of one database file."""

    def __init__(self, db: Database, name: str, head: Head) -> None:
        self._db = db
        self._head = head
        self._committed = committed_groups(db)
        head.note(self._committed)
        self._waiting: queue.Queue[_Write | None] = queue.Queue(WRITES_WAITING_MAX)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    async def write(self, run: Callable[[Database], T]) -> T:
        """Run in the writer thread, inside a transaction; returns once the result is durable."""
        return await self._put(run, alone=False)

    async def alone(self, run: Callable[[Database], T]) -> T:
        """As `write`, but outside a transaction, for what SQLite does in none; after the writes that wait already."""
        return await self._put(run, alone=True)

    def close(self) -> None:
        """Commit what waits, then end the thread and the connection."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._db.conn.close()
        self._head.close()

    async def _put(self, run: Callable[[Database], T], *, alone: bool) -> T:
        if self._closed:
            raise StoreClosed
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        try:
            self._waiting.put_nowait(_Write(run, future, loop, alone))
        except queue.Full:
            raise StoreBusy from None
        return await future

    def _serve(self) -> None:
        last = False
        while not last:
            group, last = self._next_group()
            if together := [write for write in group if not write.alone]:
                self._commit(together)
            for write in group:
                if write.alone:
                    _resolve([(write, *_run_alone(write, self._db))])

    def _next_group(self) -> tuple[list[_Write], bool]:
        """What waits now, at least one; True once the end was asked for."""
        group: list[_Write] = []
        item = self._waiting.get()
        while item is not None:
            group.append(item)
            if len(group) == GROUP_MAX:
                return group, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Write]) -> None:
        execute = self._db.conn.execute
        outcomes: list[tuple[_Write, Any, BaseException | None]] = []
        try:
            execute("BEGIN IMMEDIATE")
            for write in group:
                outcomes.append((write, *self._run_one(write)))
            following = count_group(self._db, self._committed)
            execute("COMMIT")
            self._committed = following
            self._head.note(following)
        except BaseException as error:  # the commit itself failed (disk full, I/O): nobody is told "durable"
            if self._db.conn.in_transaction:
                execute("ROLLBACK")
            log.error("commit failed", extra={"error": type(error).__name__, "writes": len(group)})
            outcomes = [(write, None, told(error)) for write in group]
        _resolve(outcomes)

    def _run_one(self, write: _Write) -> tuple[Any, BaseException | None]:
        execute = self._db.conn.execute
        execute("SAVEPOINT one")
        try:
            result = write.run(self._db)
        except Exception as error:
            execute("ROLLBACK TO one")
            execute("RELEASE one")
            return None, told(error)
        execute("RELEASE one")
        return result, None


def _run_alone(write: _Write, db: Database) -> tuple[Any, BaseException | None]:
    try:
        return write.run(db), None
    except Exception as error:
        return None, error


def _resolve(outcomes: list[tuple[_Write, Any, BaseException | None]]) -> None:
    """Hand results to their event loops: one wake-up a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Write, Any, BaseException | None]]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, items in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, items)
        except RuntimeError:  # the loop is gone; the rows are durable all the same
            log.debug("writes settled after their loop closed", extra={"writes": len(items)})


def _settle(items: list[tuple[_Write, Any, BaseException | None]]) -> None:
    for write, result, error in items:
        if write.future.done():
            continue
        if error is None:
            write.future.set_result(result)
        else:
            write.future.set_exception(error)


def _refuse_missing(path: Path) -> None:
    """Raises StoreUnusable where a file of people's keys was, and is not: an empty one would soon be beside backups."""
    if note_of(path).exists() and not path.exists():
        raise StoreUnusable(
            f"{path} is missing: people's keys, and who was erased.",
            remedy="Put it back: postern restore --replace, with the FILE.keys that lies beside a backup.",
        )


def _lost(files: Mapping[str, tuple[Head, Database]]) -> dict[str, int | None]:
    """Files that have not all that they had committed."""
    found = {name: head.lost(db) for name, (head, db) in files.items()}
    return {name: groups for name, groups in found.items() if groups != 0}


def _say_lost(db: Database, lost: Mapping[str, int | None]) -> None:
    """Written down once: from here on the files count anew."""
    for name, groups in lost.items():
        many = "an unknown number of" if groups is None else groups
        log.error("committed rows are missing", extra={"file": name, "groups": many})
        audit.append(db, "node", "store.lost", f"{name}: {many} groups of rows", audit.Outcome.FAILED)


def _compact(db: Database) -> bool:
    """Write every page anew, unless there are too many; whether it was done. The copy is in memory (`temp_store`)."""
    pages, page_bytes = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size")
    )
    if pages * page_bytes > COMPACT_BYTES_MAX:
        return False
    try:
        db.execute("VACUUM")
    except OperationalError:  # a disk that is almost full has no room for the copy in the log
        log.warning("a file of the store is not written anew", extra={"bytes": pages * page_bytes})
        return False
    return True


def _free_pages(db: Database) -> tuple[int, int]:
    """(free pages that can be given back, bytes of a page)."""
    free, size, automatic = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("freelist_count", "page_size", "auto_vacuum")
    )
    return (free if automatic else 0), size


def _give_back(db: Database) -> int:
    before, _ = _free_pages(db)
    db.execute(f"PRAGMA incremental_vacuum({SPACE_PAGES_MAX})").fetchall()
    return before - _free_pages(db)[0]


def _empty_log(db: Database) -> bool:
    """Move what the log holds into the file, and cut it to nothing; whether it was done."""
    db.execute(f"PRAGMA busy_timeout={LOG_WAIT_MS}")
    try:
        return int(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]) == 0
    finally:
        db.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


class Store:
    """The site's database and its subjects' keys, both encrypted. Opened by one process at a time.

    `lost`: files that have lost commits, with how many groups of them; None where that cannot be told.
    `keys`: what opens them, and what signs receipts.
    `off_record`: conversations of which something could not be written down. What the rows tell of them is too little
    to let a text go by.
    """

    def __init__(self, paths: SitePaths, keys: SiteKeys, lock_descriptor: int) -> None:
        self._lock = lock_descriptor
        self.keys = keys
        self.digests = SubjectDigests(keys.store)
        self.off_record: set[str] = set()
        writing = connect(paths.store, keys.store)
        migrations.site.apply(writing)
        _refuse_missing(paths.subject_keys)
        of_subjects = connect(paths.subject_keys, keys.subjects)
        migrations.keys.apply(of_subjects)
        heads = Head(paths.store, keys.store), Head(paths.subject_keys, keys.subjects)
        files = {paths.store.name: (heads[0], writing), paths.subject_keys.name: (heads[1], of_subjects)}
        self.lost = _lost(files)
        if self.lost:
            _say_lost(writing, self.lost)
        self._site = GroupWriter(writing, "store-writer", heads[0])
        self._keys = GroupWriter(of_subjects, "keys-writer", heads[1])
        self._reading = connect(paths.store, keys.store)
        self._reading.execute("PRAGMA query_only=ON")
        self._reading_keys = connect(paths.subject_keys, keys.subjects)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="store-reader")

    @classmethod
    def open(cls, paths: SitePaths) -> Store:
        """Take the lock, open both files, migrate. Raises StoreInUse, StoreUnusable, KeysUnusable."""
        descriptor = lock(paths.store_lock)
        try:
            return cls(paths, SiteKeys.open(paths), descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    async def write(self, run: Callable[[Database], T]) -> T:
        """Run `run` in the writer thread inside a transaction; its result comes back once it is durable.

        An exception of `run` undoes only its own changes and is raised here. Raises StoreBusy, StoreClosed, and
        StoreUnwritable where the disk takes nothing more.
        """
        return await self._site.write(run)

    async def write_keys(self, run: Callable[[Database], T]) -> T:
        """As `write`, on the file of the subjects' keys. Commit a key before the first row that it seals."""
        return await self._keys.write(run)

    async def read(self, run: Callable[[Database], T]) -> T:
        """Run `run` on the reading connection, in its thread; it sees what is committed."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, self._reading)

    async def read_keys(self, run: Callable[[Database], T]) -> T:
        """As `read`, on the file of the subjects' keys."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, self._reading_keys)

    async def read_both(self, run: Callable[[Database, Database], T]) -> T:
        """As `read`, on both files in one go: the site's, and that of the subjects' keys."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, run, self._reading, self._reading_keys)

    async def tidy(self, *, all_pages: bool) -> bool:
        """Leave nothing of deleted rows: neither in the write-ahead logs nor between the rows that are left.

        SQLite overwrites a row that is deleted, but moving rows from page to page leaves copies in a page's gap. The
        file of keys is made anew each time, some milliseconds' work; with `all_pages` the site's file too, where it is
        not larger than COMPACT_BYTES_MAX: no write is served for 25 ms a MB, so only while nobody is here. False where
        something was not done, as a reader was in the way for LOG_WAIT_MS or the file is too large.
        """
        keys = await self._keys.alone(_compact)
        site = await self._site.alone(_compact) if all_pages else True
        emptied = [await writer.alone(_empty_log) for writer in (self._keys, self._site)]
        return keys and site and all(emptied)

    async def give_back_space(self) -> int:
        """Return free pages of the site's file to the disk, a bounded part at a time; how many bytes.

        A store of an earlier release keeps them until it is written anew (`tidy`).
        """
        free, size = await self.read(_free_pages)
        if free * size < SPACE_BYTES_MIN:
            return 0
        given = await self._site.alone(_give_back)
        await self._site.alone(_empty_log)
        return given * size

    async def close(self) -> None:
        """Commit what waits and let go of the files."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self._site.close()
        self._keys.close()
        self._readers.shutdown(wait=True)
        self._reading.conn.close()
        self._reading_keys.conn.close()
        os.close(self._lock)
