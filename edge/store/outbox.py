"""Rows that wait for the control plane: written with their business row, kept until acknowledged.

Used inside `Store.write`. A payload holds numbers, identifiers and codes (the guard's allow-list decides at the way
out); its canonical JSON is hashed here, so that what arrives can be checked end to end.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from edge import metrics
from edge.store.outbox_quotas import OutboxClass, make_room

__all__ = [
    "OutboxClass",
    "OutboxRow",
    "OutboxStats",
    "acknowledge",
    "append",
    "read_epoch",
    "rows_after",
    "stats",
]

Scalar = str | int | float | bool | None
Payload = Mapping[
    str, "Scalar | Sequence[Scalar] | Mapping[str, Scalar] | Mapping[str, Mapping[str, Scalar]]"
]


@dataclass(frozen=True)
class OutboxRow:
    """One row as it goes out."""

    sequence: int
    outbox_class: OutboxClass
    kind: str
    payload: bytes
    payload_hash: bytes
    created_ms: int


@dataclass(frozen=True)
class OutboxStats:
    """How much waits. `oldest_ms` is None when nothing does."""

    epoch: bytes
    rows: int
    oldest_sequence: int
    newest_sequence: int
    oldest_ms: int | None


def append(db: Database, outbox_class: OutboxClass, kind: str, payload: Payload) -> int:
    """Add a row inside the caller's transaction; returns its sequence.

    Where its class has no room the oldest of the class make way. Raises OutboxFull for a row of audit.
    """
    body = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    make_room(db, outbox_class, len(body))
    cursor = db.execute(
        'INSERT INTO outbox("class", kind, payload, payload_hash, created_ms) VALUES (?, ?, ?, ?, ?)',
        [int(outbox_class), kind, body, hashlib.sha256(body).digest(), time.time_ns() // 1_000_000],
    )
    metrics.outbox_appended_bytes.inc(len(body))
    return int(cursor.lastrowid or 0)


def rows_after(db: Database, sequence: int, rows_max: int, bytes_max: int) -> list[OutboxRow]:
    """The next rows after `sequence`, in order, within both limits (but at least one if there is one)."""
    rows: list[OutboxRow] = []
    size = 0
    query = (
        'SELECT sequence, "class", kind, payload, payload_hash, created_ms FROM outbox '
        "WHERE sequence > ? ORDER BY sequence LIMIT ?"
    )
    for number, outbox_class, kind, payload, payload_hash, created_ms in db.execute(
        query, [sequence, rows_max]
    ):
        size += len(payload)
        if rows and size > bytes_max:
            break
        rows.append(OutboxRow(number, OutboxClass(outbox_class), kind, payload, payload_hash, created_ms))
    return rows


def acknowledge(db: Database, epoch: bytes, sequence: int) -> int:
    """Delete what the control plane has committed; an acknowledgement of another epoch deletes nothing."""
    if epoch != read_epoch(db):
        return 0
    return int(db.execute("DELETE FROM outbox WHERE sequence <= ?", [sequence]).rowcount)


def read_epoch(db: Database) -> bytes:
    """The 16 random bytes under which this store's sequences count."""
    return bytes(db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])


def stats(db: Database) -> OutboxStats:
    """What waits now. With an empty outbox both sequence numbers are those of the last row ever written."""
    count, oldest, newest, oldest_ms = db.execute(
        "SELECT (SELECT sum(rows) FROM outbox_sizes), min(sequence), max(sequence), min(created_ms) FROM outbox"
    ).fetchone()
    if not count:
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        oldest = newest = row[0] if row else 0
    return OutboxStats(read_epoch(db), count, oldest, newest, oldest_ms)
