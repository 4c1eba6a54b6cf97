"""What is numbered and what goes on after a restore, on either engine: the rows came with their numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from cloud_sync.fleet.rollouts.machine import State
from cloud_sync.fleet.rollouts.restored import hold_rollouts
from cloud_sync.store.database import Database
from cloud_sync.store.gaps import GapRow, add_gaps
from cloud_sync.store.incarnation import begin_incarnation
from cloud_sync.store.nodes import add_node
from cloud_sync.store.rollouts import RolloutRow, get_rollout
from cloud_sync.store.schema import audit, gaps, rollouts, telemetry
from cloud_sync.store.streams import CountRow, add_counts
from tests.unit.cloud_sync.test_rules import NODE
from tests.unit.cloud_sync.test_store import paths, store

__all__ = ["paths", "store"]

NOW = datetime(2026, 3, 3, 12, 30, tzinfo=UTC)
GAP = GapRow(NODE.id, b"e", 1, 2, "", "lost", None, NOW)
COUNT = CountRow(NOW, 3600, "turns.answer", 7)


async def test_what_nodes_send_after_a_restore_finds_numbers_that_are_free(store: Database) -> None:
    def restored(connection: sa.Connection) -> None:
        add_node(connection, NODE)
        connection.execute(telemetry.insert().values(id=1, node_id=NODE.id, **vars(COUNT)))
        connection.execute(gaps.insert().values(id=1, **vars(GAP)))
        begin_incarnation(connection, NOW - timedelta(days=1), NOW)

    def sent(connection: sa.Connection) -> list[int]:
        add_counts(connection, NODE.id, [COUNT])
        add_gaps(connection, [replace(GAP, first_seq=3, last_seq=3)])
        return [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (telemetry, gaps)
        ]

    await store.run(restored)
    again = await store.run(lambda connection: begin_incarnation(connection, NOW, NOW))
    first = (NOW - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert (again.number, again.floor) == (2, first + 1)
    assert await store.run(sent) == [2, 2]


async def test_no_rollout_goes_on_by_itself_after_a_restore(store: Database) -> None:
    def held(connection: sa.Connection) -> dict[str, tuple[str, str]]:
        for state in State:
            row = RolloutRow(state, "model", "m", {}, (), 2, state, 0, NOW, NOW, "", NOW, "ana", NOW)
            connection.execute(rollouts.insert().values(**vars(row)))
        assert hold_rollouts(connection, "cli", NOW) == 2
        found = {state: get_rollout(connection, state) for state in State}
        return {state: (row.state, row.reason) for state, row in found.items() if row is not None}

    expected = {state.value: (state.value, "") for state in State}
    expected |= {state.value: ("paused", "restored") for state in (State.SCHEDULED, State.RUNNING)}
    assert await store.run(held) == expected
    written = await store.run(
        lambda connection: list(connection.execute(sa.select(audit.c.subject, audit.c.action)))
    )
    assert sorted(tuple(row) for row in written) == [
        ("running", "rollout.paused"),
        ("scheduled", "rollout.paused"),
    ]
    soaking = await store.run(
        lambda connection: connection.execute(
            sa.select(rollouts.c.passed_since).where(rollouts.c.id == "running")
        ).scalar_one()
    )
    assert soaking is None
