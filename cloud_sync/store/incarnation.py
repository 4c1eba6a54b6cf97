"""A restored control plane is another incarnation of it: what it numbers must not have been given out before.

What was given out after the backup was made is known to nobody here. So every count goes on from the clock,
milliseconds since 1970: no count of ours reaches it by counting, and a later restore is above an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from cloud_sync.store.codes import expire_codes
from cloud_sync.store.desired import raise_revision
from cloud_sync.store.schema import RowId, incarnations, metadata, nodes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Incarnation:
    """One life of the control plane, from a restore to the next."""

    number: int
    floor: int
    """Every number that is given out is above it."""
    restored_at: datetime
    made_at: datetime
    """When the backup was made that it came from."""


def current_incarnation(connection: sa.Connection) -> Incarnation | None:
    """None: it was never restored."""
    query = sa.select(incarnations).order_by(incarnations.c.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Incarnation(**row._mapping)


def begin_incarnation(connection: sa.Connection, made_at: datetime, now: datetime) -> Incarnation:
    """In the transaction of a restore, after the rows: nothing that was numbered since the backup is given out again.

    One-time codes that were open then may have been spent since: they are over.
    """
    before = current_incarnation(connection)
    found = Incarnation(
        number=before.number + 1 if before else 1,
        floor=max((now - _EPOCH) // timedelta(milliseconds=1), before.floor + 1 if before else 0),
        restored_at=now,
        made_at=made_at,
    )
    connection.execute(incarnations.insert().values(**vars(found)))
    raise_revision(connection, found.floor)
    streams = nodes.update().where(nodes.c.stream_generation < found.floor)
    connection.execute(streams.values(stream_generation=found.floor))
    expire_codes(connection, now)
    for table in metadata.sorted_tables:
        number = _numbered(table, connection.dialect.name)
        if number is not None:
            _count_from(connection, table, number, found.floor)
    return found


def _numbered(table: sa.Table, engine: str) -> str | None:
    """The column whose numbers come from a count that the engine keeps beside the rows."""
    key = list(table.primary_key.columns)
    if len(key) != 1 or not isinstance(key[0].type, type(RowId)):
        return None
    # SQLite counts on from the rows themselves, unless no number may be given twice. PostgreSQL knows of no row that
    # came with its number.
    return key[0].name if engine == "postgresql" or table.dialect_options["sqlite"]["autoincrement"] else None


def _count_from(connection: sa.Connection, table: sa.Table, column: str, number: int) -> None:
    if connection.dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(table.name, column)
        connection.execute(sa.select(sa.func.setval(sequence, number)))
        return
    sequences = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
    change = sequences.update().where(sequences.c.name == table.name).values(seq=number)
    if connection.execute(change).rowcount == 0:
        connection.execute(sequences.insert().values(name=table.name, seq=number))
