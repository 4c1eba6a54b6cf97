"""Two replicas as processes on one PostgreSQL: nodes move between them, and lose nothing when one is killed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa

from cloud_sync.app import Ready
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.steering import read_document
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane, utc_now
from cloud_sync.store.schema import records
from postern.v1 import sync_pb2
from tests.integration.cloud_sync.conftest import use_free_ports
from tests.integration.cloud_sync.fleet_node import Link, TestNode, enrol, row
from tests.integration.cloud_sync.test_process import serving
from tests.postgres import PostgresServer

pytestmark = pytest.mark.slow

NODES = 6
BATCH_ROWS = 20
# Acknowledged by each node before a replica is killed, and in all.
ROWS_BEFORE = 100
ROWS = 400
# The dead replica is noticed at once; the rest is for a machine that is busy.
MOVE_S = 90.0


@dataclass
class Fleet:
    """Two replicas, and another process's way in."""

    processes: list[asyncio.subprocess.Process]
    ready: list[Ready]
    control: ControlPlane

    async def enrolled(self) -> TestNode:
        code = await self.control.enrolment.new_code("St. Anna", "test", self.ready[0].enrolment)
        return await enrol(self.ready[0].enrolment, code.code)


@pytest.fixture
async def fleet(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[Fleet]:
    folders = [tmp_path / "first", tmp_path / "second"]
    paths = CloudPaths(folders[0])
    create_folder(paths, "Test fleet", postgres.new_database(), utc_now())
    use_free_ports(paths)
    shutil.copytree(*folders)  # the same keys, the same database: that is all that makes a replica
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(serving(folder)) for folder in folders]
        plane = control_plane(paths, load_settings(paths), load_identities(paths))
        control = await stack.enter_async_context(plane)
        yield Fleet([process for process, _ in started], [ready for _, ready in started], control)


@asynccontextmanager
async def linked(node: TestNode, ready: Ready) -> AsyncIterator[Link]:
    async with Link(replace(node, sync_endpoint=ready.sync)) as link:
        yield link


async def _moves(fleet: Fleet) -> None:
    """A node that comes to one replica is let go by the other, and hears there of every change."""
    node = await fleet.enrolled()
    async with linked(node, fleet.ready[0]) as old:
        await old.hello()
        async with linked(node, fleet.ready[1]) as new:
            await new.hello()
            assert (await old.receive()).reason == sync_pb2.GOODBYE_REASON_REPLACED
            wanted = await fleet.control.steering.set_for_group(
                "default", read_document("heartbeat_s = 10"), "test"
            )
            assert (await new.receive()).generation == wanted.generation
            await fleet.control.steering.revoke(node.id, "test")
            assert (await new.receive()).reason == sync_pb2.GOODBYE_REASON_REVOKED


async def _send_all(node: TestNode, fleet: Fleet, half: asyncio.Barrier) -> None:
    """Send rows, to whichever replica is there, until all are acknowledged."""
    acknowledged, at, waited = 0, 0, False
    while acknowledged < ROWS:
        try:
            async with linked(node, fleet.ready[at]) as link:
                acknowledged = (await link.open(acknowledged + 1, ROWS)).committed_sequence
                while acknowledged < ROWS:
                    if not waited and acknowledged >= ROWS_BEFORE:
                        waited = True
                        await half.wait()
                    rows = [row(n) for n in range(acknowledged + 1, acknowledged + BATCH_ROWS + 1)]
                    acknowledged = (await link.batch(rows)).committed_sequence
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, AttributeError, TimeoutError):
            if not waited or at == 1:
                raise
            at = 1  # the first replica is gone; nothing else may fail


async def test_nodes_move_between_replicas_and_lose_nothing_when_one_is_killed(fleet: Fleet) -> None:
    await _moves(fleet)
    nodes = [await fleet.enrolled() for _ in range(NODES)]
    half = asyncio.Barrier(NODES + 1)
    async with asyncio.timeout(MOVE_S), asyncio.TaskGroup() as group:
        for node in nodes:
            group.create_task(_send_all(node, fleet, half))
        await half.wait()
        fleet.processes[0].kill()
    query = sa.select(records.c.node_id, records.c.seq).order_by(records.c.node_id, records.c.seq)
    stored = await fleet.control.database.run(
        lambda connection: [tuple(r) for r in connection.execute(query)]
    )
    assert stored == [
        (node.id, seq) for node in sorted(nodes, key=lambda n: n.id) for seq in range(1, ROWS + 1)
    ]
