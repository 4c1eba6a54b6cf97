"""Who changes many nodes in one transaction takes them in one order: on PostgreSQL, two would wait for each other else.

The server ends one of two such transactions (DeadlockDetected); what was to be written is lost for that caller.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import LiteralString

import pytest
import sqlalchemy as sa
from psycopg import AsyncConnection

from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.steering import Steering
from cloud_sync.store.assignments import Assignment
from cloud_sync.store.database import Database
from cloud_sync.store.desired import next_generation
from cloud_sync.store.nodes import Beat, add_node, get_node
from tests.cloud_store import opened_store
from tests.postgres import PostgresServer
from tests.unit.cloud_sync.test_rules import NODE, NOW

NODES = [f"node-{number:02d}" for number in range(40)]
TIMES = 20


@pytest.fixture
def address(postgres: PostgresServer) -> str:
    return postgres.empty_tables()


@pytest.fixture
async def store(address: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path, address) as opened:
        await opened.run(add_nodes)
        yield opened


def add_nodes(connection: sa.Connection) -> None:
    for name in NODES:
        add_node(
            connection, replace(NODE, id=name, certificate_fingerprint=name.encode(), stream_generation=1)
        )


async def heard(store: Database, names: Sequence[str]) -> None:
    """Heartbeats of these nodes, and the ends of their streams, are saved."""
    presence = Presence(store)
    for name in names:
        presence.beat(Beat(name, 1, NOW, 10, 0, 0, ()))
        presence.connected(name, 1)
        presence.disconnected(name, 1)
    await presence.save()


async def assigned(store: Database, names: Sequence[str]) -> None:
    """These nodes are to run something."""
    wanted = [Assignment(name, "model", "encoder", "2", "model/encoder/2", "r1", 60) for name in names]
    await store.run(lambda connection: Steering(store, lambda: NOW).assign(connection, wanted))


@pytest.mark.long
async def test_steering_and_heartbeats_of_the_same_nodes_never_end_each_other(store: Database) -> None:
    mixed = random.Random(11)
    for _ in range(TIMES):
        await asyncio.gather(
            *(work(store, mixed.sample(NODES, len(NODES))) for work in (assigned, heard, heard, assigned))
        )
    for name in NODES:
        node = await store.run(partial(get_node, node_id=name))
        assert node is not None
        assert (node.queue_percent, node.lost_generation) == (10, 1)


@pytest.mark.parametrize("work", [assigned, heard])
async def test_nodes_are_taken_in_the_order_of_their_identifiers(
    store: Database, address: str, work: Callable[[Database, Sequence[str]], Awaitable[None]]
) -> None:
    """What waits for one in the middle has those before it, and none of those behind."""
    middle = len(NODES) // 2
    async with await AsyncConnection.connect(address) as other:
        await other.execute("SELECT id FROM nodes WHERE id = %s FOR NO KEY UPDATE", [NODES[middle]])
        waiting = asyncio.ensure_future(work(store, NODES[::-1]))
        while not await _one(other, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not waiting.done()
        free = await other.execute("SELECT id FROM nodes ORDER BY id FOR NO KEY UPDATE SKIP LOCKED")
        assert [row[0] for row in await free.fetchall()] == NODES[middle:]
    await waiting


async def test_the_first_changes_of_all_may_come_at_once(store: Database) -> None:
    found = await asyncio.gather(*(store.run(next_generation) for _ in range(8)))
    assert sorted(found) == list(range(1, 9))


async def _one(connection: AsyncConnection, query: LiteralString) -> int:
    row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return int(row[0])
