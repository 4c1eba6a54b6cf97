"""Alerts on a real store: raised, seen, acknowledged, silenced, over; told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.fleet.alerts.rules import CLEAR_AFTER, Limits
from cloud_sync.fleet.alerts.service import SILENCE_MAX, SILENCES_MAX, Alerts, InvalidSilence, UnknownAlert
from cloud_sync.fleet.alerts.watch import Watch
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.store.alerts import AlertFilter, AlertRow
from cloud_sync.store.audit import AuditRow, add_refusal, audit_by_action
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import ACTIVE, Beat, NodeRow, add_node, save_beats
from tests.cloud_store import opened_store

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def held(_: sa.Connection) -> None:
    """The lease of whoever watches."""


LIMITS = Limits(timedelta(minutes=10), timedelta(hours=1), timedelta(days=30), 10)


class Fleet:
    """A store, a clock that is set, and who is told what."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = START
        self.told: list[tuple[str, str]] = []
        self.watch = Watch(database, LIMITS, self._tell, FleetMetrics(), lambda: self.now)
        self.alerts = Alerts(database, lambda: self.now)

    def _tell(
        self, _: sa.Connection, untold: tuple[AlertRow, ...], over: tuple[AlertRow, ...], now: datetime
    ) -> None:
        assert now == self.now
        self.told += [("raised", str(alert.open_key)) for alert in untold]
        self.told += [("over", str(alert.open_key)) for alert in over]

    async def add(self, node_id: str, site: str = "Harbour") -> None:
        node = NodeRow(
            id=node_id,
            site=site,
            name=node_id,
            group_name="north",
            status=ACTIVE,
            certificate_fingerprint=node_id.encode(),
            certificate_expires=START + timedelta(days=800),
            enrolled_at=START,
            last_seen=START,
        )
        await self.database.run(lambda connection: add_node(connection, node))

    async def hear(self, node_id: str, disk_free_percent: int | None = 50) -> None:
        beat = Beat(node_id, 0, self.now, 0, 0, 0, (), disk_free_percent)
        await self.database.run(lambda connection: save_beats(connection, [beat]))

    async def happened(self, action: str, subject: str, detail: str) -> None:
        row = AuditRow(self.now, "sync", action, subject, detail)
        await self.database.run(lambda connection: add_refusal(connection, row))

    async def later(self, passed: timedelta) -> None:
        self.now += passed
        await self.watch.look(held)

    async def open(self) -> list[tuple[str, str]]:
        return [(view.kind, view.subject) for view in await self.alerts.list()]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with opened_store(tmp_path) as database:
        yield Fleet(database)


async def test_a_node_goes_and_comes_back(fleet: Fleet) -> None:
    await fleet.add("node-1")
    await fleet.later(timedelta(minutes=9))
    assert await fleet.open() == []
    await fleet.later(timedelta(minutes=1))
    await fleet.later(timedelta(seconds=10))
    assert await fleet.open() == [("offline", "node-1")]
    await fleet.hear("node-1")
    await fleet.later(CLEAR_AFTER / 2)
    assert await fleet.open() == [("offline", "node-1")]  # it may go again
    await fleet.hear("node-1")
    await fleet.later(CLEAR_AFTER)
    assert await fleet.open() == []
    assert fleet.told == [("raised", "offline node-1"), ("over", "offline node-1")]
    (view,) = await fleet.alerts.list(AlertFilter(open_only=False, subject="node-1"))
    assert (view.state, view.resolved_at) == ("over", fleet.now)


async def test_after_a_stop_of_the_control_plane_nodes_have_time_to_come_back(fleet: Fleet) -> None:
    await fleet.add("node-1")
    fleet.now += timedelta(days=2)
    fleet.watch.begin()
    await fleet.later(timedelta(minutes=9))
    assert await fleet.open() == []
    await fleet.later(timedelta(minutes=1))
    assert await fleet.open() == [("offline", "node-1")]


async def test_an_event_is_there_until_somebody_acknowledges_it(fleet: Fleet) -> None:
    await fleet.add("node-1")
    await fleet.happened("overflow.personal", "node-1", "EMAIL")
    await fleet.later(timedelta(seconds=1))
    await fleet.hear("node-1")
    await fleet.later(timedelta(minutes=9))
    (view,) = await fleet.alerts.list()
    assert (view.kind, view.severity, view.detail, view.site) == ("personal", "critical", "EMAIL", "Harbour")
    taken = await fleet.alerts.acknowledge(view.id, "ada", "asked the site")
    assert (taken.state, taken.acknowledged_by, taken.note) == ("over", "ada", "asked the site")
    again = await fleet.alerts.acknowledge(view.id, "eve", "mine")
    assert again.acknowledged_by == "ada"
    await fleet.later(timedelta(seconds=30))
    assert await fleet.open() == []
    await fleet.happened("overflow.personal", "node-1", "EMAIL")
    await fleet.later(timedelta(seconds=1))
    assert [view.detail for view in await fleet.alerts.list()] == ["EMAIL (2 times)"]
    rows = await fleet.database.run(lambda connection: audit_by_action(connection, "alert.acknowledged", 9))
    assert [row.actor for row in rows] == ["ada"]


