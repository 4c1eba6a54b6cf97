"""Queries on leases: which replica does what only one may do. The time is the database's, where it has one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from cloud_sync.store.database import insert_of
from cloud_sync.store.schema import leases


def take(connection: sa.Connection, name: str, holder: str, length: timedelta) -> bool:
    """Take a free lease, or hold on to one's own, for `length` from now; whether it is held."""
    now = _now(connection)
    until = now + length
    # Nobody holds one for longer than its length: what says so was written before a clock was put back. Twice that,
    # as its holder may renew it between our look at the clock and our turn at the row.
    wrong = leases.c.expires_at > until + length
    free = sa.or_(leases.c.holder == holder, leases.c.expires_at <= now, wrong)
    change = leases.update().where(leases.c.name == name, free)
    if connection.execute(change.values(holder=holder, expires_at=until)).rowcount == 1:
        return True
    first = insert_of(connection)(leases).values(name=name, holder=holder, expires_at=until)
    added = connection.execute(first.on_conflict_do_nothing().returning(leases.c.name))
    return added.one_or_none() is not None


def holds(connection: sa.Connection, name: str, holder: str) -> bool:
    """Whether a lease is held now; until the transaction ends nobody else can take it."""
    ours = (leases.c.name == name, leases.c.holder == holder, leases.c.expires_at > _now(connection))
    return connection.execute(leases.update().where(*ours).values(holder=holder)).rowcount == 1


def give_back(connection: sa.Connection, name: str, holder: str) -> None:
    """Let others take it at once."""
    connection.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))


def _now(connection: sa.Connection) -> datetime:
    """One clock for all replicas; SQLite has one process and its machine's."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)
    now: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    # It comes in the zone of the server, where a sum across the end of summer time is an hour wrong.
    return now.astimezone(UTC)
