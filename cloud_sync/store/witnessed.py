"""Queries on what the witness remembers of logs, and on what it refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.database import insert_of
from cloud_sync.store.schema import witness_refusals, witnessed_logs

# Evidence that is kept of one log: a hundred forged histories prove no more than three.
REFUSALS_PER_LOG_MAX = 100


@dataclass(frozen=True)
class LogRow:
    """The longest tree of a log that was signed; `size` 0 and no `witnessed_at`: none yet."""

    origin: str
    node_id: str
    """Whose it is; "" where no nodes are known."""
    key: bytes
    size: int
    root: bytes
    first_at: datetime
    witnessed_at: datetime | None = None
    set_aside_at: datetime | None = None
    """Since when a newer log of the node has its place."""


@dataclass(frozen=True)
class RefusalRow:
    """A submission that was refused, `count` times."""

    node_id: str
    origin: str
    reason: str
    old_size: int
    remembered_size: int
    checkpoint: bytes
    """The note, as the log's key has signed it."""
    first_at: datetime
    last_at: datetime
    count: int = 1


_LOG = [witnessed_logs.c[field.name] for field in fields(LogRow)]
_REFUSAL = [witness_refusals.c[field.name] for field in fields(RefusalRow)]


def get_log(connection: sa.Connection, origin: str) -> LogRow | None:
    """What is remembered; until the transaction ends, nobody else changes it."""
    query = sa.select(*_LOG).where(witnessed_logs.c.origin == origin).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else LogRow(**row._mapping)


def any_log(connection: sa.Connection) -> bool:
    """Whether a log was ever shown here."""
    return bool(connection.execute(sa.select(sa.exists(sa.select(witnessed_logs.c.origin)))).scalar_one())


def logs_of(connection: sa.Connection, node_id: str) -> tuple[LogRow, ...]:
    """Every log of a node, the newest first."""
    query = sa.select(*_LOG).where(witnessed_logs.c.node_id == node_id)
    rows = connection.execute(query.order_by(witnessed_logs.c.first_at.desc(), witnessed_logs.c.origin))
    return tuple(LogRow(**row._mapping) for row in rows)


def add_log(connection: sa.Connection, row: LogRow) -> bool:
    """A log that is new; whether it was not there."""
    first = insert_of(connection)(witnessed_logs).values(**vars(row))
    added = connection.execute(first.on_conflict_do_nothing().returning(witnessed_logs.c.origin))
    return added.one_or_none() is not None


def advance(connection: sa.Connection, before: LogRow, size: int, root: bytes, now: datetime) -> bool:
    """Remember a longer tree in place of `before`; False: somebody else has meanwhile, and nothing changed."""
    same = (
        witnessed_logs.c.origin == before.origin,
        witnessed_logs.c.size == before.size,
        witnessed_logs.c.root == before.root,
        witnessed_logs.c.set_aside_at.is_(None),
    )
    change = witnessed_logs.update().where(*same).values(size=size, root=root, witnessed_at=now)
    return connection.execute(change).rowcount == 1


def move_log(connection: sa.Connection, row: LogRow, node_id: str) -> None:
    """A log that `get_log` has read is another node's from now on. What was refused of it stays with the first."""
    mine = (witnessed_logs.c.origin == row.origin, witnessed_logs.c.node_id == row.node_id)
    connection.execute(witnessed_logs.update().where(*mine).values(node_id=node_id))


def set_aside(connection: sa.Connection, node_id: str, newest: str, now: datetime) -> None:
    """Every log that the node has but its `newest` ends here."""
    mine = (
        witnessed_logs.c.node_id == node_id,
        witnessed_logs.c.origin != newest,
        witnessed_logs.c.set_aside_at.is_(None),
    )
    connection.execute(witnessed_logs.update().where(*mine).values(set_aside_at=now))


def last_witnessed(connection: sa.Connection) -> dict[str, datetime]:
    """When a log of each node was last signed, by node; without those of which none was."""
    newest = sa.func.max(witnessed_logs.c.witnessed_at)
    query = sa.select(witnessed_logs.c.node_id, newest.label("at")).group_by(witnessed_logs.c.node_id)
    return {row.node_id: row.at for row in connection.execute(query) if row.at is not None}


def keep_refusal(connection: sa.Connection, row: RefusalRow) -> None:
    """Note what was refused; the same again is counted. Past REFUSALS_PER_LOG_MAX of a log no more are kept."""
    digest = hashlib.sha256(row.checkpoint).digest()
    same = (
        witness_refusals.c.node_id == row.node_id,
        witness_refusals.c.origin == row.origin,
        witness_refusals.c.reason == row.reason,
        witness_refusals.c.checkpoint_sha256 == digest,
    )
    counted = witness_refusals.update().where(*same)
    counted = counted.values(count=witness_refusals.c.count + row.count, last_at=row.last_at)
    if connection.execute(counted).rowcount:
        return
    of_log = (witness_refusals.c.node_id == row.node_id, witness_refusals.c.origin == row.origin)
    kept = connection.execute(sa.select(sa.func.count()).select_from(witness_refusals).where(*of_log))
    if kept.scalar_one() < REFUSALS_PER_LOG_MAX:
        connection.execute(witness_refusals.insert().values(**vars(row), checkpoint_sha256=digest))


def refusals_of(connection: sa.Connection, node_id: str) -> dict[str, tuple[tuple[str, int], ...]]:
    """Reasons of what was refused of a node, and how often, by log."""
    times = sa.func.sum(witness_refusals.c.count).label("times")
    columns = (witness_refusals.c.origin, witness_refusals.c.reason)
    query = sa.select(*columns, times).where(witness_refusals.c.node_id == node_id)
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for row in connection.execute(query.group_by(*columns).order_by(*columns)):
        found[row.origin] = (*found.get(row.origin, ()), (row.reason, int(row.times)))
    return found


def newest_refusals(connection: sa.Connection, node_id: str, rows_max: int) -> tuple[RefusalRow, ...]:
    """What was refused of a node, the newest first."""
    query = sa.select(*_REFUSAL).where(witness_refusals.c.node_id == node_id)
    rows = connection.execute(query.order_by(witness_refusals.c.last_at.desc()).limit(rows_max))
    return tuple(RefusalRow(**row._mapping) for row in rows)
