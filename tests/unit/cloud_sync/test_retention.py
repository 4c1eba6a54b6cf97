"""What is old goes, on either engine: at its age and not before it, and never what says where an outbox stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.fleet import retention
from cloud_sync.fleet.leases import LeaseLost
from cloud_sync.fleet.retention import ALERTS_KEPT, Retention, RetentionTerms
from cloud_sync.store.alerts import NewAlert, add_alerts, open_alerts, resolve_alerts
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from cloud_sync.store.gaps import GapRow, add_gaps
from cloud_sync.store.nodes import add_node
from cloud_sync.store.schema import alerts, audit, gaps, node_streams, records, telemetry
from cloud_sync.store.streams import CountRow, RecordRow, add_counts, add_records, advance, begin, watermark
from core.clock_trust import DOUBT_MS, LEAP_MS, OFF_MS, Moment
from tests.cloud_store import opened_store
from tests.unit.cloud_sync.test_rules import NODE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
TERMS = RetentionTerms(records=90 * DAY, telemetry=400 * DAY, gaps=200 * DAY, audit=None)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCHS = (b"a" * 16, b"b" * 16)


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path, engine) as opened:
        yield opened


@dataclass
class Clocks:
    """A machine's two clocks, which a test moves together or apart."""

    wall: datetime = NOW
    up: timedelta = timedelta(hours=1)
    boot: str = "a"

    def __call__(self) -> Moment:
        millisecond = timedelta(milliseconds=1)
        return Moment((self.wall - EPOCH) // millisecond, self.up // millisecond, self.boot)

    def run(self, by: timedelta) -> None:
        self.wall += by
        self.up += by


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


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
    for age in (ALERTS_KEPT + TICK, ALERTS_KEPT):
        add_alerts(
            connection, [NewAlert("k", "offline", "node-0", "", "", "warning", "", "")], NOW - age - DAY
        )
        (found,) = open_alerts(connection).values()
        resolve_alerts(connection, [found.id], NOW - age)
    for age in (4000 * DAY, 3000 * DAY):
        add_audit(connection, AuditRow(NOW - age, "ada", "node.revoked", "node-0"))


async def count(store: Database, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(await store.run(lambda connection: connection.execute(query).scalar_one()))


@pytest.mark.parametrize("rows_at_a_time", [1, 500])
async def test_what_is_older_goes_and_watermarks_and_audit_stay(
    store: Database, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_A_TIME", rows_at_a_time)
    await store.run(fill)
    keeper = Retention(store, TERMS, clocks)
    assert await keeper.purge(free) == {"records": 8, "telemetry": 4, "gaps": 2, "alerts": 1}
    left = await store.run(lambda db: db.execute(sa.select(records.c.seq).distinct()).scalars().all())
    assert sorted(left) == [3, 4]
    oldest = await store.run(
        lambda db: db.execute(sa.select(sa.func.min(telemetry.c.bucket_start))).scalar_one()
    )
    assert oldest == MIDNIGHT - 400 * DAY
    assert [await count(store, table) for table in (gaps, node_streams, alerts, audit)] == [2, 4, 1, 2]
    mark = await store.run(lambda db: watermark(db, "node-0", EPOCHS[0]))
    assert mark is not None
    assert mark.last_seq == 4  # what was purged is not taken again
    assert await keeper.purge(free) == {}


async def test_audit_goes_where_an_admin_says_so(store: Database, clocks: Clocks) -> None:
    await store.run(fill)
    gone = await Retention(store, replace(TERMS, audit=3000 * DAY), clocks).purge(free)
    assert gone["audit"] == 1
    assert await count(store, audit) == 1


async def test_nothing_goes_without_the_lease(store: Database, clocks: Clocks) -> None:
    def lost(_: sa.Connection) -> None:
        raise LeaseLost("Another has it.")

    await store.run(fill)
    with pytest.raises(LeaseLost):
        await Retention(store, TERMS, clocks).purge(lost)
    assert await count(store, records) == 16


async def looked(store: Database, clocks: Clocks) -> dict[str, int]:
    """What one look removes; each is another process, so that what it knows is in the store."""
    return dict(await Retention(store, TERMS, clocks).purge(free))


@pytest.mark.parametrize("leap", [timedelta(milliseconds=LEAP_MS + 1), 4000 * DAY])
async def test_a_clock_that_leaps_ahead_removes_nothing_for_a_day_and_says_so(
    store: Database, clocks: Clocks, caplog: pytest.LogCaptureFixture, leap: timedelta
) -> None:
    await looked(store, clocks)
    await store.run(fill)
    clocks.wall += leap
    for _ in range(24):
        assert await looked(store, clocks) == {}
        clocks.run(timedelta(milliseconds=DOUBT_MS / 24))
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "the clock leapt ahead" in caplog.text
    assert await looked(store, clocks) != {}


async def test_a_small_leap_and_a_clock_that_was_put_right_are_believed(
    store: Database, clocks: Clocks
) -> None:
    await looked(store, clocks)
    clocks.wall += timedelta(milliseconds=LEAP_MS)
    await store.run(fill)
    assert (await looked(store, clocks))["records"] == 12  # those of 90 days as well
    clocks.wall += 4000 * DAY
    assert await looked(store, clocks) == {}
    clocks.wall -= 4000 * DAY
    assert await looked(store, clocks) == {}
    assert await count(store, records) == 4


@pytest.mark.parametrize(("away", "believed"), [(OFF_MS + LEAP_MS, True), (OFF_MS + LEAP_MS + 1, False)])
async def test_where_nothing_ran_for_longer_than_a_day_the_clock_is_doubted_without_alarm(
    store: Database, clocks: Clocks, caplog: pytest.LogCaptureFixture, away: int, believed: bool
) -> None:
    caplog.set_level("INFO")
    await looked(store, clocks)
    await store.run(fill)
    clocks.wall += timedelta(milliseconds=away)
    clocks.boot = "another machine, or another start"
    assert bool(await looked(store, clocks)) is believed
    assert [record.levelname for record in caplog.records if "nothing ran" in record.message] == ["INFO"] * (
        not believed
    )
