"""Queries that take away what is old, a few rows at a time. The oldest rows of a node are its first: none is looked at
twice, and no index is needed for it. Watermarks of outboxes are not here: they hold for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.database import insert_of
from cloud_sync.store.schema import (
    alerts,
    audit,
    gaps,
    node_streams,
    nodes,
    records,
    retention_clock,
    telemetry,
)


def clock_trust(connection: sa.Connection) -> Mapping[str, Any] | None:
    """What was thought of the clock at the last look; None: there was none."""
    found: Mapping[str, Any] | None = connection.execute(
        sa.select(retention_clock.c.trust)
    ).scalar_one_or_none()
    return found


def keep_clock_trust(connection: sa.Connection, trust: Mapping[str, Any]) -> None:
    """For the next look, by whichever replica."""
    kept = insert_of(connection)(retention_clock).values(id=1, trust=trust)
    connection.execute(
        kept.on_conflict_do_update(index_elements=[retention_clock.c.id], set_={"trust": trust})
    )


def node_ids(connection: sa.Connection) -> tuple[str, ...]:
    """Every node there ever was."""
    return tuple(connection.execute(sa.select(nodes.c.id).order_by(nodes.c.id)).scalars())


def epochs_of(connection: sa.Connection, node_id: str) -> tuple[bytes, ...]:
    """A node's outboxes."""
    query = sa.select(node_streams.c.epoch).where(node_streams.c.node_id == node_id)
    return tuple(connection.execute(query.order_by(node_streams.c.epoch)).scalars())


def forget_records(
    connection: sa.Connection, node_id: str, epoch: bytes, before: datetime, rows_max: int
) -> int:
    """Delete records of an outbox that were received before then, at most so many; how many."""
    mine = sa.and_(records.c.node_id == node_id, records.c.epoch == epoch)
    first = sa.select(records.c.seq, records.c.received_at).where(mine)
    found = first.order_by(records.c.seq).limit(rows_max).subquery()
    old = sa.select(found.c.seq).where(found.c.received_at < before)
    return connection.execute(records.delete().where(mine, records.c.seq.in_(old))).rowcount


def forget_counts(connection: sa.Connection, node_id: str, before: datetime, rows_max: int) -> int:
    """Delete a node's cells of buckets that began before then, at most so many; how many."""
    old = sa.select(telemetry.c.id).where(telemetry.c.node_id == node_id, telemetry.c.bucket_start < before)
    first = old.order_by(telemetry.c.bucket_start).limit(rows_max)
    return connection.execute(telemetry.delete().where(telemetry.c.id.in_(first))).rowcount


def forget_gaps(connection: sa.Connection, node_id: str, before: datetime, rows_max: int) -> int:
    """Delete a node's gaps that were found before then, at most so many; how many."""
    first = sa.select(gaps.c.id, gaps.c.found_at).where(gaps.c.node_id == node_id)
    found = first.order_by(gaps.c.id).limit(rows_max).subquery()
    old = sa.select(found.c.id).where(found.c.found_at < before)
    return connection.execute(gaps.delete().where(gaps.c.id.in_(old))).rowcount


def forget_alerts(connection: sa.Connection, before: datetime, rows_max: int) -> int:
    """Delete alerts that were over before then, at most so many; how many."""
    old = sa.select(alerts.c.id).where(alerts.c.resolved_at < before).limit(rows_max)
    return connection.execute(alerts.delete().where(alerts.c.id.in_(old))).rowcount


def forget_audit(connection: sa.Connection, before: datetime, rows_max: int) -> int:
    """Delete rows of audit that were written before then, at most so many; how many."""
    first = sa.select(audit.c.id, audit.c.at).order_by(audit.c.id).limit(rows_max).subquery()
    old = sa.select(first.c.id).where(first.c.at < before)
    return connection.execute(audit.delete().where(audit.c.id.in_(old))).rowcount
