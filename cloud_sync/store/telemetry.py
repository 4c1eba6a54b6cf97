"""Queries on what nodes count: sums for pages. A cell below five is not told by a node, and so is in no sum."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import TURN_CELLS, nodes, telemetry
from cloud_sync.store.streams import CountRow

_TURNS = sa.func.sum(telemetry.c.value).label("turns")


@dataclass(frozen=True)
class CellRow:
    """One cell that a node told, and where that node is now."""

    node_id: str
    site: str
    group_name: str
    bucket_start: datetime
    bucket_seconds: int
    name: str
    value: int


def first_told(connection: sa.Connection, since: datetime) -> datetime | None:
    """The first bucket from `since` on of which a node told turns; what is told of an hour has turns, or is nothing."""
    first = sa.select(telemetry.c.bucket_start).where(telemetry.c.bucket_start >= since, TURN_CELLS)
    query = first.order_by(telemetry.c.bucket_start).limit(1)
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def newest_told(connection: sa.Connection, since: datetime, until: datetime) -> int | None:
    """The number of the newest row of turns in [since, until), or None: another one, once more has come."""
    # The sum keeps PostgreSQL from walking the numbers of all time downwards to find one of that time.
    newest = sa.select(sa.func.max(telemetry.c.id + 0)).where(TURN_CELLS)
    inside = (telemetry.c.bucket_start >= since, telemetry.c.bucket_start < until)
    found: int | None = connection.execute(newest.where(*inside)).scalar_one()
    return found


def cells_of_day(
    connection: sa.Connection, since: datetime, until: datetime, after: str, nodes_max: int
) -> tuple[list[CellRow], str | None]:
    """Cells of buckets that began in [since, until), of the next nodes after `after`; and the last of those nodes, None
    when there are no more. Node by node, in the order of time and name.
    """
    ids = sa.select(nodes.c.id).where(nodes.c.id > after).order_by(nodes.c.id).limit(nodes_max)
    some = list(connection.execute(ids).scalars())
    columns = (
        telemetry.c.node_id, nodes.c.site, nodes.c.group_name, telemetry.c.bucket_start, telemetry.c.bucket_seconds,
        telemetry.c.name, telemetry.c.value,
    )  # fmt: skip
    query = sa.select(*columns).join(nodes, nodes.c.id == telemetry.c.node_id)
    query = query.where(telemetry.c.node_id.in_(some), telemetry.c.value.is_not(None))
    query = query.where(telemetry.c.bucket_start >= since, telemetry.c.bucket_start < until)
    query = query.order_by(telemetry.c.node_id, telemetry.c.bucket_start, telemetry.c.id)
    found = [CellRow(*row) for row in connection.execute(query)]
    return found, some[-1] if len(some) == nodes_max else None


def cells_of_node(
    connection: sa.Connection, node_id: str, since: datetime, until: datetime
) -> list[CountRow]:
    """What a node told of buckets that began in [since, until), in their order."""
    columns = (telemetry.c.bucket_start, telemetry.c.bucket_seconds, telemetry.c.name, telemetry.c.value)
    query = sa.select(*columns).where(telemetry.c.node_id == node_id, telemetry.c.bucket_start >= since)
    query = query.where(telemetry.c.bucket_start < until).order_by(telemetry.c.bucket_start, telemetry.c.id)
    return [CountRow(*row) for row in connection.execute(query)]


def turns_of_nodes(connection: sa.Connection, since: datetime, node_ids: Collection[str]) -> dict[str, int]:
    """Turns of each of a page's nodes since `since`; a node that told of none is absent."""
    mine = telemetry.c.node_id.in_(list(node_ids))
    query = sa.select(telemetry.c.node_id, _TURNS).where(mine, telemetry.c.bucket_start >= since, TURN_CELLS)
    rows = connection.execute(query.group_by(telemetry.c.node_id))
    return {row.node_id: int(row.turns) for row in rows if row.turns is not None}


def turns_of_fleet(connection: sa.Connection, since: datetime) -> int | None:
    """Turns of all nodes since `since`; None when no node told of any."""
    query = sa.select(_TURNS).where(telemetry.c.bucket_start >= since, TURN_CELLS)
    found: int | None = connection.execute(query).scalar_one()
    return None if found is None else int(found)
