"""Days of counts as Parquet, read back by pyarrow as one table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.dataset as dataset
import pytest

from cloud_sync.fleet import telemetry_export
from cloud_sync.fleet.telemetry_export import ExportFailed, TelemetryExport, parquet_schema
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import add_node
from cloud_sync.store.streams import CountRow, add_counts
from tests.cloud_store import opened_store
from tests.unit.cloud_sync.test_rules import NODE

NOW = datetime(2026, 3, 3, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEPT = timedelta(days=400)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path / "cloud") as opened:
        for number in range(3):
            row = replace(NODE, id=f"node-{number}", certificate_fingerprint=bytes([number]))
            await opened.run(lambda connection, row=row: add_node(connection, row))  # type: ignore[misc]
        yield opened


async def tell(store: Database, node: int, hours_ago: int, turns: int | None) -> None:
    start = NOW.replace(minute=0) - hours_ago * HOUR
    cells = [CountRow(start, 3600, "turns.answer", turns), CountRow(start, 3600, "turn_seconds.0.5", 5)]
    await store.run(lambda connection: add_counts(connection, f"node-{node}", cells))


async def test_finished_days_are_written_once_and_anew_when_more_comes(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_export, "NODES_AT_A_TIME", 2)  # three nodes: more than one read
    out, export = tmp_path / "out", TelemetryExport(store, lambda: NOW, KEPT)
    assert (await export.export(out)).days == ()
    await tell(store, 0, 1, 7)  # today: not over yet
    for node in range(3):
        await tell(store, node, 13, 10 + node)  # the last hour of yesterday
        await tell(store, node, 38 + node, None if node == 1 else 20)  # the day before
    first = await export.export(out)
    assert (first.days, first.unchanged) == (("2026-03-01", "2026-03-02"), 0)
    with monkeypatch.context() as patch:
        patch.setattr(telemetry_export, "cells_of_day", None)  # days that are there are not read again
        again = await export.export(out)
    assert (again.days, again.rows, again.unchanged) == ((), 0, 2)
    (out / "date=2026-03-02" / "telemetry.parquet").write_bytes(b"PAR1, cut off")
    assert (await export.export(out)).days == ("2026-03-02",)
    await tell(store, 2, 38, 44)  # from a node that was offline
    assert (await export.export(out)).days == ("2026-03-01",)
    read = dataset.dataset(out, format="parquet", partitioning="hive")
    assert set(parquet_schema().names) | {"date"} == set(read.schema.names)
    rows = read.to_table().to_pylist()
    assert sum(row["value"] for row in rows if row["name"] == "turns") == 10 + 11 + 12 + 20 + 20 + 44
    assert {row["cell"] for row in rows if row["name"] == "turn_seconds"} == {"0.5"}
    assert {str(row["date"]) for row in rows} == {"2026-03-01", "2026-03-02"}
    assert all(row["value"] is not None for row in rows)
    only = await export.export(tmp_path / "since", NOW.date() - timedelta(days=1))
    assert only.days == ("2026-03-02",)


async def test_a_folder_that_cannot_be_written_is_said(store: Database, tmp_path: Path) -> None:
    await tell(store, 0, 30, 7)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportFailed, match=r"telemetry\.parquet"):
        await TelemetryExport(store, lambda: NOW, KEPT).export(tmp_path / "file")


async def test_a_day_of_which_counts_may_be_gone_is_left_as_it_is(store: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for days in (2, 3):
        await tell(store, 0, days * 24, 7)
    kept = TelemetryExport(store, lambda: NOW, timedelta(days=2))
    assert (await kept.export(out, NOW.date() - timedelta(days=9))).days == ("2026-03-01",)


async def test_an_export_that_breaks_off_leaves_no_half_of_a_day(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(store, 0, 30, 7)
    export, out = TelemetryExport(store, lambda: NOW, KEPT), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(telemetry_export, "cells_of_day", None)
        with pytest.raises(TypeError):
            await export.export(out)
    assert [path.name for path in out.rglob("*") if path.is_file()] == []
    assert (await export.export(out)).rows == 2
