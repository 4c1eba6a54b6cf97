"""The ledger as its one writer holds it: a group of leaves is one transaction, durable when `append` returns.

SQLite undoes what a power cut or a full disk left of a group. At a start only what is cheap is checked: the tree's
right edge, the newest checkpoint and what a witness signed last against it, and that none is missed where none is
there; the whole is `reading.verify`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import sqlcipher3

from core.files import fsync_folder, private_folder
from core.version import VERSION
from edge.egress.ledger import key, notes
from edge.egress.ledger.account import Judge, account, entered
from edge.egress.ledger.cosigned import keep_cosigned
from edge.egress.ledger.earlier import KEY_FILE, before, refuse_loss, unlike
from edge.egress.ledger.errors import LedgerBroken, LedgerFailed, LedgerInUse
from edge.egress.ledger.leaf_types import Draft, ended_unknown, entry_of, leaf_of
from edge.egress.ledger.memory import MEMORY_FILE, recall
from edge.egress.ledger.notes import BadNote, Checkpoint, Note
from edge.egress.ledger.rows import Rows, prepare
from edge.egress.ledger.submission import Submission, submission
from edge.egress.ledger.tree import Growing, leaf_hash, root
from edge.store.plain import BUSY_TIMEOUT_MS, connect_plain

logger = logging.getLogger(__name__)

LOCK_FILE: Final = "ledger.lock"
_FRESH_KEY_FILE: Final = "ledger.key.new"
"""Of a ledger that has no leaf yet: under its own name a key says that there was one."""
# So many are known after a start to have been taken on before: ten minutes of a spike of 25 a second, days of an
# ordinary site; 2 MB.
RECENT_ENVELOPES_MAX: Final = 16_384
# Read for them at a start, newest first: an intent, its close, and half as many of other leaves; a third of a second.
_RECENT_LEAVES_MAX: Final = 3 * RECENT_ENVELOPES_MAX
CLOCK_BACK_MS: Final = 300_000
"""A clock that is set right steps by less; what is more the verifier asks the site to explain (its `TIME_BACK_MAX_MS`,
which a test holds equal)."""


class Log:
    """Blocking: call from one thread."""

    def __init__(
        self,
        db: sqlcipher3.Connection,
        lock: int,
        private: bytes,
        growing: Growing,
        now_ms: Callable[[], int],
    ) -> None:
        self._db = db
        self._lock = lock
        self._private = private
        self._growing = growing
        self._now_ms = now_ms
        self._newest_ms = 0
        self._folded = True
        self.recent_envelopes: tuple[str, ...] = ()
        """Identifiers of the newest envelopes when it was opened, oldest first."""

    @classmethod
    def open(cls, path: Path, now_ms: Callable[[], int] | None = None) -> Log:
        """Take the ledger's lock, look whether it goes on, close what was left open; a new one begins.

        Raises LedgerBroken, LedgerInUse, LedgerFailed, StoreUnusable.
        """
        with _told(path):
            private_folder(path.parent)
            lock = _locked(path.with_name(LOCK_FILE))
            try:
                if not path.exists():
                    refuse_loss(path)
                db = connect_plain(path)
                try:
                    return cls._opened(db, lock, path, now_ms or (lambda: time.time_ns() // 1_000_000))
                except BaseException:
                    db.close()
                    raise
            except BaseException:
                os.close(lock)
                raise

    @classmethod
    def _opened(cls, db: sqlcipher3.Connection, lock: int, path: Path, now_ms: Callable[[], int]) -> Log:
        # What a failed fsync left in the log may be in memory alone, though it reads well: all of it is written anew.
        folded = _fold(db)
        with _transaction(db):
            prepare(db)
        fsync_folder(path.parent)
        rows = Rows(db)
        growing = rows.growing()
        if growing.size:
            private = _own_key(path.parent)
            _check_beginning(rows, key.public_of(private).hex())
            _check_newest(rows, growing.size)
            if other := unlike(rows, recall(path.with_name(MEMORY_FILE))):
                raise LedgerBroken(other)
        else:
            refuse_loss(path)
            private = key.create(path.with_name(_FRESH_KEY_FILE))
        log = cls(db, lock, private, growing, now_ms)
        log._folded = folded
        if growing.size:
            log._newest_ms = _newest_ms(rows)
            log.recent_envelopes = _recent(rows)
        else:
            log._begin(path.parent)
        log.append([ended_unknown(envelope, kind) for envelope, kind in rows.open()])
        return log

    def _begin(self, folder: Path) -> None:
        previous, lost = before(folder)
        public = key.public_of(self._private).hex()
        self.append(
            [Draft("begin", {"key": public, "software": VERSION, "previous": previous, "lost": lost})]
        )
        _own_key(folder)

    @property
    def size(self) -> int:
        """Leaves."""
        return self._growing.size

    @property
    def root(self) -> bytes:
        """Of all leaves."""
        return self._growing.root()

    def append(self, drafts: Sequence[Draft]) -> None:
        """Write the leaves in order and return once all are durable. Raises LedgerFailed: then none is there."""
        if drafts:
            self._append(drafts, None)

    def _append(self, drafts: Sequence[Draft], compared: str | None) -> None:
        time_ms = self._look_at_clock()
        growing = self._growing.copy()
        leaves: list[tuple[int, bytes]] = []
        tiles: list[tuple[int, int, bytes]] = []
        for draft in drafts:
            entry = entry_of(draft, time_ms)
            leaves.append((growing.size, entry))
            tiles += growing.add(leaf_hash(entry))
        with self._durably() as db:
            db.executemany("INSERT INTO leaves VALUES (?, ?)", leaves)
            db.executemany("INSERT INTO tiles VALUES (?, ?, ?)", tiles)
            entered(db, drafts)
            if compared is not None:
                db.execute("UPDATE account SET compared = ?", [compared])
        self._growing = growing

    def compare(self, judge: Judge) -> None:
        """Let `judge` say what the kernel's counters and the leaves so far make of each other. Raises LedgerFailed."""
        before = account(self._db, self.size, self._now_ms())
        draft, compared = judge(before)
        if draft is not None or compared != before.compared:
            self._append([draft] if draft is not None else [], compared)

    def _look_at_clock(self) -> int:
        """The time now. A leap back is told once: it is in the leaves for good, and an auditor will ask about it."""
        now_ms = self._now_ms()
        if now_ms < self._newest_ms - CLOCK_BACK_MS:
            logger.error(
                "the machine's clock was set back, which the record of what left shows: write down why",
                extra={"from_ms": self._newest_ms, "to_ms": now_ms},
            )
            self._newest_ms = now_ms
        self._newest_ms = max(self._newest_ms, now_ms)
        return now_ms

    def checkpoint(self) -> Note:
        """What the ledger is now, signed, and kept in it. Of earlier ones those stay that somebody else signed too.

        Raises LedgerFailed.
        """
        self._fold_late()
        newest = Rows(self._db).newest_checkpoint()
        if newest is not None and newest[0] == self.size:
            return Note.parse(newest[1])
        origin = notes.origin_of(key.public_of(self._private))
        note = notes.sign(str(Checkpoint(origin, self.size, self.root)), self._private)
        with self._durably() as db:
            if newest is not None and len(Note.parse(newest[1]).signatures) == 1:
                db.execute("DELETE FROM checkpoints WHERE size = ?", [newest[0]])
            db.execute("INSERT INTO checkpoints VALUES (?, ?)", [self.size, bytes(note)])
        return note

    def _fold_late(self) -> None:
        """What could not be at the start, once whoever read has ended; nobody waits for that. Raises LedgerFailed."""
        if self._folded:
            return
        self._db.execute("PRAGMA busy_timeout=0")
        try:
            self._folded = _fold(self._db)
        except sqlcipher3.Error as error:
            raise _failed(error) from error
        finally:
            self._db.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

    def submission(self, old_size: int) -> Submission:
        """What it is now, with the proof that it continues the tree of `old_size` leaves. Raises LedgerFailed."""
        return submission(Rows(self._db), self.checkpoint(), key.public_of(self._private), old_size)

    def cosigned(self, note: Note) -> None:
        """Keep a checkpoint of this ledger with a witness's signature; of each witness and day (UTC) the last one.

        Raises LedgerFailed.
        """
        keep_cosigned(self._durably, note)

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._db.close()
        os.close(self._lock)

    @contextmanager
    def _durably(self) -> Iterator[sqlcipher3.Connection]:
        """A transaction. One that failed is undone, and the next may succeed: SQLite writes the same pages again."""
        try:
            with _transaction(self._db):
                yield self._db
        except sqlcipher3.Error as error:
            raise _failed(error) from error


