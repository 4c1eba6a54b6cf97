"""The services on either engine, asked by many at once: on PostgreSQL transactions really run side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.enrolment import CodeRefused, Enrolled
from cloud_sync.fleet.intake import Committed
from cloud_sync.fleet.outbox import Run, UploadFacts
from cloud_sync.fleet.steering import DesiredChanged, etag_of, read_document
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.overflow.usage import UsageBook
from cloud_sync.services import ControlPlane, control_plane, utc_now
from cloud_sync.store.audit import AuditFilter
from cloud_sync.store.desired import DesiredRow
from cloud_sync.store.node_search import NodeFilter, NodeOrder
from cloud_sync.store.overflow import Spending
from cloud_sync.store.schema import admins, metadata, records
from cloud_sync.store.streams import RecordRow
from cloud_sync.store.witnessed import LogRow, add_log
from cloud_sync.witness.signing import create_witness_key
from core import identity
from core.errors import ConfigError
from core.webshell.accounts import Visitor
from tests.integration.cloud_sync.fleet_node import bucket

EPOCH = b"e" * 16


@pytest.fixture
async def plane(engine: str, tmp_path: Path) -> AsyncIterator[ControlPlane]:
    paths = CloudPaths(tmp_path / "cloud")
    create_folder(paths, "Test fleet", engine, utc_now())
    async with control_plane(paths, load_settings(paths), load_identities(paths)) as services:
        yield services


async def _enrolled(plane: ControlPlane) -> Enrolled:
    code = identity.parse_code((await plane.enrolment.new_code("St. Anna", "test", "hub:1")).code)
    return await plane.enrolment.redeem(code.secret, _request(), "1", "192.0.2.1")


def _request() -> bytes:
    return identity.create_signing_request(identity.new_key())


def _rows(first: int, last: int) -> Run:
    rows = [RecordRow(n, 3, "telemetry.bucket", bucket(), utc_now()) for n in range(first, last + 1)]
    return Run(first, last, tuple(rows), None, astray=False)


async def test_migrations_give_the_tables_of_the_schema(plane: ControlPlane) -> None:
    differences = await plane.database.run(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )
    assert differences == []


async def test_a_folder_from_before_witnesses_gets_a_key_and_a_lost_one_is_not_replaced(
    engine: str, tmp_path: Path
) -> None:
    paths = CloudPaths(tmp_path / "cloud")
    create_folder(paths, "Test fleet", engine, utc_now())

    async def start() -> str:
        async with control_plane(paths, load_settings(paths), load_identities(paths)) as plane:
            log = LogRow("log", "node", b"k", 1, b"r", utc_now())
            await plane.database.run(lambda connection: add_log(connection, log))
            return plane.witnessing.vkey

    paths.witness_key.unlink()
    if engine:  # another replica may have one
        with pytest.raises(ConfigError, match="key"):
            await start()
        create_witness_key(paths.witness_key)
    first = await start()
    assert await start() == first
    paths.witness_key.unlink()
    with pytest.raises(ConfigError, match="key"):
        await start()
    assert not paths.witness_key.exists()


async def test_a_batch_sent_by_many_at_once_takes_effect_once(plane: ControlPlane) -> None:
    node = await _enrolled(plane)
    fingerprint = identity.certificate_fingerprint(node.certificate_pem)
    generation = await plane.intake.open_stream(node.node_id, fingerprint, "1")
    await plane.intake.open_upload(node.node_id, generation, UploadFacts(EPOCH, 1, 100))
    for first in range(1, 100, 10):
        rows = _rows(first, first + 9)
        outcomes = await asyncio.gather(
            *(plane.intake.accept(node.node_id, EPOCH, generation, rows) for _ in range(8))
        )
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
    query = sa.select(records.c.seq).order_by(records.c.seq)
    stored = await plane.database.run(lambda connection: list(connection.execute(query).scalars()))
    assert stored == list(range(1, 101))
    found = await plane.overview.fleet(
        NodeFilter(text="ST. ANNA", state="live"), NodeOrder(sort="seen", limit=5)
    )
    assert (found.total, found.found, len(found.nodes)) == (1, 1, 1)


async def test_streams_of_one_node_opened_at_once_leave_one_that_may_write(plane: ControlPlane) -> None:
    node = await _enrolled(plane)
    fingerprint = identity.certificate_fingerprint(node.certificate_pem)
    streams = await asyncio.gather(
        *(plane.intake.open_stream(node.node_id, fingerprint, "1") for _ in range(8))
    )
    assert sorted(streams) == list(range(1, 9))
    facts = UploadFacts(EPOCH, 1, 9)
    opened = await asyncio.gather(
        *(plane.intake.open_upload(node.node_id, stream, facts) for stream in streams)
    )
    assert sum(isinstance(outcome, Committed) for outcome in opened) == 1
    outcomes = [await plane.intake.accept(node.node_id, EPOCH, stream, _rows(1, 1)) for stream in streams]
    assert [s for s, o in zip(streams, outcomes, strict=True) if isinstance(o, Committed)] == [8]


async def test_replicas_that_save_usage_at_once_add_up(plane: ControlPlane) -> None:
    node = await _enrolled(plane)
    books = [UsageBook(plane.database, utc_now) for _ in range(8)]
    for book in books:
        for provider in ("p", "q"):
            book.add(provider, node.node_id, Spending(answers=1, cost_micros=100))
    await asyncio.gather(*(book.save() for book in books))
    view = await plane.shares.view()
    assert [(one.name, one.month.answers) for one in view.providers] == [("embedded", 0), ("p", 8), ("q", 8)]


async def test_codes_and_claims_have_one_winner(plane: ControlPlane) -> None:
    code = identity.parse_code((await plane.enrolment.new_code("St. Anna", "test", "hub:1")).code)
    attempts = (plane.enrolment.redeem(code.secret, _request(), "1", f"192.0.2.{n}") for n in range(8))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, Enrolled) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, CodeRefused) for outcome in outcomes) == 7

    claim = await plane.accounts.issue_claim()
    assert claim
    claims = (
        plane.accounts.claim(claim, f"admin{n}", "a long enough secret", Visitor(f"192.0.2.{n}", b"browser"))
        for n in range(20)
    )
    won = [
        outcome
        for outcome in await asyncio.gather(*claims, return_exceptions=True)
        if isinstance(outcome, str)
    ]
    assert len(won) == 1
    assert await plane.accounts.account_of(won[0], b"browser")
    count = sa.select(sa.func.count()).select_from(admins)
    assert await plane.database.run(lambda connection: connection.execute(count).scalar_one()) == 1


async def test_steering_works_alike(plane: ControlPlane) -> None:
    node = await _enrolled(plane)
    first = await plane.steering.set_for_group("default", read_document("a = 1"), "test")
    second = await plane.steering.set_for_node(node.node_id, read_document("a = 2"), "test")
    wanted = (await plane.steering.look([node.node_id])).nodes[node.node_id]
    assert wanted.desired is not None
    assert first.generation < second.generation == wanted.desired.generation
    assert await plane.steering.revoke(node.node_id, "test")
    assert (await plane.overview.states())["revoked"] == 1
    audited = await plane.overview.search_audit(
        AuditFilter(action="node", text=node.node_id.upper()), rows_max=1
    )
    assert [row.action for row in audited.rows] == ["node.revoked"]


async def test_of_two_admins_who_change_the_same_one_is_told(plane: ControlPlane) -> None:
    """Both read the same state; whoever writes second has to look again."""
    steering = plane.steering
    assert (await steering.setting_of_group("default")).etag == "0"
    await steering.set_for_group("default", read_document("heartbeat_s = 10"), "ada", "0")
    read = await steering.setting_of_group("default")
    assert read.document == b'{"heartbeat_s":10}'

    def change(number: int) -> Coroutine[Any, Any, DesiredRow]:
        return steering.set_for_group("default", read_document(f"heartbeat_s = {number}"), "bob", read.etag)

    outcomes = await asyncio.gather(*(change(20 + number) for number in range(6)), return_exceptions=True)
    assert sum(isinstance(outcome, DesiredChanged) for outcome in outcomes) == 5
    (won,) = (outcome for outcome in outcomes if not isinstance(outcome, BaseException))
    now = await steering.setting_of_group("default")
    assert (now.document, now.etag) == (won.document, etag_of(won))
    # The same document again is another setting: what was read before it is old.
    await steering.set_for_group("default", won.document, "bob")
    with pytest.raises(DesiredChanged):
        await steering.set_for_group("default", b"", "ada", now.etag)


async def test_a_node_gets_the_state_of_the_group_it_moves_to(plane: ControlPlane) -> None:
    node, steering = await _enrolled(plane), plane.steering

    async def told(since: int = 0) -> tuple[int, bytes] | None:
        found = (await steering.look([node.node_id], since)).nodes.get(node.node_id)
        return found and found.desired and (found.desired.generation, found.desired.document)

    await steering.set_for_group("night", read_document("heartbeat_s = 60"), "ada")
    assert await told() is None
    assert await steering.move(node.node_id, "night", "ada")
    moved = await told()
    assert moved == (2, b'{"heartbeat_s":60}')
    assert not await steering.move(node.node_id, "night", "ada")
    assert await told() == moved
    # Its own state, and its group's again.
    await steering.set_for_node(node.node_id, read_document("heartbeat_s = 30"), "ada")
    own = await told(since=3)
    assert own == (4, b'{"heartbeat_s":30}')
    await steering.set_for_node(node.node_id, b"", "ada")
    assert await told(since=4) == (5, b'{"heartbeat_s":60}')
    assert await told(since=5) is None
    assert await steering.label(node.node_id, ["ring=canary"], "ada") == {"ring": "canary"}
    assert await told(since=5) is None  # labels choose nodes, and tell them nothing
    view, _ = await plane.overview.node(node.node_id)
    assert (view.group, dict(view.labels)) == ("night", {"ring": "canary"})
    actions = [row.action for row in await plane.overview.audit_of(node.node_id)]
    assert actions == ["node.labelled", "node.moved", "node.enrolled"]


async def test_a_look_sees_only_what_changed(plane: ControlPlane) -> None:
    nodes = [(await _enrolled(plane)).node_id for _ in range(3)]
    await plane.steering.move(nodes[2], "other", "ada")
    seen = (await plane.steering.look(nodes)).generation
    assert (await plane.steering.look(nodes, seen)).nodes == {}
    await plane.steering.set_for_group("default", read_document("heartbeat_s = 10"), "ada")
    assert set((await plane.steering.look(nodes, seen)).nodes) == set(nodes[:2])
    await plane.steering.revoke(nodes[2], "ada")
    look = await plane.steering.look(nodes, seen + 1)
    assert {node: wanted.revoked for node, wanted in look.nodes.items()} == {nodes[2]: True}
    assert look.generation == seen + 2
