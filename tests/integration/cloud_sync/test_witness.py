"""A node's ledger over the wire: signed, refused, told to admins, found after a restart."""

from __future__ import annotations

import grpc
import pytest

from cloud_sync.store.alerts import AlertFilter
from cloud_sync.witness.notes import cosigned_at, read_note, read_vkey
from core import identity
from postern.v1 import witness_pb2, witness_pb2_grpc
from tests.integration.cloud_sync.conftest import Running
from tests.integration.cloud_sync.fleet_node import TestNode
from tests.naive_log import NaiveLog

TIMEOUT_S = 20.0


def request(log: NaiveLog, old: int) -> witness_pb2.AddCheckpointRequest:
    return witness_pb2.AddCheckpointRequest(
        old_size=old, proof=log.proof(old), checkpoint=log.note(), log_key=log.key
    )


def channel_of(node: TestNode) -> grpc.aio.Channel:
    options = [("grpc.ssl_target_name_override", identity.CONTROL_PLANE_TARGET_NAME)]
    credentials = grpc.ssl_channel_credentials(node.ca_pem, node.key_pem, node.certificate_pem)
    return grpc.aio.secure_channel(node.sync_endpoint, credentials, options=options)


async def test_a_ledger_is_signed_and_an_older_one_is_told_to_admins(cloud: Running) -> None:
    node = await cloud.enrolled()
    log = NaiveLog().grow(5)
    async with channel_of(node) as channel:
        stub = witness_pb2_grpc.WitnessServiceStub(channel)  # type: ignore[no-untyped-call]
        first = await stub.AddCheckpoint(request(log, 0), timeout=TIMEOUT_S)
        assert cosigned_at(read_note(log.note() + first.cosignature.encode()), read_vkey(first.witness_vkey))
        await stub.AddCheckpoint(request(log.grow(9), 5), timeout=TIMEOUT_S)
        assert (await stub.AddCheckpoint(request(log, 5), timeout=TIMEOUT_S)).conflict_size == 9
        image = NaiveLog(log.leaves[:7], log.private)
        assert (await stub.AddCheckpoint(request(image, 5), timeout=TIMEOUT_S)).refused == "rolled_back"
        anew = NaiveLog().grow(2)
        assert (await stub.AddCheckpoint(request(anew, 0), timeout=TIMEOUT_S)).cosignature
    await cloud.control.watch.look(lambda _: None)
    alerts = await cloud.control.alerts.list(AlertFilter(subject=node.id))
    assert {alert.kind for alert in alerts} == {"ledger_refused", "ledger_anew"}
    newest, oldest = await cloud.control.overview.ledgers_of(node.id)
    assert (newest.origin, newest.size, newest.refused) == (anew.origin, 2, ())
    assert (oldest.size, oldest.set_aside_at is not None, oldest.refused) == (9, True, (("rolled_back", 1),))


async def test_a_site_that_was_enrolled_again_goes_on_and_admins_are_told(cloud: Running) -> None:
    log = NaiveLog().grow(5)
    for node, old in ((await cloud.enrolled(), 0), (await cloud.enrolled(), 5)):
        async with channel_of(node) as channel:
            stub = witness_pb2_grpc.WitnessServiceStub(channel)  # type: ignore[no-untyped-call]
            assert (await stub.AddCheckpoint(request(log, old), timeout=TIMEOUT_S)).cosignature
    await cloud.control.watch.look(lambda _: None)
    (alert,) = await cloud.control.alerts.list(AlertFilter(subject=node.id))
    assert alert.kind == "ledger_moved"


async def test_a_revoked_node_is_not_witnessed(cloud: Running) -> None:
    node = await cloud.enrolled()
    await cloud.control.steering.revoke(node.id, "test")
    async with channel_of(node) as channel:
        stub = witness_pb2_grpc.WitnessServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.AddCheckpoint(request(NaiveLog().grow(1), 0), timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
