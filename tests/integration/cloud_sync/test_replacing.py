"""A new machine takes an old one's place; a stolen one is cut off; a fleet that comes at once is let in at a rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import sqlalchemy as sa

from cloud_sync.config import CloudPaths
from cloud_sync.fleet import admissions
from cloud_sync.fleet.admissions import Admissions
from cloud_sync.store.schema import records
from core import identity
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc, sync_pb2
from tests.integration.cloud_sync.conftest import Running, running
from tests.integration.cloud_sync.fleet_node import ANSWER_TIMEOUT_S, Link, TestNode, enrol, row

SHORT_HOLD_S = 2.0
CUT_OFF_S = 30.0  # the change is looked for some times a second; busy machines take longer


async def _replaced(cloud: Running, node: TestNode) -> TestNode:
    code = await cloud.control.enrolment.replacement_code(node.id, "test", cloud.ready.enrolment)
    return await enrol(cloud.ready.enrolment, code.code)


async def _refused(link: Link) -> bool:
    goodbye = await link.hello()
    return goodbye.reason == sync_pb2.GOODBYE_REASON_REVOKED


async def _renew(node: TestNode) -> enrolment_pb2.RenewResponse:
    options = [("grpc.ssl_target_name_override", identity.CONTROL_PLANE_TARGET_NAME)]
    credentials = grpc.ssl_channel_credentials(node.ca_pem, node.key_pem, node.certificate_pem)
    request = identity.create_signing_request(identity.new_key())
    async with grpc.aio.secure_channel(node.sync_endpoint, credentials, options=options) as channel:
        stub = enrolment_pb2_grpc.IdentityServiceStub(channel)
        return await stub.Renew(enrolment_pb2.RenewRequest(signing_request=request), timeout=ANSWER_TIMEOUT_S)


async def test_the_new_machine_is_the_node_and_the_old_one_is_nobody(cloud: Running) -> None:
    old = await cloud.enrolled("St. Anna")
    async with Link(old) as before:
        await before.open(1, 2)
        await before.batch([row(1), row(2)])
        new = await _replaced(cloud, old)
        assert new.id == old.id
        async with asyncio.timeout(CUT_OFF_S):
            goodbye = await before.receive()
        assert goodbye.reason == sync_pb2.GOODBYE_REASON_REPLACED
    async with Link(old) as again:
        assert await _refused(again)
    async with Link(new) as link:
        link.epoch = b"n" * 16
        await link.open(1, 1)
        assert link.generation == 3  # the old stream's was 1, and the change of machines took one
        await link.batch([row(1)])
    view, _ = await cloud.control.overview.node(new.id)
    assert (view.site, view.name, view.revoked_at) == ("St. Anna", "St. Anna 1", None)
    actions = [entry.action for entry in reversed(await cloud.control.overview.audit_of(old.id))]
    assert actions[:3] == ["node.enrolled", "code.created", "node.replaced"]
    kept = await cloud.control.database.run(
        lambda db: db.execute(sa.select(records.c.epoch, records.c.seq).order_by(records.c.epoch)).all()
    )
    assert [tuple(one) for one in kept] == [(b"e" * 16, 1), (b"e" * 16, 2), (b"n" * 16, 1)]


async def test_the_old_machine_cannot_write_under_the_new_ones_stream(cloud: Running) -> None:
    old = await cloud.enrolled()
    new = await _replaced(cloud, old)
    async with Link(new) as link, Link(old) as thief:
        await link.hello()
        thief.generation = link.generation  # a small number: easily guessed
        upload = thief._stub.Upload()
        await upload.write(
            sync_pb2.UploadRequest(
                upload_open=sync_pb2.UploadOpen(epoch=b"e" * 16, stream_generation=link.generation)
            )
        )
        assert await upload.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_stolen_node_is_replaced_after_it_was_revoked(cloud: Running) -> None:
    stolen = await cloud.enrolled()
    await cloud.control.steering.revoke(stolen.id, "test")
    async with Link(stolen) as link:
        assert await _refused(link)
    new = await _replaced(cloud, stolen)
    async with Link(new) as link, Link(stolen) as thief:
        assert (await link.hello()).stream_generation
        assert await _refused(thief)


async def test_a_replacement_code_is_good_once_and_for_a_node_that_is_there(cloud: Running) -> None:
    node = await cloud.enrolled()
    code = await cloud.control.enrolment.replacement_code(node.id, "test", cloud.ready.enrolment)
    first = await enrol(cloud.ready.enrolment, code.code)
    with pytest.raises(grpc.aio.AioRpcError):
        await enrol(cloud.ready.enrolment, code.code)
    async with Link(first) as link:
        assert (await link.hello()).stream_generation


@pytest.mark.parametrize("how", ["revoked", "replaced"])
async def test_who_was_put_out_gets_no_certificate(cloud: Running, how: str) -> None:
    node = await cloud.enrolled()
    assert (await _renew(node)).certificate_chain
    if how == "revoked":
        await cloud.control.steering.revoke(node.id, "test")
    else:
        await _replaced(cloud, node)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _renew(node)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


# --- many at once ---


@pytest.fixture
async def narrow(cloud_dir: CloudPaths, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """One node a second, and short patience with those who wait; all come in the same moment, however loaded we are."""
    monkeypatch.setattr(admissions, "HOLD_S", SHORT_HOLD_S)
    ask, moment = Admissions.ask, asyncio.get_running_loop().time()
    monkeypatch.setattr(Admissions, "ask", lambda self, _: ask(self, moment))
    text = cloud_dir.config.read_text(encoding="utf-8")
    cloud_dir.config.write_text(text.replace("[sync]\n", "[sync]\nadmissions_per_s = 1\n"), encoding="utf-8")
    async with running(cloud_dir) as plane:
        yield plane


async def test_who_is_not_let_in_is_told_when_to_come_back(narrow: Running) -> None:
    nodes = [await narrow.enrolled() for _ in range(7)]
    links = [Link(node) for node in nodes]
    try:
        answers = await asyncio.gather(*(link.hello() for link in links))
    finally:
        for link in links:
            await link.__aexit__()
    busy = [answer for answer in answers if isinstance(answer, sync_pb2.Goodbye)]
    assert {one.reason for one in busy} == {sync_pb2.GOODBYE_REASON_BUSY}
    # Two come in at once, one waits for a second and one for two, which is as long as any may.
    assert sorted(one.retry_after_ms for one in busy) == [3_000, 4_000, 5_000]