def _failed(error: sqlcipher3.Error) -> LedgerFailed:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    full = "The disk is full" if name == "SQLITE_FULL" else "Writing it failed"
    return LedgerFailed(f"{full} ({name}).")


@contextmanager
def _transaction(db: sqlcipher3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has undone it already
            db.execute("ROLLBACK")
        raise


def _fold(db: sqlcipher3.Connection) -> bool:
    """Write what is in the log beside the file into it; False: somebody reads, an export for instance."""
    busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        logger.warning("the ledger is being read: its log is written into it once that has ended")
    return not busy


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite and the system say of a file while it is opened. Raises LedgerBroken, LedgerFailed."""
    try:
        yield
    except (sqlcipher3.OperationalError, OSError) as error:  # no room, no right, no disk
        raise LedgerFailed(f"{path}: {error}.") from error
    except (sqlcipher3.Error, BadNote) as error:
        raise LedgerBroken(f"{path}: {error}.") from error


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LedgerInUse(f"{path} is held by another process.") from None
    return descriptor


def _own_key(folder: Path) -> bytes:
    """The key of a ledger that has begun, under its name from now on. Raises LedgerBroken."""
    mine, fresh = folder / KEY_FILE, folder / _FRESH_KEY_FILE
    if fresh.exists() and not mine.exists():
        fresh.rename(mine)
        fsync_folder(folder)
    return key.load(mine)


def _check_beginning(rows: Rows, public: str) -> None:
    (entry,) = rows.entries(0, 1)
    leaf = leaf_of(0, entry)
    if leaf.type != "begin" or leaf.fields["key"] != public:
        raise LedgerBroken(f"{KEY_FILE} is not the key that this ledger began with.")


def _check_newest(rows: Rows, size: int) -> None:
    newest = rows.newest_checkpoint()
    if newest is None:
        return
    signed = Checkpoint.parse(Note.parse(newest[1]).text)
    if signed.size > size or root(signed.size, rows.subtree()) != signed.root:
        raise LedgerBroken(
            f"Its own checkpoint of {signed.size} leaves does not fit: its end was cut off, or it was rewritten."
        )


def _newest_ms(rows: Rows) -> int:
    """When the last leaf was written."""
    last = rows.size() - 1
    (entry,) = rows.entries(last, last + 1)
    return leaf_of(last, entry).time_ms


def _recent(rows: Rows) -> tuple[str, ...]:
    found: list[str] = []
    for number, entry in islice(rows.entries_backwards(), _RECENT_LEAVES_MAX):
        if (leaf := leaf_of(number, entry)).type == "intent":
            found.append(str(leaf.fields["envelope"]))
            if len(found) == RECENT_ENVELOPES_MAX:
                break
    return tuple(reversed(found))
