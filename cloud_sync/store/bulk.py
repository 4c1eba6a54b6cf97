"""Many rows at once: on PostgreSQL one statement over arrays, where a statement a row would keep its server busy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, at least one; all name the same columns."""
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), list(rows))
        return
    names = list(rows[0])
    arrays = [
        sa.func.unnest(sa.bindparam(f"all_{name}", [row[name] for row in rows], ARRAY(table.c[name].type)))
        for name in names
    ]
    connection.execute(table.insert().from_select(names, sa.select(*arrays)))
