"""Which nodes a page shows: filters, order and page are the database's work, as a fleet may have thousands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.nodes import REVOKED as REVOKED_STATUS
from cloud_sync.store.nodes import NodeRow, nodes_of
from cloud_sync.store.schema import nodes
from cloud_sync.store.text_search import holds

LIVE = "live"
LATE = "late"
OFFLINE = "offline"
NEW = "new"
REVOKED_STATE = "revoked"
# The order in which an admin wants to see them.
STATES_BY_TROUBLE = (OFFLINE, LATE, NEW, LIVE, REVOKED_STATE)

BY_TROUBLE = "trouble"
SORTS: Mapping[str, sa.ColumnElement[Any]] = {
    "node": nodes.c.name,
    "seen": nodes.c.last_seen,
    "software": nodes.c.software_version,
    "queue": nodes.c.queue_percent,
    "waiting": nodes.c.outbox_rows,
    "devices": nodes.c.devices_online,
}
"""Columns by which a page can be sorted, beside trouble. Nodes that say nothing of one come last, either way."""

_GROUPS = sa.select(nodes.c.group_name).distinct().order_by(nodes.c.group_name)


@dataclass(frozen=True)
class NodeFilter:
    """Which nodes; what is empty leaves nobody out."""

    text: str = ""
    """Part of the id, the site, the name or the group."""
    state: str = ""
    group: str = ""
    label: str = ""
    """KEY or KEY=VALUE."""


@dataclass(frozen=True)
class NodeOrder:
    """By what, and which slice of it."""

    sort: str = BY_TROUBLE
    descending: bool = False
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class StateLine:
    """By what a state is judged: instants of last signs, and whose connection was lost a moment ago."""

    late_before: datetime
    offline_before: datetime
    lost: frozenset[str]


@dataclass(frozen=True)
class FoundNodes:
    """A page's rows with their states, and how many there are by state; those leave the filter's state aside."""

    rows: tuple[tuple[NodeRow, str], ...]
    by_state: Mapping[str, int]
    groups: tuple[str, ...]
    """Every group of the fleet."""


def find_nodes(
    connection: sa.Connection, wanted: NodeFilter, order: NodeOrder, line: StateLine
) -> FoundNodes:
    """One page of nodes, and the counts around it."""
    state = state_of(line)
    fits = _fits(wanted)
    query = sa.select(nodes.c.id, state.label("state")).where(*fits)
    if wanted.state:
        query = query.where(state == wanted.state)
    query = query.order_by(*_order(order, state)).offset(order.offset).limit(order.limit)
    states: dict[str, str] = {row.id: row.state for row in connection.execute(query)}
    rows = {row.id: row for row in nodes_of(connection, list(states))}
    return FoundNodes(
        rows=tuple((rows[node_id], name) for node_id, name in states.items()),
        by_state=_by_state(connection, fits, state),
        groups=tuple(connection.execute(_GROUPS).scalars()),
    )


def count_nodes(connection: sa.Connection) -> int:
    """How many nodes there are, revoked ones too."""
    return connection.execute(sa.select(sa.func.count()).select_from(nodes)).scalar_one()


def count_states(connection: sa.Connection, line: StateLine) -> Mapping[str, int]:
    """How many nodes are in which state."""
    return _by_state(connection, [], state_of(line))


def state_of(line: StateLine) -> sa.ColumnElement[str]:
    """A node's state as SQL: the rule of `fleet.rules.node_state`, to which a test holds it."""
    late = nodes.c.last_seen < sa.bindparam("late_before", line.late_before, nodes.c.last_seen.type)
    # Whichever replica it was connected to has saved that.
    late = late | ((nodes.c.lost_generation == nodes.c.stream_generation) & (nodes.c.stream_generation > 0))
    if line.lost:
        late = late | nodes.c.id.in_(line.lost)
    return sa.case(
        (nodes.c.status == REVOKED_STATUS, REVOKED_STATE),
        (nodes.c.last_seen.is_(None), NEW),
        (
            nodes.c.last_seen < sa.bindparam("offline_before", line.offline_before, nodes.c.last_seen.type),
            OFFLINE,
        ),
        (late, LATE),
        else_=LIVE,
    )


def _by_state(
    connection: sa.Connection, fits: list[sa.ColumnElement[bool]], state: sa.ColumnElement[str]
) -> Mapping[str, int]:
    # A subquery, because PostgreSQL does not see that two expressions with parameters are the same one.
    inner = sa.select(state.label("state")).where(*fits).subquery()
    counted = sa.select(inner.c.state, sa.func.count()).group_by(inner.c.state)
    found = {name: int(number) for name, number in connection.execute(counted)}
    return {name: found.get(name, 0) for name in STATES_BY_TROUBLE}


def _fits(wanted: NodeFilter) -> list[sa.ColumnElement[bool]]:
    fits: list[sa.ColumnElement[bool]] = []
    if wanted.group:
        fits.append(nodes.c.group_name == wanted.group)
    if wanted.label:
        key, _, value = wanted.label.partition("=")
        label = nodes.c.labels[key].as_string()
        fits.append(label == value if value else label.is_not(None))
    if wanted.text:
        fits.append(
            sa.or_(*(holds(nodes.c[name], wanted.text) for name in ("id", "site", "name", "group_name")))
        )
    return fits


def _order(order: NodeOrder, state: sa.ColumnElement[str]) -> list[sa.ColumnElement[Any]]:
    by_name = [nodes.c.site, nodes.c.name, nodes.c.id]
    if order.sort not in SORTS:
        ranks = {name: rank for rank, name in enumerate(STATES_BY_TROUBLE)}
        rank = sa.case(*((state == name, rank) for name, rank in ranks.items()), else_=len(ranks))
        return [rank.desc() if order.descending else rank, *by_name]
    column = SORTS[order.sort]
    return [(column.desc() if order.descending else column.asc()).nulls_last(), *by_name]
