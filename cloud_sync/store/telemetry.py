"""Queries on what nodes count: sums for pages. A cell below five is not told by a node, and so is in no sum."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import TURN_CELLS, telemetry

_TURNS = sa.func.sum(telemetry.c.value).label("turns")


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
