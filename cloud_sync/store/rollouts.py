"""Queries on rollouts: what was asked for, how far each is, and where its nodes are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.nodes import ACTIVE
from cloud_sync.store.parts import in_parts
from cloud_sync.store.schema import changes, nodes, rollout_approvals, rollout_nodes, rollouts

# The topic that puts rollouts that are made in line, so that no two take the same node for the same name.
_MADE = "rollouts"


@dataclass(frozen=True)
class RolloutRow:
    """One rollout as the database has it."""

    id: str
    kind: str
    name: str
    spec: Mapping[str, Any]
    risks: tuple[Mapping[str, str], ...]
    waves: int
    state: str
    wave: int
    wave_since: datetime | None
    passed_since: datetime | None
    reason: str
    created_at: datetime
    created_by: str
    changed_at: datetime


@dataclass(frozen=True)
class MemberRow:
    """One node of a rollout."""

    rollout_id: str
    node_id: str
    wave: int
    status: str
    before: str = ""
    step: str = ""
    outcome: str = ""
    reason: str = ""
    figures: Mapping[str, int] = field(default_factory=dict)
    told_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True)
class NamedMember:
    """One node of a rollout, and what people call it."""

    member: MemberRow
    site: str
    name: str


@dataclass(frozen=True)
class ApprovalRow:
    """Who agreed."""

    admin: str
    at: datetime


_ROLLOUT = [rollouts.c[each.name] for each in fields(RolloutRow)]
_MEMBER = [rollout_nodes.c[each.name] for each in fields(MemberRow)]


def stand_in_line(connection: sa.Connection) -> None:
    """Wait for others that make a rollout, until the transaction ends."""
    change = changes.update().where(changes.c.topic == _MADE).values(revision=changes.c.revision + 1)
    if connection.execute(change).rowcount == 0:
        connection.execute(changes.insert().values(topic=_MADE, revision=1))


def add_rollout(connection: sa.Connection, row: RolloutRow, members: Sequence[MemberRow]) -> None:
    """A new rollout and its nodes."""
    connection.execute(rollouts.insert().values(**asdict(row) | {"risks": list(row.risks)}))
    connection.execute(rollout_nodes.insert(), [asdict(member) for member in members])


def get_rollout(connection: sa.Connection, rollout_id: str, *, lock: bool = False) -> RolloutRow | None:
    """One rollout, or None. `lock`: nobody else changes it until the transaction ends."""
    query = sa.select(*_ROLLOUT).where(rollouts.c.id == rollout_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _rollout(row._mapping)


def recent_rollouts(connection: sa.Connection, first: int, rows_max: int) -> tuple[RolloutRow, ...]:
    """The newest rollouts, from row `first` on."""
    query = sa.select(*_ROLLOUT).order_by(rollouts.c.created_at.desc(), rollouts.c.id)
    return tuple(_rollout(row._mapping) for row in connection.execute(query.offset(first).limit(rows_max)))


def rollouts_in(connection: sa.Connection, states: Collection[str]) -> tuple[str, ...]:
    """The identifiers of rollouts in one of these states, oldest first."""
    query = sa.select(rollouts.c.id).where(rollouts.c.state.in_(list(states)))
    return tuple(connection.execute(query.order_by(rollouts.c.created_at, rollouts.c.id)).scalars())


def count_by_state(connection: sa.Connection) -> dict[str, int]:
    """How many rollouts are in each state."""
    query = sa.select(rollouts.c.state, sa.func.count()).group_by(rollouts.c.state)
    return {state: int(count) for state, count in connection.execute(query)}


def save_rollout(connection: sa.Connection, rollout_id: str, values: Mapping[str, Any]) -> None:
    """New values of a rollout that the caller has locked."""
    connection.execute(rollouts.update().where(rollouts.c.id == rollout_id).values(**values))


def held_nodes(connection: sa.Connection, kind: str, name: str, states: Collection[str]) -> dict[str, str]:
    """Nodes of rollouts of a kind and name in one of these states: node → rollout."""
    query = sa.select(rollout_nodes.c.node_id, rollout_nodes.c.rollout_id).join(rollouts)
    query = query.where(rollouts.c.kind == kind, rollouts.c.name == name, rollouts.c.state.in_(list(states)))
    return {row.node_id: row.rollout_id for row in connection.execute(query)}


def count_members(
    connection: sa.Connection, rollout_ids: Collection[str]
) -> dict[str, dict[tuple[int, str], int]]:
    """How many nodes that are not revoked are where: rollout → (wave, status) → number."""
    key = rollout_nodes.c.rollout_id, rollout_nodes.c.wave, rollout_nodes.c.status
    query = sa.select(*key, sa.func.count()).join(nodes, nodes.c.id == rollout_nodes.c.node_id)
    query = query.where(rollout_nodes.c.rollout_id.in_(list(rollout_ids)), nodes.c.status == ACTIVE)
    found: dict[str, dict[tuple[int, str], int]] = {}
    for rollout_id, wave, status, count in connection.execute(query.group_by(*key)):
        found.setdefault(rollout_id, {})[wave, status] = int(count)
    return found


def count_places(connection: sa.Connection, rollout_id: str, status: str | None) -> int:
    """How many rows `members` has of this status, or of all."""
    query = sa.select(sa.func.count()).select_from(rollout_nodes).where(_of(rollout_id))
    if status is not None:
        query = query.where(rollout_nodes.c.status == status)
    return int(connection.execute(query).scalar_one())


def wave_members(connection: sa.Connection, rollout_id: str, wave: int, status: str) -> tuple[str, ...]:
    """The nodes of a wave with a status, without those that are revoked."""
    query = sa.select(rollout_nodes.c.node_id).join(nodes, nodes.c.id == rollout_nodes.c.node_id)
    query = query.where(_of(rollout_id), rollout_nodes.c.wave == wave, rollout_nodes.c.status == status)
    query = query.where(nodes.c.status == ACTIVE).order_by(rollout_nodes.c.node_id)
    return tuple(connection.execute(query).scalars())


def move_members(
    connection: sa.Connection,
    rollout_id: str,
    before: Collection[str],
    after: str,
    *,
    wave: int | None = None,
    **values: Any,
) -> None:
    """Give the nodes with one of the statuses `before`, of one wave or of all, the status `after`."""
    change = rollout_nodes.update().where(_of(rollout_id), rollout_nodes.c.status.in_(list(before)))
    if wave is not None:
        change = change.where(rollout_nodes.c.wave == wave)
    connection.execute(change.values(status=after, **values))


def versions_before(connection: sa.Connection, rollout_id: str, status: str) -> dict[str, str]:
    """Of its nodes with a status: the version that each had, or ""."""
    query = sa.select(rollout_nodes.c.node_id, rollout_nodes.c.before)
    rows = connection.execute(query.where(_of(rollout_id), rollout_nodes.c.status == status))
    return {row.node_id: row.before for row in rows}


def move_nodes(
    connection: sa.Connection, rollout_id: str, node_ids: Collection[str], after: str, now: datetime
) -> None:
    """Give these nodes of it the status `after`."""
    for some in in_parts(node_ids):
        change = rollout_nodes.update().where(_of(rollout_id), rollout_nodes.c.node_id.in_(some))
        connection.execute(change.values(status=after, changed_at=now))


def settle_elsewhere(
    connection: sa.Connection, node_id: str, what: tuple[str, str, str], before: str, after: str
) -> None:
    """Of a node that has the (kind, name) of `what` from that rollout now: move its places in others."""
    kind, name, rollout_id = what
    same = sa.select(rollouts.c.id).where(
        rollouts.c.kind == kind, rollouts.c.name == name, rollouts.c.id != rollout_id
    )
    change = rollout_nodes.update().where(
        rollout_nodes.c.node_id == node_id,
        rollout_nodes.c.status == before,
        rollout_nodes.c.rollout_id.in_(same),
    )
    connection.execute(change.values(status=after))


def get_member(connection: sa.Connection, rollout_id: str, node_id: str) -> MemberRow | None:
    """A node's place in a rollout, locked until the transaction ends; None when it has none."""
    query = sa.select(*_MEMBER).where(_of(rollout_id), rollout_nodes.c.node_id == node_id)
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else MemberRow(**row._mapping)


