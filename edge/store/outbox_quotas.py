"""How much of each class may wait, and what gives way: the oldest rows, for one record that says which they were.

Used inside `Store.write`. Audit gives way to nobody and nobody to audit: what cannot be kept of it is refused, and what
it is about with it. Sequences keep no hole: a gap record has the last sequence of what it stands for, and names the
first.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from sqlite_utils import Database

from core.errors import PosternError
from core.signing import canonical_json

# Its schema is in edge/egress/records/schemas.py.
GAP_KIND = "outbox.gap"
MIXED = "mixed"
# Under which such records are counted, beside the classes.
GAPS = 0
# What a row costs beside its payload: its hash, its place, the page's share.
ROW_BYTES = 128
# What gives way at once, as a share of the quota: one append in many pays for it, and few gap records are made.
SHARE_DROPPED = 16


class OutboxClass(IntEnum):
    """Quota class of a row; the numbers are those of the protocol."""

    AUDIT = 1
    STATE = 2
    METRICS = 3


class OutboxFull(PosternError):
    """What must reach the control plane cannot be kept for it."""

    code = "outbox_full"
    title = "Too much waits for the control plane"
    remedy = "Bring the connection to the control plane back, or raise outbox.audit_mb in site.toml."
    status = 503
    retry_after_s = 60


@dataclass(frozen=True)
class Size:
    """What waits of one class, and how much may."""

    rows: int
    bytes: int
    bytes_max: int


@dataclass(frozen=True)
class _Gap:
    """Rows that gave way, next to each other."""

    first: int
    last: int
    bytes: int
    outbox_class: str

    def with_next(self, other: _Gap) -> _Gap:
        same = self.outbox_class == other.outbox_class
        return _Gap(self.first, other.last, self.bytes + other.bytes, self.outbox_class if same else MIXED)


def sizes(db: Database) -> dict[OutboxClass, Size]:
    """What waits of each class, without the records of what made way."""
    query = "SELECT class, rows, bytes, bytes_max FROM outbox_sizes WHERE class <> ?"
    rows = db.execute(query, [GAPS])
    return {OutboxClass(number): Size(*size) for number, *size in rows}


def set_quotas(db: Database, bytes_max: Mapping[OutboxClass, int]) -> None:
    """Let so much of each class wait from now on; what is too much gives way with the next row."""
    for outbox_class, quota in bytes_max.items():
        db.execute("UPDATE outbox_sizes SET bytes_max = ? WHERE class = ?", [quota, int(outbox_class)])


def make_room(db: Database, outbox_class: OutboxClass, payload_bytes: int) -> None:
    """Before a row is added. Raises OutboxFull for a row of audit that has no room."""
    used, quota = db.execute(
        "SELECT bytes, bytes_max FROM outbox_sizes WHERE class = ?", [int(outbox_class)]
    ).fetchone()
    over = used + payload_bytes + ROW_BYTES - quota
    if over <= 0:
        return
    if outbox_class is OutboxClass.AUDIT:
        raise OutboxFull(f"{used} bytes of audit wait; {quota} are allowed.")
    _drop(db, outbox_class, over + quota // SHARE_DROPPED)


def _drop(db: Database, outbox_class: OutboxClass, wanted: int) -> None:
    """The oldest rows of a class make way for gap records, until so many bytes are free or none is left."""
    for run in _runs(_oldest(db, outbox_class, wanted), outbox_class):
        before, after = _gap_before(db, run.first), _gap_after(db, run.last)
        gap = run if before is None else before.with_next(run)
        gap = gap if after is None else gap.with_next(after)
        db.execute("DELETE FROM outbox WHERE sequence BETWEEN ? AND ?", [gap.first, gap.last])
        said = {
            "first": gap.first,
            "last": gap.last,
            "bytes": gap.bytes,
            "outbox_class": gap.outbox_class,
            "reason": "quota",
        }
        body = canonical_json(said)
        # Goes up as state, and is counted apart: it makes no way, and would take the room of rows that do. Two records
        # next to each other become one, so there is at most one for each row that waits, and those have quotas.
        db.execute(
            'INSERT INTO outbox(sequence, "class", kind, payload, payload_hash, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
            [gap.last, int(OutboxClass.STATE), GAP_KIND, body, hashlib.sha256(body).digest(), _now_ms()],
        )


def _oldest(db: Database, outbox_class: OutboxClass, wanted: int) -> Iterator[tuple[int, int]]:
    """(sequence, bytes) of the rows that make way."""
    query = 'SELECT sequence, length(payload) FROM outbox WHERE "class" = ? AND kind <> ? ORDER BY sequence LIMIT ?'
    freed = 0
    parameters = [int(outbox_class), GAP_KIND, wanted // ROW_BYTES + 1]
    for sequence, size in db.execute(query, parameters).fetchall():
        if freed >= wanted:
            return
        freed += size + ROW_BYTES
        yield sequence, size


def _runs(rows: Iterable[tuple[int, int]], outbox_class: OutboxClass) -> list[_Gap]:
    found: list[_Gap] = []
    name = outbox_class.name.lower()
    for sequence, size in rows:
        one = _Gap(sequence, sequence, size, name)
        if found and found[-1].last + 1 == sequence:
            found[-1] = found[-1].with_next(one)
        else:
            found.append(one)
    return found


def _gap_before(db: Database, sequence: int) -> _Gap | None:
    return _read_gap(
        db.execute("SELECT kind, payload FROM outbox WHERE sequence = ?", [sequence - 1]).fetchone()
    )


def _gap_after(db: Database, sequence: int) -> _Gap | None:
    query = "SELECT kind, payload FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT 1"
    found = _read_gap(db.execute(query, [sequence]).fetchone())
    return found if found is not None and found.first == sequence + 1 else None


def _read_gap(row: tuple[str, bytes] | None) -> _Gap | None:
    if row is None or row[0] != GAP_KIND:
        return None
    said = json.loads(row[1])
    return _Gap(said["first"], said["last"], said["bytes"], said["outbox_class"])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
