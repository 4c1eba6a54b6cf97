"""A store that comes out of a backup, made fit to serve again: whole, of today's schema, and of today's evidence.

What was evidence on this machine stays: lines of audit, notices and consents that the backup does not know are taken
over, and what was taken away from staff and programs since stays taken away. The outbox begins anew under an epoch of
its own: what waited in it when the backup was made may long be at the control plane.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sqlcipher3
from sqlite_utils import Database

from core.archives import BackupUnusable
from edge.store import migrations
from edge.store.connection import StoreUnusable, connect
from edge.store.head import Head, committed_groups
from edge.store.migrations import EPOCH_BYTES

EVIDENCE: Final = ("audit", "notices", "consents")
"""Rows of these are only ever added."""

_SAYS: Final = {
    "audit": ("at_ms", "actor", "action", "object", "outcome"),
    "consents": ("at_ms", "purpose", "notice_version", "given"),
}
"""By which two rows of one number are known as the same: the rest may change later, as refusals are counted together
and an erasure takes away whose a consent was.
"""


def open_checked(path: Path, key: bytes) -> Database:
    """Open the store, with its log put into it, every page checked. Raises BackupUnusable.

    Each page carries a code of its own under the store's key; then SQLite looks at how they hang together.
    """
    try:
        db = connect(path, key)
    except StoreUnusable:
        raise BackupUnusable("Its store cannot be read with its keys.") from None
    try:
        empty_log(db)
        wrong = db.execute("PRAGMA cipher_integrity_check").fetchone()
        told = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if wrong or told != "ok":
            raise BackupUnusable("Its store is damaged.")
        if migrations.later_steps(db):
            raise BackupUnusable(
                "Its store is of a later version of Postern.",
                remedy="Restore with that version, or a later one.",
            )
        migrations.site.apply(db)
    except sqlcipher3.DatabaseError:
        db.conn.close()
        raise BackupUnusable("Its store is damaged.") from None
    except BaseException:
        db.conn.close()
        raise
    return db


def begin_anew(db: Database) -> None:
    """Nobody is logged in; the outbox is empty, under a new epoch. Inside a transaction.

    No update is known: models and software are not in a backup, so what is wanted is carried out anew.
    """
    db.execute("DELETE FROM operator_sessions")
    db.execute("DELETE FROM outbox")
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'outbox'")
    db.execute("DELETE FROM counters")
    db.execute("DELETE FROM updates")
    db.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", [secrets.token_bytes(EPOCH_BYTES)])


def take_over(db: Database, before: Database) -> Mapping[str, int]:
    """Rows of evidence that `before`, the machine's own store, has and the backup has not. Inside a transaction."""
    counts = {table: _add(db, before, table) for table in EVIDENCE}
    _take_away_again(db, before)
    return counts


def _add(db: Database, before: Database, table: str) -> int:
    """A number that the backup gave to something else, as after a restore from another backup, is given anew."""
    columns = [column.name for column in db[table].columns]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table}({names}) VALUES ({marks})"  # noqa: S608 - names of the schema
    added, taken = 0, []
    for row in before.execute(f"SELECT {names} FROM {table} ORDER BY rowid"):  # noqa: S608 - as above
        if db.execute(insert, row).rowcount:
            added += 1
        elif table in _SAYS:
            told = dict(zip(columns, row, strict=True))
            if not _same(db, table, told):
                taken.append([None if name == "id" else value for name, value in told.items()])
    for values in taken:  # behind the rows that keep their numbers
        db.execute(insert, values)
    return added + len(taken)


def _same(db: Database, table: str, told: Mapping[str, object]) -> bool:
    """Whether the row of this number says the same."""
    says = _SAYS[table]
    query = f"SELECT {', '.join(says)} FROM {table} WHERE id = ?"  # noqa: S608 - names of the schema
    return list(db.execute(query, [told["id"]]).fetchone()) == [told[name] for name in says]


def _take_away_again(db: Database, before: Database) -> None:
    """Who was let in when the backup was made, and is not any more, stays out."""
    names = {row[0] for row in before.execute("SELECT name FROM operators WHERE state = 'active'")}
    for (name,) in db.execute("SELECT name FROM operators WHERE state = 'active'").fetchall():
        if name not in names:
            db.execute("UPDATE operators SET state = 'disabled' WHERE name = ?", [name])
    revoked = {bytes(row[0]): row[1] for row in before.execute("SELECT key_hash, revoked_ms FROM api_keys")}
    for (hashed,) in db.execute("SELECT key_hash FROM api_keys WHERE revoked_ms IS NULL").fetchall():
        at_ms = revoked.get(bytes(hashed), 0)
        if at_ms is not None:
            db.execute("UPDATE api_keys SET revoked_ms = ? WHERE key_hash = ?", [at_ms, hashed])


def note_commits(path: Path, key: bytes, db: Database) -> None:
    """Begin the count of commits beside the file as it is now."""
    head = Head(path, key)
    head.note(committed_groups(db))
    head.close()


def empty_log(db: Database) -> None:
    """Put the write-ahead log into the file, and cut it off. Nobody else has the file open."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
