"""Assignments in a real store: the newest counts, and taking it back leads to the one before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.fleet.composing import UPDATES_MAX
from cloud_sync.fleet.steering import Steering, TooManyAssignments
from cloud_sync.store.assignments import Assignment, assignments_of
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import ACTIVE, DEFAULT_GROUP, NodeRow, add_node
from cloud_sync.store.schema import assignments
from tests.cloud_store import opened_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NODES = ("node-1", "node-2", "node-3")


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path, engine) as opened:

        def write(connection: sa.Connection) -> None:
            for node in NODES:
                add_node(
                    connection, NodeRow(node, node, node, DEFAULT_GROUP, ACTIVE, node.encode(), NOW, NOW)
                )

        await opened.run(write)
        yield opened


def _encoder(node: str, version: str, rollout: str) -> Assignment:
    return Assignment(node, "model", "encoder", version, f"model/encoder/{version}", rollout, 60)


async def _versions(store: Database) -> dict[str, list[str]]:
    found = await store.run(assignments_of)
    return {node: [one.version for one in ones] for node, ones in found.items()}


async def test_what_is_taken_back_leads_to_the_one_before(store: Database) -> None:
    steering = Steering(store, lambda: NOW)

    async def assign(version: str, rollout: str, *nodes: str) -> int:
        wanted = [_encoder(node, version, rollout) for node in nodes]
        return await store.run(lambda connection: steering.assign(connection, wanted))

    async def unassign(rollout: str, *nodes: str) -> tuple[str, ...]:
        return await store.run(lambda connection: steering.unassign(connection, rollout, nodes or None))

    first = await assign("1", "a", *NODES)
    assert await assign("2", "b", "node-1", "node-2") == first + 1
    assert await _versions(store) == {"node-1": ["2"], "node-2": ["2"], "node-3": ["1"]}
    assert await unassign("b", "node-1", "node-3") == ("node-1",)
    assert await _versions(store) == {"node-1": ["1"], "node-2": ["2"], "node-3": ["1"]}
    look = await steering.look(NODES, since=first + 1)
    assert {node: wanted.desired.generation for node, wanted in look.nodes.items() if wanted.desired} == {
        "node-1": first + 2
    }
    assert await unassign("a") == NODES
    assert await _versions(store) == {"node-2": ["2"]}
    assert await unassign("a") == ()
    assert {
        wanted.desired.document for wanted in (await steering.look(NODES)).nodes.values() if wanted.desired
    } >= {b"{}"}


async def test_only_the_one_before_is_kept(store: Database) -> None:
    steering = Steering(store, lambda: NOW)
    for number in range(5):
        wanted = [_encoder("node-1", str(number), f"r-{number}"), _encoder("node-2", str(number), "same")]
        await store.run(lambda connection, wanted=wanted: steering.assign(connection, wanted))
    query = sa.select(assignments.c.node_id, assignments.c.version).order_by(assignments.c.generation)
    kept = await store.run(lambda connection: [tuple(row) for row in connection.execute(query)])
    assert sorted(kept) == [("node-1", "3"), ("node-1", "4"), ("node-2", "4")]


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_a_node_takes_so_many_and_no_more(store: Database, more: int) -> None:
    steering = Steering(store, lambda: NOW)
    wanted = [
        Assignment("node-1", "model", f"m-{number}", "1", f"model/m-{number}/1", "r", 60)
        for number in range(UPDATES_MAX + more)
    ]
    if more <= 0:
        await store.run(lambda connection: steering.assign(connection, wanted))
        assert len((await store.run(assignments_of))["node-1"]) == UPDATES_MAX + more
        return
    with pytest.raises(TooManyAssignments):
        await store.run(lambda connection: steering.assign(connection, wanted))
    assert await store.run(assignments_of) == {}
