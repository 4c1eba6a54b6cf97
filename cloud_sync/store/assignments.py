"""Queries on assignments: which version of what each node is to run, and by which rollout."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields

import sqlalchemy as sa

from cloud_sync.store.parts import in_parts
from cloud_sync.store.schema import assignments as table


@dataclass(frozen=True)
class Assignment:
    """One node is to run `version` of something, as the signed target `target` (KIND/NAME/VERSION) has it."""

    node_id: str
    kind: str
    """model | knowledge | policy | software"""
    name: str
    version: str
    target: str
    rollout_id: str
    watch_s: int
    """How long the node watches it before it is kept."""


_COLUMNS = [table.c[field.name] for field in fields(Assignment)]


def add_assignments(connection: sa.Connection, wanted: Sequence[Assignment], generation: int) -> None:
    """Assign. Of each node, kind and name the one before stays, to return to; those before it are dropped."""
    if not wanted:
        return
    rows = [asdict(one) | {"generation": generation} for one in wanted]
    keys = [{f"of_{name}": row[name] for name in ("node_id", "kind", "name", "rollout_id")} for row in rows]
    same = [table.c[name] == sa.bindparam(f"of_{name}") for name in ("node_id", "kind", "name")]
    connection.execute(table.delete().where(*same, table.c.rollout_id == sa.bindparam("of_rollout_id")), keys)
    connection.execute(table.insert(), rows)
    other = table.alias()
    before = sa.select(sa.func.max(other.c.generation)).where(
        other.c.node_id == table.c.node_id,
        other.c.kind == table.c.kind,
        other.c.name == table.c.name,
        other.c.generation < generation,
    )
    connection.execute(
        table.delete().where(*same, table.c.generation < before.scalar_subquery()),
        [{name: key[name] for name in ("of_node_id", "of_kind", "of_name")} for key in keys],
    )


def remove_assignments(
    connection: sa.Connection, rollout_id: str, node_ids: Collection[str] | None
) -> tuple[str, ...]:
    """Take back what a rollout assigned to these nodes, or to all; the nodes that had something of it."""
    ours = table.delete().where(table.c.rollout_id == rollout_id).returning(table.c.node_id)
    if node_ids is None:
        return tuple(sorted(set(connection.execute(ours).scalars())))
    found: set[str] = set()
    for some in in_parts(node_ids):
        found |= set(connection.execute(ours.where(table.c.node_id.in_(some))).scalars())
    return tuple(sorted(found))


def assignments_of(
    connection: sa.Connection, node_ids: Collection[str] | None = None
) -> dict[str, tuple[Assignment, ...]]:
    """What these nodes, or all, are to run now, by kind and name; a node without anything is absent."""
    newest_first = sa.select(*_COLUMNS).order_by(
        table.c.node_id, table.c.kind, table.c.name, table.c.generation.desc()
    )
    if node_ids is None:
        return _newest(connection, newest_first)
    found: dict[str, tuple[Assignment, ...]] = {}
    for some in in_parts(node_ids):
        found |= _newest(connection, newest_first.where(table.c.node_id.in_(some)))
    return found


def _newest(
    connection: sa.Connection, newest_first: sa.Select[tuple[object, ...]]
) -> dict[str, tuple[Assignment, ...]]:
    found: dict[str, dict[tuple[str, str], Assignment]] = {}
    for row in connection.execute(newest_first):
        one = Assignment(**row._mapping)
        found.setdefault(one.node_id, {}).setdefault((one.kind, one.name), one)
    return {node_id: tuple(by_name.values()) for node_id, by_name in found.items()}
