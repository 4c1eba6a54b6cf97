"""The rules on what is remembered, in one transaction: what is signed afterwards was remembered before."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.witnessed import LogRow, RefusalRow, advance, get_log, keep_refusal
from cloud_sync.witness.rules import (
    EVIDENCE,
    Conflict,
    Cosign,
    Decision,
    Refusal,
    Remembered,
    Submitted,
    decide,
)


def judge(connection: sa.Connection, known: LogRow | None, submitted: Submitted, now: datetime) -> Decision:
    """Decide, and remember what is to be signed. Whoever signed in between wins: the proof must begin there then."""
    decision = decide(None if known is None else remembered(known), submitted)
    if known is None or not isinstance(decision, Cosign):
        return decision
    found = decision.checkpoint
    if advance(connection, known, found.size, found.root, now):
        return decision
    newer = get_log(connection, known.origin)
    return Conflict(newer.size if newer else known.size)


def remembered(row: LogRow) -> Remembered:
    """What the rules know of a log."""
    return Remembered(row.origin, row.key, row.size, row.root, row.set_aside_at is not None)


def note_refusal(
    connection: sa.Connection,
    node_id: str,
    known: LogRow | None,
    submitted: Submitted,
    refusal: Refusal,
    now: datetime,
) -> None:
    """Keep what was refused where it proves something: the log's own key has signed it."""
    if known is None or refusal.reason not in EVIDENCE:
        return
    row = RefusalRow(
        node_id=node_id,
        origin=known.origin,
        reason=refusal.reason,
        old_size=submitted.old_size,
        remembered_size=known.size,
        checkpoint=submitted.note,
        first_at=now,
        last_at=now,
    )
    keep_refusal(connection, row)
