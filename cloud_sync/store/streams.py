"""Queries on what nodes send: the watermark of each outbox, the rows received, the counts in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.bulk import insert_rows
from cloud_sync.store.schema import node_streams, nodes, records, telemetry


@dataclass(frozen=True)
class Watermark:
    """How far an outbox is committed, and which stream may move it on."""

    session_generation: int
    last_seq: int


@dataclass(frozen=True)
class RecordRow:
    """One outbox row as received."""

    seq: int
    class_code: int
    kind: str
    payload: bytes
    created_at: datetime


@dataclass(frozen=True)
class CountRow:
    """One cell of a telemetry bucket; None is a cell too small to show."""

    bucket_start: datetime
    bucket_seconds: int
    name: str
    value: int | None


def watermark(connection: sa.Connection, node_id: str, epoch: bytes) -> Watermark | None:
    """The watermark of one outbox, or None when nothing of it was ever received."""
    columns = sa.select(node_streams.c.session_generation, node_streams.c.last_seq)
    row = connection.execute(columns.where(_of(node_id, epoch))).one_or_none()
    return None if row is None else Watermark(row.session_generation, row.last_seq)


def fence(connection: sa.Connection, node_id: str, generation: int) -> None:
    """Let only stream `generation` of the node write from now on."""
    ours = node_streams.update().where(node_streams.c.node_id == node_id)
    connection.execute(ours.values(session_generation=generation))


def begin(connection: sa.Connection, node_id: str, epoch: bytes, generation: int) -> int | None:
    """The last sequence of an outbox that stream `generation` may write; None when a newer stream is open."""
    newest = sa.select(nodes.c.stream_generation).where(nodes.c.id == node_id).with_for_update()
    if connection.execute(newest).scalar_one_or_none() != generation:
        return None
    found = watermark(connection, node_id, epoch)
    if found is not None:
        return found.last_seq
    first = {"node_id": node_id, "epoch": epoch, "session_generation": generation, "last_seq": 0}
    connection.execute(node_streams.insert().values(**first))
    return 0


def advance(
    connection: sa.Connection, node_id: str, epoch: bytes, generation: int, first_seq: int, last_seq: int
) -> bool:
    """Move the watermark from `first_seq - 1` to `last_seq`; False when it is elsewhere or not ours to move."""
    change = node_streams.update().where(
        _of(node_id, epoch),
        node_streams.c.session_generation == generation,
        node_streams.c.last_seq == first_seq - 1,
    )
    return connection.execute(change.values(last_seq=last_seq)).rowcount == 1


def add_records(
    connection: sa.Connection,
    node_id: str,
    epoch: bytes,
    rows: Sequence[tuple[RecordRow, bool]],
    received_at: datetime,
) -> None:
    """Keep rows as received; the flag says whether their effect was understood."""
    values = [
        {
            "node_id": node_id,
            "epoch": epoch,
            "seq": row.seq,
            "class": row.class_code,
            "kind": row.kind,
            "payload": row.payload,
            "created_at": row.created_at,
            "received_at": received_at,
            "understood": understood,
        }
        for row, understood in rows
    ]
    insert_rows(connection, records, values)


def add_counts(connection: sa.Connection, node_id: str, counts: Sequence[CountRow]) -> None:
    """Keep the cells of telemetry buckets."""
    values = [
        {
            "node_id": node_id,
            "bucket_start": count.bucket_start,
            "bucket_seconds": count.bucket_seconds,
            "name": count.name,
            "value": count.value,
        }
        for count in counts
    ]
    if values:
        insert_rows(connection, telemetry, values)


def counts_since(
    connection: sa.Connection, since: datetime, node_id: str | None = None
) -> dict[str, dict[str, int]]:
    """Sums of the shown cells since `since`: node → name → total. A name with only suppressed cells is absent."""
    query = sa.select(telemetry.c.node_id, telemetry.c.name, sa.func.sum(telemetry.c.value)).where(
        telemetry.c.bucket_start >= since, telemetry.c.value.is_not(None)
    )
    if node_id is not None:
        query = query.where(telemetry.c.node_id == node_id)
    found: dict[str, dict[str, int]] = {}
    for node, name, total in connection.execute(query.group_by(telemetry.c.node_id, telemetry.c.name)):
        found.setdefault(node, {})[name] = int(total)
    return found


def names_since(connection: sa.Connection, since: datetime, node_id: str) -> tuple[str, ...]:
    """Every name that a node counted since `since`, suppressed or not."""
    query = sa.select(telemetry.c.name).distinct().order_by(telemetry.c.name)
    query = query.where(telemetry.c.bucket_start >= since, telemetry.c.node_id == node_id)
    return tuple(connection.execute(query).scalars())


def _of(node_id: str, epoch: bytes) -> sa.ColumnElement[bool]:
    return sa.and_(node_streams.c.node_id == node_id, node_streams.c.epoch == epoch)
