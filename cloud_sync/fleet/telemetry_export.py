"""Telemetry as Parquet files in folders of days, which any tool reads: what nodes told, and nothing besides.

`DIR/date=2026-03-01/telemetry.parquet`, a row a cell; docs/api.md lists the columns. A day is written when it is over,
in one step, and anew when more of it has come, as from a node that was offline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.database import Database
from cloud_sync.store.telemetry import CellRow, cells_of_day, first_told, newest_told
from core.errors import PosternError
from core.files import private_folder, replacing

log = logging.getLogger(__name__)

FILE_NAME = "telemetry.parquet"
# In a file: the number of the newest row of its day. While that is the same, nothing of the day is read.
NEWEST_KEY = b"postern.newest"
# How many nodes are read in a transaction, and are a row group: a day of 25 is some 17,000 rows, which keep SQLite's
# only thread for a tenth of a second.
NODES_AT_A_TIME = 25
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
    """Days that are there, and of which nothing has come since."""


class TelemetryExport:
    """Writes days of telemetry."""

    def __init__(self, database: Database, clock: Callable[[], datetime], kept: timedelta) -> None:
        """`kept`: how old counts become; days that are older are left as they were written."""
        self._database = database
        self._clock = clock
        self._kept = kept

    async def export(self, folder: Path, since: date | None = None) -> Exported:
        """Write each finished day from `since` on (none: LOOKED_BACK) that is not there yet, or of which more has come.

        Raises ExportFailed, StoreUnavailable.
        """
        today = self._clock().date()
        begin = _midnight(max(since or today - LOOKED_BACK, today - self._kept))
        first = await self._database.run(lambda connection: first_told(connection, begin))
        written: list[str] = []
        rows = unchanged = 0
        for day in _days(first, today):
            newest = await self._newest(day)
            path = folder / f"date={day.isoformat()}" / FILE_NAME
            if newest is None:
                continue
            if await asyncio.to_thread(_holds, path, newest):
                unchanged += 1
                continue
            rows += await self._write(path, day, newest)
            written.append(day.isoformat())
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

    async def _newest(self, day: date) -> int | None:
        begin, end = _midnight(day), _midnight(day + timedelta(days=1))
        return await self._database.run(lambda connection: newest_told(connection, begin, end))

    async def _write(self, path: Path, day: date, newest: int) -> int:
        """Write a day's file anew, some nodes at a time; how many rows. Raises ExportFailed, StoreUnavailable."""
        begin, end = _midnight(day), _midnight(day + timedelta(days=1))
        rows, after = 0, ""
        try:
            with _new_file(path, newest) as add:
                while True:

                    def read(
                        connection: sa.Connection, here: str = after
                    ) -> tuple[list[CellRow], str | None]:
                        return cells_of_day(connection, begin, end, here, NODES_AT_A_TIME)

                    cells, last = await self._database.run(read)
                    await asyncio.to_thread(add, cells)
                    rows += len(cells)
                    if last is None:
                        break
                    after = last
        except OSError as error:
            raise ExportFailed(f"{path} cannot be written: {error.strerror}.") from error
        return rows


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


def _holds(path: Path, newest: int) -> bool:
    """Whether a day's file is there, whole, and was written when the day's newest row was this one."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        known = parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return known.get(NEWEST_KEY) == str(newest).encode()


@contextmanager
def _new_file(path: Path, newest: int) -> Iterator[Callable[[list[CellRow]], None]]:
    """Takes rows in groups; in the place of `path` in one step, once all are there. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    schema = parquet_schema().with_metadata({NEWEST_KEY: str(newest)})
    private_folder(path.parent)
    with replacing(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:

        def add(cells: list[CellRow]) -> None:
            if cells:
                writer.write_table(pa.Table.from_pylist([_columns(cell) for cell in cells], schema=schema))

        yield add


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


def _days(first: datetime | None, until: date) -> list[date]:
    """From the day of `first` to the one before `until`. Pure."""
    number = (until - first.date()).days if first else 0
    return [until - timedelta(days=back) for back in range(number, 0, -1)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
