"""What is old goes, on either engine: at its age and not before it, and never what says where an outbox stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.fleet import retention
from cloud_sync.fleet.leases import LeaseLost
from cloud_sync.fleet.retention import Retention, RetentionTerms
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from cloud_sync.store.gaps import GapRow, add_gaps
from cloud_sync.store.nodes import add_node
from cloud_sync.store.schema import audit, gaps, node_streams, records, telemetry
from cloud_sync.store.streams import CountRow, RecordRow, add_counts, add_records, advance, begin, watermark
from tests.cloud_store import opened_store
from tests.unit.cloud_sync.test_rules import NODE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
TERMS = RetentionTerms(records=90 * DAY, telemetry=400 * DAY, gaps=200 * DAY, audit=None)
EPOCHS = (b"a" * 16, b"b" * 16)


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path, engine) as opened:
        yield opened


def free(_: sa.Connection) -> None:
    """Nobody else does it."""


def fill(connection: sa.Connection) -> None:
    """Of two nodes: rows of two outboxes, counts, gaps; and audit. Ages are on both sides of TERMS."""
    for name in ("node-0", "node-1"):
        row = replace(NODE, id=name, certificate_fingerprint=name.encode(), stream_generation=1)
        add_node(connection, row)
        for epoch in EPOCHS:
            assert begin(connection, name, epoch, 1) == 0
            for seq, age in enumerate((100 * DAY, 90 * DAY + TICK, 90 * DAY, 1 * DAY), start=1):
                record = RecordRow(seq, 2, "a.kind", b"{}", NOW - age)
                add_records(connection, name, epoch, [(record, True)], NOW - age)
            assert advance(connection, name, epoch, 1, 1, 4)
        for start in (MIDNIGHT - 401 * DAY, MIDNIGHT - 400 * DAY - TICK, MIDNIGHT - 400 * DAY, NOW):
            add_counts(connection, name, [CountRow(start, 3600, "turns.answer", 7)])
        for age in (200 * DAY + TICK, 200 * DAY):
            add_gaps(connection, [GapRow(name, EPOCHS[0], 1, 2, "state", "quota", 9, NOW - age)])
    for age in (4000 * DAY, 3000 * DAY):
        add_audit(connection, AuditRow(NOW - age, "ada", "node.revoked", "node-0"))


async def count(store: Database, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(await store.run(lambda connection: connection.execute(query).scalar_one()))


@pytest.mark.parametrize("rows_at_a_time", [1, 500])
async def test_what_is_older_goes_and_watermarks_and_audit_stay(
    store: Database, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_A_TIME", rows_at_a_time)
    await store.run(fill)
    keeper = Retention(store, TERMS, lambda: NOW)
    assert await keeper.purge(free) == {"records": 8, "telemetry": 4, "gaps": 2}
    left = await store.run(lambda db: db.execute(sa.select(records.c.seq).distinct()).scalars().all())
    assert sorted(left) == [3, 4]
    oldest = await store.run(
        lambda db: db.execute(sa.select(sa.func.min(telemetry.c.bucket_start))).scalar_one()
    )
    assert oldest == MIDNIGHT - 400 * DAY
    assert [await count(store, table) for table in (gaps, node_streams, audit)] == [2, 4, 2]
    mark = await store.run(lambda db: watermark(db, "node-0", EPOCHS[0]))
    assert mark is not None
    assert mark.last_seq == 4  # what was purged is not taken again
    assert await keeper.purge(free) == {}


async def test_audit_goes_where_an_admin_says_so(store: Database) -> None:
    await store.run(fill)
    gone = await Retention(store, replace(TERMS, audit=3000 * DAY), lambda: NOW).purge(free)
    assert gone["audit"] == 1
    assert await count(store, audit) == 1


async def test_nothing_goes_without_the_lease(store: Database) -> None:
    def lost(_: sa.Connection) -> None:
        raise LeaseLost("Another has it.")

    await store.run(fill)
    with pytest.raises(LeaseLost):
        await Retention(store, TERMS, lambda: NOW).purge(lost)
    assert await count(store, records) == 16