def save_member(connection: sa.Connection, rollout_id: str, node_id: str, values: Mapping[str, Any]) -> None:
    """New values of a node's place."""
    change = rollout_nodes.update().where(_of(rollout_id), rollout_nodes.c.node_id == node_id)
    connection.execute(change.values(**values))


def members(
    connection: sa.Connection, rollout_id: str, *, first: int, rows_max: int, status: str | None = None
) -> tuple[NamedMember, ...]:
    """Its nodes by wave, site and name, from row `first` on."""
    query = sa.select(*_MEMBER, nodes.c.site, nodes.c.name).join(nodes, nodes.c.id == rollout_nodes.c.node_id)
    query = query.where(_of(rollout_id))
    if status is not None:
        query = query.where(rollout_nodes.c.status == status)
    query = query.order_by(rollout_nodes.c.wave, nodes.c.site, nodes.c.name, nodes.c.id)
    return tuple(_named(row._mapping) for row in connection.execute(query.offset(first).limit(rows_max)))


def rollouts_of(
    connection: sa.Connection, node_id: str, rows_max: int
) -> tuple[tuple[MemberRow, RolloutRow], ...]:
    """A node's place in the newest rollouts that it is part of."""
    query = sa.select(rollout_nodes.c.rollout_id).join(rollouts).where(rollout_nodes.c.node_id == node_id)
    ids = list(connection.execute(query.order_by(rollouts.c.created_at.desc()).limit(rows_max)).scalars())
    found = connection.execute(sa.select(*_ROLLOUT).where(rollouts.c.id.in_(ids)))
    by_id = {row.id: _rollout(row._mapping) for row in found}
    places = connection.execute(
        sa.select(*_MEMBER).where(rollout_nodes.c.node_id == node_id, rollout_nodes.c.rollout_id.in_(ids))
    )
    by_rollout = {row.rollout_id: MemberRow(**row._mapping) for row in places}
    return tuple((by_rollout[one], by_id[one]) for one in ids)


def add_approval(connection: sa.Connection, rollout_id: str, admin: str, now: datetime) -> bool:
    """Write down that somebody agrees; False when they had before. The caller has locked the rollout."""
    if admin in {approval.admin for approval in approvals(connection, rollout_id)}:
        return False
    connection.execute(rollout_approvals.insert().values(rollout_id=rollout_id, admin=admin, at=now))
    return True


def approvals(connection: sa.Connection, rollout_id: str) -> tuple[ApprovalRow, ...]:
    """Who agreed, in order."""
    columns = sa.select(rollout_approvals.c.admin, rollout_approvals.c.at)
    query = columns.where(rollout_approvals.c.rollout_id == rollout_id).order_by(rollout_approvals.c.at)
    return tuple(ApprovalRow(**row._mapping) for row in connection.execute(query))


def _of(rollout_id: str) -> sa.ColumnElement[bool]:
    return rollout_nodes.c.rollout_id == rollout_id


def _rollout(row: Any) -> RolloutRow:
    return RolloutRow(**{**row, "risks": tuple(row["risks"])})


def _named(row: Any) -> NamedMember:
    member = MemberRow(**{each.name: row[each.name] for each in fields(MemberRow)})
    return NamedMember(member, row["site"], row["name"])
