"""Queries on desired state, and the counter by which replicas and the command line tell running streams of it.

The counter is the generation of everything that is wanted of nodes: whoever changes something counts it up first,
which also puts such changes in line, and what is changed carries the number.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.database import insert_of
from cloud_sync.store.notices import STEERING, notify
from cloud_sync.store.parts import in_parts
from cloud_sync.store.schema import changes, desired, nodes

_GROUP, _NODE = "group:", "node:"


@dataclass(frozen=True)
class DesiredRow:
    """What is wanted of a scope, or of one node, in full. An empty document: nothing any more."""

    generation: int
    scope: str
    hash: bytes
    document: bytes


def group_scope(group: str) -> str:
    """The scope of a group's nodes."""
    return f"{_GROUP}{group}"


def node_scope(node_id: str) -> str:
    """The scope of one node; where set, it replaces its group's."""
    return f"{_NODE}{node_id}"


def next_generation(connection: sa.Connection) -> int:
    """The generation of a change that connected nodes must learn. Call it before reading what is changed."""
    # In one statement: two replicas may count the first one at once.
    first = insert_of(connection)(changes).values(topic=STEERING, revision=1)
    counted = first.on_conflict_do_update(
        index_elements=[changes.c.topic], set_={"revision": changes.c.revision + 1}
    )
    generation: int = connection.execute(counted.returning(changes.c.revision)).scalar_one()
    notify(connection, STEERING, str(generation))
    return generation


def raise_revision(connection: sa.Connection, least: int) -> None:
    """Go on counting above `least`."""
    next_generation(connection)
    change = changes.update().where(changes.c.topic == STEERING, changes.c.revision < least)
    connection.execute(change.values(revision=least))


def revision(connection: sa.Connection) -> int:
    """The newest generation."""
    query = sa.select(changes.c.revision).where(changes.c.topic == STEERING)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def add_desired(connection: sa.Connection, row: DesiredRow, now: datetime, actor: str) -> None:
    """Want something new of a scope, under a generation of its own."""
    values = {"generation": row.generation, "scope": row.scope, "hash": row.hash, "document": row.document}
    connection.execute(desired.insert().values(**values, set_at=now, set_by=actor))


def current_desired(
    connection: sa.Connection, scopes: Collection[str] | None = None
) -> dict[str, DesiredRow]:
    """The newest row of each of these scopes, or of all."""
    newest = sa.select(sa.func.max(desired.c.generation)).group_by(desired.c.scope)
    if scopes is None:
        return _rows(connection, newest)
    found: dict[str, DesiredRow] = {}
    for some in in_parts(scopes):
        found |= _rows(connection, newest.where(desired.c.scope.in_(some)))
    return found


def _rows(connection: sa.Connection, generations: sa.Select[tuple[int]]) -> dict[str, DesiredRow]:
    query = sa.select(desired.c.generation, desired.c.scope, desired.c.hash, desired.c.document)
    rows = connection.execute(query.where(desired.c.generation.in_(generations)))
    return {row.scope: DesiredRow(**row._mapping) for row in rows}


def desired_at(connection: sa.Connection, scope: str, generation: int) -> DesiredRow | None:
    """What was wanted of a scope at a generation."""
    query = sa.select(desired.c.generation, desired.c.scope, desired.c.hash, desired.c.document)
    query = query.where(desired.c.scope == scope, desired.c.generation <= generation)
    row = connection.execute(query.order_by(desired.c.generation.desc()).limit(1)).one_or_none()
    return None if row is None else DesiredRow(**row._mapping)


def changed_since(connection: sa.Connection, generation: int) -> sa.ColumnElement[bool]:
    """For which nodes something was wanted after `generation`, as a condition on them."""
    query = sa.select(desired.c.scope).distinct().where(desired.c.generation > generation)
    scopes = list(connection.execute(query).scalars())
    groups = [scope.removeprefix(_GROUP) for scope in scopes if scope.startswith(_GROUP)]
    ids = [scope.removeprefix(_NODE) for scope in scopes if scope.startswith(_NODE)]
    newer = nodes.c.steered_generation > generation
    return sa.or_(newer, nodes.c.group_name.in_(groups), nodes.c.id.in_(ids))
