"""Every table as parts of a file, and back: JSON lines, the same whichever engine they come from or go to."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.schema import Timestamp, leases, metadata, microseconds, web_sessions
from core.archives import BackupUnusable

# A part is held in memory: some megabytes of records, which are the longest rows that are many.
ROWS_PER_PART = 2_000
PREFIX = "tables/"
# Of the running processes and browsers, which are others after a restore.
LEFT_OUT = frozenset({leases.name, web_sessions.name})


def table_parts(connection: sa.Connection) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the parts, in an order in which rows come after those that they refer to."""
    for table in metadata.sorted_tables:
        if table.name not in LEFT_OUT:
            for number, rows in enumerate(_pages(connection, table)):
                yield f"{PREFIX}{table.name}/{number:08d}.jsonl", _encoded(table, rows)


def known_tables(connection: sa.Connection) -> dict[str, sa.Table]:
    """The tables that are there, as the engine has them."""
    found = sa.MetaData()
    found.reflect(connection)
    return dict(found.tables)


def load_part(connection: sa.Connection, tables: dict[str, sa.Table], name: str, content: bytes) -> int:
    """Put the rows of a part into their table; how many. Raises BackupUnusable."""
    parts = PurePosixPath(name).parts
    table = tables.get(parts[1]) if len(parts) == 3 and not set(parts) & {"..", "."} else None
    if table is None or table.name in LEFT_OUT:
        raise BackupUnusable("It holds a part that no backup of a control plane has.")
    try:
        columns, *rows = [json.loads(line) for line in content.splitlines()]
        values = [dict(zip(columns, map(_decoded, row), strict=True)) for row in rows]
    except (ValueError, TypeError, KeyError):
        raise BackupUnusable(f"{name} is damaged.") from None
    if set(columns) - set(table.columns.keys()):
        raise BackupUnusable(f"{name} has columns that this release does not know.")
    if values:
        connection.execute(table.insert(), values)
    return len(values)


def _pages(connection: sa.Connection, table: sa.Table) -> Iterator[list[Any]]:
    """All rows by primary key; each page is a statement of its own, so that none is held as a whole."""
    key = list(table.primary_key.columns)
    after: tuple[Any, ...] | None = None
    while True:
        query = sa.select(table).order_by(*key).limit(ROWS_PER_PART)
        if after is not None:
            query = query.where(sa.tuple_(*key) > sa.tuple_(*map(sa.literal, after, (c.type for c in key))))
        rows = list(connection.execute(query))
        if rows:
            yield rows
        if len(rows) < ROWS_PER_PART:
            return
        after = tuple(rows[-1]._mapping[column] for column in key)


def _encoded(table: sa.Table, rows: list[Any]) -> bytes:
    columns = list(table.columns)
    lines: list[Any] = [[column.name for column in columns]]
    lines += [[_plain(column, value) for column, value in zip(columns, row, strict=True)] for row in rows]
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def _plain(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, Timestamp):
        return microseconds(value)
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return {"json": value} if isinstance(value, dict | list) else value


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "bytes":
        return base64.b64decode(content, validate=True)
    return date.fromisoformat(content) if kind == "date" else content
