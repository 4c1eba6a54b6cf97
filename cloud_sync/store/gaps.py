"""Rows of outboxes that never came, and are known not to come: what the control plane has instead of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import gaps

# Why, where nobody dropped them on purpose: the control plane is older than the node's outbox, most likely restored.
LOST = "lost"


@dataclass(frozen=True)
class GapRow:
    """Sequences `first_seq` to `last_seq` of an outbox."""

    node_id: str
    epoch: bytes
    first_seq: int
    last_seq: int
    outbox_class: str
    """audit | state | metrics | mixed; "" where nobody knows."""
    reason: str
    """quota, of the node; lost, of neither side."""
    bytes: int | None
    """Of the payloads, at most; None where nobody knows."""
    found_at: datetime


_COLUMNS = [gaps.c[field.name] for field in fields(GapRow)]


def add_gaps(connection: sa.Connection, rows: Sequence[GapRow]) -> None:
    """Note what is missing."""
    if rows:
        connection.execute(gaps.insert(), [asdict(row) for row in rows])


def newest_gaps(connection: sa.Connection, node_id: str, limit: int) -> tuple[GapRow, ...]:
    """What is missing of a node, the newest first."""
    query = sa.select(*_COLUMNS).where(gaps.c.node_id == node_id)
    rows = connection.execute(query.order_by(gaps.c.id.desc()).limit(limit))
    return tuple(GapRow(**row._mapping) for row in rows)


def gaps_since(connection: sa.Connection, since: datetime) -> tuple[tuple[int, GapRow], ...]:
    """The newest gap of each node that has one since then, with its number."""
    newest = sa.select(sa.func.max(gaps.c.id)).where(gaps.c.found_at > since).group_by(gaps.c.node_id)
    rows = connection.execute(sa.select(gaps.c.id, *_COLUMNS).where(gaps.c.id.in_(newest)))
    names = [field.name for field in fields(GapRow)]
    return tuple((row.id, GapRow(**{name: row._mapping[name] for name in names})) for row in rows)
