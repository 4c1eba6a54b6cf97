"""A site's certificate over the years: renewed at half its life without losing a row, and after its end by its key.

Control plane, courier and node's sync half, all real, in this process; only their clocks are ours. TLS goes by the
machine's own, so clocks start in the past: what they call the end of a certificate is then one for TLS, too.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from cloud_sync.services import ControlPlane
from core import identity as certificates
from edge.config import SitePaths
from edge.egress.identity import identity
from edge.egress.ledger import reading
from edge.store.outbox import OutboxClass, append
from tests.contract.courier_process import TIMEOUT_S, until
from tests.integration.sync.clocked import VALID, Clock, Cloud, actions, clocked_cloud, mine
from tests.integration.sync.rig import Node, connected, courier_and_node

# The certificate's life that is left when the node enrols: enough for it to connect, on a busy machine too.
LEFT = timedelta(seconds=15)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock) -> Cloud:
    return clocked_cloud(tmp_path / "cloud", clock)


async def write(node: Node, first: int, rows: int) -> None:
    def add(db: Database) -> None:
        for number in range(first, first + rows):
            append(db, OutboxClass.STATE, "knowledge.changed", {"documents": number, "chunks": 0})

    await node.store.write(add)
    node.sync.notify()


async def drained(node: Node) -> None:
    await until(lambda: node.sync.status().connected)

    async def empty() -> bool:
        (rows,) = await node.store.read(lambda db: db.execute("SELECT count(*) FROM outbox").fetchone())
        return rows == 0

    await until(empty)


def fingerprint(paths: SitePaths) -> bytes:
    """While the courier runs, which is the one that reads and writes all of it."""
    return certificates.certificate_fingerprint((paths.courier / identity.CERTIFICATE_FILE).read_bytes())


async def received(plane: ControlPlane) -> list[int]:
    """Sequences of rows in the control plane's database, as they came."""
    import json

    import sqlalchemy as sa

    from cloud_sync.store.schema import records

    query = sa.select(records.c.payload).where(records.c.kind == "knowledge.changed")
    rows = await plane.database.run(
        lambda db: db.execute(query.order_by(records.c.epoch, records.c.seq)).scalars().all()
    )
    return [json.loads(row)["documents"] for row in rows]


async def test_renewed_at_half_life_while_rows_flow(paths: SitePaths, cloud: Cloud, clock: Clock) -> None:
    async with cloud.serving() as plane:
        await cloud.enrol(plane, paths)
        old = mine(paths)
        ahead = Clock(behind=-VALID * 0.61)  # the courier's: past half life and its spread
        async with courier_and_node(paths, ahead.unix_s) as node:
            await connected(node)
            written, before = 0, certificates.certificate_fingerprint(old.certificate_pem)
            async with asyncio.timeout(TIMEOUT_S):
                while fingerprint(paths) == before:
                    await write(node, written, 5)
                    written += 5
                    await asyncio.sleep(0.01)
            node_id = old.enrolment.node_id
            await until(lambda: _has(plane, node_id, "certificate.used"))
            await write(node, written, 5)
            await drained(node)
        assert await received(plane) == list(range(written + 5))
        new = mine(paths)
        assert new.key_pem != old.key_pem
        assert new.enrolment.expires_unix_s > old.enrolment.expires_unix_s - 60
        assert await actions(plane, node_id) == ["node.enrolled", "certificate.renewed", "certificate.used"]
        kinds = {leaf.fields.get("kind") for leaf in reading.read(paths.ledger) if leaf.type == "intent"}
        assert "renewal" in kinds
    assert reading.verify(paths.ledger).ok


async def _has(plane: ControlPlane, node_id: str, action: str) -> bool:
    return action in await actions(plane, node_id)


@pytest.mark.long
async def test_ninety_days_away(paths: SitePaths, cloud: Cloud, clock: Clock) -> None:
    """It works on all the while, keeps what it has to tell, and comes back by itself though its certificate expired."""
    clock.behind = VALID - LEFT
    async with AsyncExitStack() as stack:
        async with cloud.serving() as plane:
            await cloud.enrol(plane, paths)
            old = mine(paths)
            node = await stack.enter_async_context(courier_and_node(paths, clock.unix_s))
            await connected(node)
            await write(node, 0, 10)
            await drained(node)
        for day in range(VALID.days):
            clock.behind = max(clock.behind - timedelta(days=1), timedelta())
            await write(node, 10 + day, 1)
        assert not node.sync.status().connected
        await until(lambda: clock.unix_s() > old.enrolment.expires_unix_s)
        clock.behind = timedelta()
        async with cloud.serving() as plane:
            await drained(node)
            assert await received(plane) == list(range(10 + VALID.days))
            assert await actions(plane, old.enrolment.node_id) == [
                "node.enrolled",
                "certificate.reattested",
                "certificate.used",
            ]
    assert mine(paths).key_pem != old.key_pem
    assert reading.verify(paths.ledger).ok


async def test_one_that_was_revoked_meanwhile_does_not_come_back(
    paths: SitePaths, cloud: Cloud, clock: Clock
) -> None:
    clock.behind = VALID  # expired as it is issued
    async with cloud.serving() as plane:
        await cloud.enrol(plane, paths)
        old = mine(paths)
        clock.behind = timedelta()
        await plane.steering.revoke(old.enrolment.node_id, "test")
        async with courier_and_node(paths, clock.unix_s) as node:
            await until(lambda: _has_refusal(plane))
            assert fingerprint(paths) == certificates.certificate_fingerprint(old.certificate_pem)
            await write(node, 0, 1)
        assert await received(plane) == []


async def _has_refusal(plane: ControlPlane) -> bool:
    rows = await plane.overview.audit_by_action("node.refused")
    return ("reattestation", "node_revoked") in [(row.actor, row.detail) for row in rows]
