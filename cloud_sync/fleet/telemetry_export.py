"""Telemetry as Parquet files in folders of days, which any tool reads: what nodes told, and nothing besides.

`DIR/date=2026-03-01/telemetry.parquet`, a row a cell; docs/api.md lists the columns. A day is written when it is over,
in one step, and anew when more of it has come, as from a node that was offline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.database import Database
from cloud_sync.store.telemetry import CellRow, cells_of_day, days_told
from core.errors import PosternError
from core.files import private_folder, write_atomic

log = logging.getLogger(__name__)

FILE_NAME = "telemetry.parquet"
# How many nodes are read in a transaction: a day of a hundred is some 70,000 rows.
NODES_AT_A_TIME = 100
# A day's buckets may come late: from nodes that were offline. So far back, finished days are looked at again.
LOOKED_BACK = timedelta(days=90)
# Looked for new days so often; a day ends once a day, and rows of the past come with nodes that return.
EXPORT_INTERVAL_S = 3600.0


class ExportFailed(PosternError):
    """Telemetry cannot be written where it was asked for."""

    code = "telemetry_export_failed"
    title = "Telemetry cannot be exported"
    remedy = "Check that the folder exists, is writable and has space."
    status = 500


@dataclass(frozen=True)
class Exported:
    """What one export wrote."""

    days: tuple[str, ...]
    rows: int
    unchanged: int
    """Days that are there as they would be written."""


class TelemetryExport:
    """Writes days of telemetry."""

    def __init__(self, database: Database, clock: Callable[[], datetime], kept: timedelta) -> None:
        """`kept`: how old counts become; days that are older are left as they were written."""
        self._database = database
        self._clock = clock
        self._kept = kept

    async def export(self, folder: Path, since: date | None = None) -> Exported:
        """Write each finished day from `since` on (none: LOOKED_BACK) that is not there yet, or is no more the same.

        Raises ExportFailed, StoreUnavailable.
        """
        today = self._clock().date()
        first = max(since or today - LOOKED_BACK, today - self._kept)
        begin, end = _midnight(first), _midnight(today)
        days = await self._database.run(lambda connection: days_told(connection, begin, end))
        written: list[str] = []
        rows = unchanged = 0
        for day in days:
            cells = await self._cells(day)
            if await asyncio.to_thread(_write, folder, day, cells):
                written.append(day.isoformat())
                rows += len(cells)
            else:
                unchanged += 1
        return Exported(tuple(written), rows, unchanged)

    async def keep_exporting(self, folder: Path) -> None:
        """Export at intervals, for ever; a disk that is full is said, and tried again."""
        while True:
            try:
                found = await self.export(folder)
                if found.days:
                    log.info("telemetry exported", extra={"days": len(found.days), "rows": found.rows})
            except PosternError as error:
                log.warning("telemetry not exported", extra={"code": error.code})
            await asyncio.sleep(EXPORT_INTERVAL_S)

    async def _cells(self, day: date) -> list[CellRow]:
        begin, end = _midnight(day), _midnight(day + timedelta(days=1))
        found: list[CellRow] = []
        after = ""
        while True:
            here = after

            def read(connection: sa.Connection, here: str = here) -> tuple[list[CellRow], str | None]:
                return cells_of_day(connection, begin, end, here, NODES_AT_A_TIME)

            cells, last = await self._database.run(read)
            found += cells
            if last is None:
                return found
            after = last


def parquet_schema() -> Any:
    """Columns and types of every file."""
    import pyarrow as pa  # here: it takes half a second that no other command needs

    return pa.schema(
        [
            pa.field("node", pa.string(), nullable=False),
            pa.field("site", pa.string(), nullable=False),
            pa.field("group", pa.string(), nullable=False),
            pa.field("bucket_start", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("bucket_seconds", pa.int32(), nullable=False),
            pa.field("name", pa.string(), nullable=False),
            pa.field("cell", pa.string(), nullable=False),
            pa.field("value", pa.int64(), nullable=False),
        ]
    )


def _write(folder: Path, day: date, cells: list[CellRow]) -> bool:
    """Write a day's file; False when it is there with as many cells and the same sum. Raises ExportFailed."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.Table.from_pylist([_columns(cell) for cell in cells], schema=parquet_schema())
    path = folder / f"date={day.isoformat()}" / FILE_NAME
    buffer = pa.BufferOutputStream()
    parquet.write_table(table, buffer, compression="zstd")
    content: bytes = buffer.getvalue().to_pybytes()
    try:
        if path.exists() and path.read_bytes() == content:
            return False
        private_folder(path.parent)
        write_atomic(path, content)
    except OSError as error:
        raise ExportFailed(f"{path} cannot be written: {error.strerror}.") from error
    return True


def _columns(cell: CellRow) -> dict[str, Any]:
    name, _, inner = cell.name.partition(".")
    return {
        "node": cell.node_id,
        "site": cell.site,
        "group": cell.group_name,
        "bucket_start": cell.bucket_start,
        "bucket_seconds": cell.bucket_seconds,
        "name": name,
        "cell": inner,
        "value": cell.value,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