async def test_a_state_that_is_acknowledged_stays_until_it_is_over(fleet: Fleet) -> None:
    await fleet.add("node-1")
    await fleet.hear("node-1", 10)
    await fleet.later(timedelta(seconds=1))
    (view,) = await fleet.alerts.list()
    assert await fleet.alerts.counts() == {("disk", "critical"): 1}
    assert (await fleet.alerts.acknowledge(view.id, "ada")).state == "acknowledged"
    assert await fleet.alerts.counts() == {}
    assert await fleet.open() == [("disk", "node-1")]
    await fleet.hear("node-1", 40)
    await fleet.later(CLEAR_AFTER)
    assert await fleet.open() == []


async def test_what_is_silenced_is_raised_but_told_only_afterwards(fleet: Fleet) -> None:
    await fleet.add("node-1")
    silence = await fleet.alerts.silence("site:Harbour", timedelta(hours=1), "ada", reason="repair")
    await fleet.later(timedelta(minutes=10))
    (view,) = await fleet.alerts.list()
    assert view.silenced
    assert fleet.told == []
    assert [one.id for one in await fleet.alerts.silences()] == [silence.id]
    await fleet.later(timedelta(minutes=50))
    assert await fleet.alerts.silences() == ()
    assert fleet.told == [("raised", "offline node-1")]


async def test_a_silence_can_be_ended(fleet: Fleet) -> None:
    silence = await fleet.alerts.silence("all", SILENCE_MAX, "ada", "offline")
    await fleet.alerts.end_silence(silence.id, "ada")
    with pytest.raises(UnknownAlert):
        await fleet.alerts.end_silence(silence.id, "ada")
    assert await fleet.alerts.silences() == ()


@pytest.mark.parametrize(
    ("scope", "lasting", "kind", "reason"),
    [
        ("", timedelta(hours=1), "", ""),
        ("node:", timedelta(hours=1), "", ""),
        ("planet:earth", timedelta(hours=1), "", ""),
        ("node:" + "n" * 120, timedelta(hours=1), "", ""),
        ("all", timedelta(), "", ""),
        ("all", SILENCE_MAX + timedelta(seconds=1), "", ""),
        ("all", timedelta(hours=1), "weather", ""),
        ("all", timedelta(hours=1), "", "r" * 401),
    ],
)
async def test_a_silence_that_means_nothing_is_refused(
    fleet: Fleet, scope: str, lasting: timedelta, kind: str, reason: str
) -> None:
    with pytest.raises(InvalidSilence):
        await fleet.alerts.silence(scope, lasting, "ada", kind, reason)


async def test_silences_have_a_limit(fleet: Fleet) -> None:
    for number in range(SILENCES_MAX):
        await fleet.alerts.silence(f"node:{number}", timedelta(hours=1), "ada")
    with pytest.raises(InvalidSilence):
        await fleet.alerts.silence("all", timedelta(hours=1), "ada")


async def test_alerts_are_listed_by_pages(fleet: Fleet) -> None:
    for number in range(5):
        await fleet.add(f"node-{number}", f"Site {number % 2}")
    await fleet.later(timedelta(minutes=10))
    first = await fleet.alerts.list(rows_max=3)
    rest = await fleet.alerts.list(before_id=first[-1].id)
    assert [len(first), len(rest)] == [3, 2]
    assert len({view.id for view in (*first, *rest)}) == 5
    assert await fleet.alerts.list(AlertFilter(kind="disk")) == ()
    assert len(await fleet.alerts.list(AlertFilter(severity="critical", subject="node-3"))) == 1
    with pytest.raises(UnknownAlert):
        await fleet.alerts.acknowledge(9999, "ada")


async def test_a_look_that_fails_changes_nothing(fleet: Fleet) -> None:
    await fleet.add("node-1")
    fleet.now += timedelta(minutes=10)

    def broken(*_: object) -> None:
        raise RuntimeError("killed")

    broken_watch = Watch(
        fleet.database, replace(LIMITS, offline=timedelta()), broken, FleetMetrics(), lambda: fleet.now
    )
    with pytest.raises(RuntimeError):
        await broken_watch.look(held)
    assert await fleet.open() == []
    await fleet.watch.look(held)
    assert fleet.told == [("raised", "offline node-1")]
