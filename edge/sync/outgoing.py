"""Rows of the outbox on their way to the guard; one that may not leave, or never arrive, makes way for its tombstone.

The refused payload is not kept: it may hold someone's words, and a queue is no place for those. What is kept, in the
store, is that it happened: sequence, kind, reason, length and hash.
"""

from __future__ import annotations

import logging
import re

from sqlite_utils import Database

from core.signing import canonical_json
from edge.egress.records.guard import Guard, Refusal, tombstone
from edge.egress.records.schemas import REFUSED_KIND, Row
from edge.store import outbox
from edge.store.outbox import OutboxRow
from edge.store.outbox_quotas import GAP_KIND, sizes
from edge.store.store import Store
from edge.sync.events import Bury, Outbox, ReadRows

log = logging.getLogger(__name__)

# Every refusal is a fault of the node's own code and so few are enough to find it.
DEAD_LETTERS_MAX = 1000
_DEAD_LETTER = "dead_letter/"
_KIND = re.compile(r"[a-z0-9_.]{1,60}")


async def next_rows(store: Store, guard: Guard, wanted: ReadRows) -> tuple[Row, ...]:
    """The rows after `wanted.after`, all fit to leave, in order and without gaps."""
    found = await store.read(lambda db: _checked(db, guard, wanted))
    refused = [(row, verdict) for row, verdict in found if isinstance(verdict, Refusal)]
    if not refused:
        return tuple(verdict for _, verdict in found if isinstance(verdict, Row))
    for row, refusal in refused:
        kind = row.kind if _KIND.fullmatch(row.kind) else "unreadable"
        log.error(
            "the guard refused a row",
            extra={"sequence": row.sequence, "kind": kind, "reason": refusal.reason},
        )
    await store.write(lambda db: _bury(db, refused))
    return await next_rows(store, guard, wanted)


async def bury(store: Store, wanted: Bury) -> bool:
    """Tombstone in place of a row that the control plane refuses; False where there is one already."""
    log.error("the control plane refused a row", extra={"sequence": wanted.sequence, "reason": wanted.reason})

    def write(db: Database) -> bool:
        found = outbox.rows_after(db, wanted.sequence - 1, 1, 0)
        if not found or found[0].sequence != wanted.sequence:
            return True  # it has made way for a gap record meanwhile
        if found[0].kind == REFUSED_KIND:
            return False
        _bury(db, [(found[0], Refusal(wanted.reason))])
        return True

    return await store.write(write)


def read_outbox(db: Database, now_ms: int) -> Outbox:
    """What waits, without scanning it: the first row is the oldest."""
    epoch = outbox.read_epoch(db)
    oldest, newest = db.execute("SELECT min(sequence), max(sequence) FROM outbox").fetchone()
    if oldest is None:
        last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        newest = last[0] if last else 0
        return Outbox(epoch, 0, newest + 1, newest)
    created, first = db.execute(
        "SELECT created_ms, iif(kind = ?, payload ->> 'first', sequence) FROM outbox WHERE sequence = ?",
        [GAP_KIND, oldest],
    ).fetchone()
    rows = sum(size.rows for size in sizes(db).values())
    return Outbox(epoch, rows, int(first), newest, max(0, now_ms - created) // 1000)


def _checked(db: Database, guard: Guard, wanted: ReadRows) -> list[tuple[OutboxRow, Row | Refusal]]:
    rows = outbox.rows_after(db, wanted.after, wanted.rows_max, wanted.bytes_max)
    return [(row, guard.check(row)) for row in rows]


def _bury(db: Database, refused: list[tuple[OutboxRow, Refusal]]) -> None:
    """Tombstone in the line, dead letter beside it, in one transaction."""
    for row, refusal in refused:
        stone = tombstone(row, refusal)
        db.execute(
            "UPDATE outbox SET kind = ?, payload = ?, payload_hash = ? WHERE sequence = ?",
            [stone.kind, stone.payload, stone.payload_hash, row.sequence],
        )
        letter = {
            "kind": row.kind if _KIND.fullmatch(row.kind) else "unreadable",
            "reason": refusal.reason,
            "bytes": len(row.payload),
            "payload_hash": row.payload_hash.hex(),
        }
        name = f"{_DEAD_LETTER}{row.sequence:020d}"
        db.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", [name, canonical_json(letter)])
    db.execute(
        "DELETE FROM meta WHERE name IN "
        "(SELECT name FROM meta WHERE name >= ? AND name < ? ORDER BY name DESC LIMIT -1 OFFSET ?)",
        [_DEAD_LETTER, _DEAD_LETTER + "~", DEAD_LETTERS_MAX],
    )
