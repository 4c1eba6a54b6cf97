"""Queries on desired state, and the counter by which replicas and the command line tell running streams of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import changes, desired

# The topic of everything that connected nodes must learn: desired state and revocations.
STEERING = "steering"


@dataclass(frozen=True)
class DesiredRow:
    """What is wanted of a scope, in full."""

    generation: int
    scope: str
    hash: bytes
    document: bytes


def group_scope(group: str) -> str:
    """The scope of a group's nodes."""
    return f"group:{group}"


def node_scope(node_id: str) -> str:
    """The scope of one node; where set, it replaces its group's."""
    return f"node:{node_id}"


def bump(connection: sa.Connection) -> None:
    """Say that connected nodes must learn something. Call it first: it also puts such changes in line."""
    change = changes.update().where(changes.c.topic == STEERING).values(revision=changes.c.revision + 1)
    if connection.execute(change).rowcount == 0:
        connection.execute(changes.insert().values(topic=STEERING, revision=1))


def revision(connection: sa.Connection) -> int:
    """The counter that `bump` moves."""
    query = sa.select(changes.c.revision).where(changes.c.topic == STEERING)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def add_desired(
    connection: sa.Connection, scope: str, digest: bytes, document: bytes, now: datetime, actor: str
) -> int:
    """Want something new of a scope: its generation, above every one before."""
    bump(connection)
    row = desired.insert().values(scope=scope, hash=digest, document=document, set_at=now, set_by=actor)
    generation: int = connection.execute(row.returning(desired.c.generation)).scalar_one()
    return generation


def current_desired(connection: sa.Connection, scopes: Iterable[str] | None = None) -> dict[str, DesiredRow]:
    """What is wanted now, by scope."""
    newest = sa.select(sa.func.max(desired.c.generation)).group_by(desired.c.scope)
    if scopes is not None:
        newest = newest.where(desired.c.scope.in_(list(scopes)))
    query = sa.select(desired.c.generation, desired.c.scope, desired.c.hash, desired.c.document)
    rows = connection.execute(query.where(desired.c.generation.in_(newest)))
    return {row.scope: DesiredRow(**row._mapping) for row in rows}
