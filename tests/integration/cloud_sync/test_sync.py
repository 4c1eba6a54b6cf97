"""The long stream over real mutual TLS: every outbox row once, in order, from the newest stream only."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from collections.abc import Awaitable, Callable

import grpc
import sqlalchemy as sa

from cloud_sync.fleet.outbox import BATCH_ROWS_MAX
from cloud_sync.fleet.steering import read_document
from cloud_sync.fleet.views import GapView
from cloud_sync.store.schema import audit, records, telemetry
from postern.v1 import sync_pb2
from tests.integration.cloud_sync.conftest import Running, running
from tests.integration.cloud_sync.fleet_node import Link, TestNode, bucket, row

WAIT_S = 30.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition by asking again and again."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():
            await asyncio.sleep(0.02)


async def stored(cloud: Running, node: TestNode) -> list[int]:
    """Sequences of the records that the database has, in the order in which they were applied."""
    query = sa.select(records.c.seq).where(records.c.node_id == node.id).order_by(records.c.seq)
    return await cloud.control.database.run(lambda connection: list(connection.execute(query).scalars()))


async def gaps(cloud: Running, node: TestNode) -> tuple[GapView, ...]:
    return await cloud.control.overview.gaps_of(node.id)


async def test_rows_are_committed_and_acknowledged(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        ready = await link.open(1, 3)
        assert (ready.committed_sequence, link.generation) == (0, 1)
        assert ready.batch_rows_max == BATCH_ROWS_MAX
        assert ready.credit_rows >= BATCH_ROWS_MAX
        ack = await link.batch([row(1), row(2), row(3)])
        assert (ack.epoch, ack.committed_sequence) == (link.epoch, 3)
        assert (ack.credit_rows, ack.credit_bytes) == (ready.credit_rows, ready.credit_bytes)
    assert await stored(cloud, node) == [1, 2, 3]


async def test_a_repeated_batch_changes_nothing(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.open(1, 4)
        await link.batch([row(1), row(2)])
        again = await link.batch([row(1), row(2)])
        assert isinstance(again, sync_pb2.UploadReady)
        assert again.committed_sequence == 2
        await link.send_batch([row(2), row(3)])  # overlapping, and then early: both passed over in silence
        await link.send_batch([row(4)])
        assert (await link.batch([row(3), row(4)])).committed_sequence == 4
    assert await stored(cloud, node) == [1, 2, 3, 4]
    cells = await cloud.control.database.run(
        lambda connection: connection.execute(sa.select(sa.func.sum(telemetry.c.value))).scalar_one()
    )
    assert cells == 4 * 7


async def test_whatever_order_batches_come_in_each_row_takes_effect_once(cloud: Running) -> None:
    """A node that forgets acks, repeats itself and jumps ahead, judged by what the database holds at the end."""
    node, last = await cloud.enrolled(), 120
    chance = random.Random(7)
    async with Link(node) as link:
        committed = (await link.open(1, last)).committed_sequence
        while committed < last:
            first = max(1, committed + chance.randint(-6, 4))
            rows = [row(n) for n in range(first, min(last, first + chance.randint(0, 9)) + 1)]
            if first != committed + 1:
                await link.send_batch(rows or [row(1)])  # astray, and so are those that follow
                assert (await link.receive_up()).committed_sequence == committed
                rows = [row(committed + 1)]
            committed = (await link.batch(rows)).committed_sequence
    assert await stored(cloud, node) == list(range(1, last + 1))


async def test_the_newest_stream_wins(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as old:
        await old.open(1, 9)
        await old.batch([row(1)])
        async with Link(node) as new:
            ready = await new.open(2, 9)
            assert (old.generation, new.generation, ready.committed_sequence) == (1, 2, 1)
            goodbye = await old.receive()
            assert goodbye.reason == sync_pb2.GOODBYE_REASON_REPLACED
            assert await old.receive() is None
            assert await old.receive_up() is None
            assert (await new.batch([row(2)])).committed_sequence == 2
    assert await stored(cloud, node) == [1, 2]


async def test_rows_already_on_their_way_in_an_older_stream_are_not_applied(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as old, Link(node) as new:
        await old.open(1, 9)

        async def send_on() -> None:
            for sequence in range(1, 10):
                await old.send_batch([row(sequence)])

        sending = asyncio.create_task(send_on())
        await new.hello()
        await asyncio.wait({sending})
        assert not sending.cancelled()
        assert sending.exception() is None or old.upload.done()
        committed = len(await stored(cloud, node))
        # Whatever got in before the newer stream opened is a prefix; nothing comes after it.
        assert await stored(cloud, node) == list(range(1, committed + 1))
        await new.open_upload(1, 9)
        answer = await new.batch([row(committed + 1)])
        assert answer.committed_sequence == committed + 1
    assert await stored(cloud, node) == list(range(1, committed + 2))


async def test_a_restart_of_the_control_plane_loses_and_repeats_nothing(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.open(1, 5)
        await link.batch([row(1), row(2)])
        stopping = asyncio.create_task(cloud.stopped())
        goodbye = await link.receive()
        assert goodbye.reason == sync_pb2.GOODBYE_REASON_SHUTDOWN
        await stopping
    async with running(cloud.paths) as again:
        moved = TestNode(node.id, node.key_pem, node.certificate_pem, node.ca_pem, again.ready.sync)
        async with Link(moved) as link:
            ready = await link.open(1, 5)
            assert (ready.committed_sequence, link.generation) == (2, 2)
            await link.batch([row(3), row(4), row(5)])
        assert await stored(again, node) == [1, 2, 3, 4, 5]


async def test_a_new_epoch_begins_again_and_a_gap_is_written_down(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.open(1, 1)
        await link.batch([row(1)])
    async with Link(node) as link:
        link.epoch = os.urandom(16)
        ready = await link.open(5, 6)  # rows 1 to 4 of this epoch are with neither side
        assert ready.committed_sequence == 4
        assert (await link.batch([row(5), row(6)])).committed_sequence == 6
    query = sa.select(audit.c.detail).where(audit.c.action == "outbox.gap")
    detail = await cloud.control.database.run(lambda connection: connection.execute(query).scalar_one())
    assert detail == "rows 1 to 4 are with neither side"
    assert [(gap.first_seq, gap.last_seq, gap.reason) for gap in await gaps(cloud, node)] == [(1, 4, "lost")]


async def test_an_empty_outbox_of_which_nothing_came_is_a_gap(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        assert (
            await link.open(10, 9)
        ).committed_sequence == 9  # all nine are acknowledged and gone, not here
    assert [(gap.first_seq, gap.last_seq) for gap in await gaps(cloud, node)] == [(1, 9)]
    async with Link(node) as link:
        assert (await link.open(10, 9)).committed_sequence == 9
    assert len(await gaps(cloud, node)) == 1


async def test_what_the_node_dropped_is_a_gap_in_its_place(cloud: Running) -> None:
    node = await cloud.enrolled()
    dropped = json.dumps(
        {"bytes": 40, "first": 2, "last": 5, "outbox_class": "metrics", "reason": "quota"}
    ).encode()
    async with Link(node) as link:
        await link.open(1, 7)
        await link.batch([row(1), row(2), row(3)])
        # Rows 2 and 3 had come before the node dropped them with 4 and 5.
        answer = await link.batch([row(5, dropped, "outbox.gap"), row(6)])
        assert answer.committed_sequence == 6
    found = [(gap.first_seq, gap.last_seq, gap.outbox_class, gap.reason) for gap in await gaps(cloud, node)]
    assert found == [(4, 5, "metrics", "quota")]
    assert await stored(cloud, node) == [1, 2, 3, 5, 6]


async def test_a_poison_row_is_named_and_the_line_goes_on(cloud: Running) -> None:
    node = await cloud.enrolled()
    forged = row(3)
    forged.payload_hash = bytes(32)
    poisons = {"hash": forged, "kind": row(3, kind=""), "size": row(3, bytes(65 * 1024))}
    for code, poison in poisons.items():
        async with Link(node) as link:
            link.epoch = os.urandom(16)
            await link.open(1, 6)
            ack = await link.batch([row(1), row(2), poison, row(4)])
            assert ack.committed_sequence == 2
            nack = await link.receive_up()
            assert (nack.epoch, nack.sequence, nack.code) == (link.epoch, 3, code)
            await link.send_batch([row(5), row(6)])  # was on its way already
            stone = row(3, b'{"bytes":1,"reason":"hash"}', "outbox.refused")
            assert (await link.batch([stone, row(4), row(5), row(6)])).committed_sequence == 6
    assert await stored(cloud, node) == sorted([1, 2, 3, 4, 5, 6] * len(poisons))


async def test_an_upload_belongs_to_the_newest_stream(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.hello()
        for generation in (0, link.generation + 1):
            stub = link._stub.Upload()
            opening = sync_pb2.UploadOpen(epoch=link.epoch, stream_generation=generation, oldest_sequence=1)
            await stub.write(sync_pb2.UploadRequest(upload_open=opening))
            assert await asyncio.wait_for(stub.code(), WAIT_S) is grpc.StatusCode.FAILED_PRECONDITION
        await link.open_upload()
        second = link._stub.Upload()
        await second.write(sync_pb2.UploadRequest(upload_open=opening))
        opening.stream_generation = link.generation
        third = link._stub.Upload()
        await third.write(sync_pb2.UploadRequest(upload_open=opening))
        assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR


async def test_a_store_that_went_back_in_time_is_not_acknowledged(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.open(1, 9)
        await link.batch([row(n) for n in range(1, 10)])
    async with Link(node) as link:
        await link.open(1, 4)
        goodbye = await link.receive()
        assert goodbye.reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR


async def test_what_does_not_keep_to_the_protocol_ends_the_stream(cloud: Running) -> None:
    node = await cloud.enrolled()
    faults = {
        "order": [row(1), row(3)],
        "backwards": [row(1), row(1)],
        "empty": [],
        "too many": [row(n) for n in range(1, BATCH_ROWS_MAX + 2)],
    }
    for name, rows in faults.items():
        async with Link(node) as link:
            await link.open(1, 9)
            assert await link.batch(rows) is None
            assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR, name
    async with Link(node) as link:
        await link.open(1, 9)
        await link.batch([row(1)], epoch=b"x" * 16)
        assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR
    async with Link(node) as link:
        await link.send(heartbeat=sync_pb2.Heartbeat(number=1))  # before hello
        assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR
    assert await stored(cloud, node) == []


async def test_a_message_above_the_limit_is_refused_and_others_go_on(cloud: Running) -> None:
    node, other = await cloud.enrolled(), await cloud.enrolled()
    async with Link(other) as bystander:
        await bystander.open(1, 1)
        async with Link(node) as link:
            await link.open(1, 1)
            await link.send_batch([row(1, payload=bytes(3 * 1024 * 1024))])
            assert await asyncio.wait_for(link.upload.code(), WAIT_S) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await bystander.batch([row(1)])).committed_sequence == 1


async def test_unknown_kinds_are_kept(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.open(1, 3)
        rows = [row(1, b"{}", kind="from.the.future"), row(2, b"not json"), row(3, bucket(None))]
        assert (await link.batch(rows)).committed_sequence == 3
    query = sa.select(records.c.kind, records.c.payload, records.c.understood).order_by(records.c.seq)
    kept = await cloud.control.database.run(lambda connection: [tuple(r) for r in connection.execute(query)])
    assert kept == [
        ("from.the.future", b"{}", True),
        ("telemetry.bucket", b"not json", False),
        ("telemetry.bucket", bucket(None), True),
    ]


async def test_heartbeats_and_reports_show_in_the_fleet(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.hello()
        await link.send(
            heartbeat=sync_pb2.Heartbeat(
                number=5,
                queue_percent=40,
                outbox_rows=12,
                outbox_oldest_seconds=3,
                fallbacks=["egress"],
                disk_free_percent=30,
            )
        )
        assert (await link.receive()).number == 5
        model = sync_pb2.ModelState(name="encoder", version="1", runtime="onnxruntime", device="CPU")
        report = sync_pb2.ReportedState(models=[model], documents=26, chunks=140, devices_online=2)
        await link.send(reported_state=report)

        async def reported() -> bool:
            view, _ = await cloud.control.overview.node(node.id)
            return view.documents == 26

        await until(reported)
        await cloud.stopped()  # saves the heartbeats that were only in memory
    view, _ = await cloud.control.overview.node(node.id)
    assert (view.queue_percent, view.outbox_rows, view.fallbacks) == (40, 12, ("egress",))
    assert view.disk_free_percent == 30
    assert [vars(model) for model in view.models] == [
        {"name": "encoder", "version": "1", "runtime": "onnxruntime", "device": "CPU"}
    ]
    assert view.state == "late"  # the process that it was connected to has ended


async def test_desired_state_comes_on_connecting_and_at_once_on_change(cloud: Running) -> None:
    node = await cloud.enrolled()
    steering = cloud.control.steering  # another process's, as with the command line
    first = await steering.set_for_group("default", read_document('answer_mode = "extractive"'), "test")
    async with Link(node) as link:
        await link.hello()
        got = await link.receive()
        assert (got.generation, got.hash) == (first.generation, hashlib.sha256(got.document).digest())
        assert got.document == b'{"answer_mode":"extractive"}'
        second = await steering.set_for_node(node.id, read_document('answer_mode = "generative"'), "test")
        got = await link.receive()
        assert (got.generation, got.hash) == (second.generation, second.hash)
        report = sync_pb2.ReportedState(
            observed_generation=second.generation, rejected_field="answer_mode", rejected_reason="no model"
        )
        await link.send(reported_state=report)

        async def rejected() -> bool:
            view, _ = await cloud.control.overview.node(node.id)
            return view.config_state == "rejected"

        await until(rejected)
    async with Link(node) as link:
        await link.hello(applied=(second.generation, second.hash))
        await link.send(heartbeat=sync_pb2.Heartbeat(number=1))
        assert (await link.receive()).number == 1  # and no desired state: the node has it


async def test_a_revoked_node_is_cut_off_and_not_let_in_again(cloud: Running) -> None:
    node = await cloud.enrolled()
    async with Link(node) as link:
        await link.open(1, 1)
        await cloud.control.steering.revoke(node.id, "test")
        assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_REVOKED
        assert await link.status() is grpc.StatusCode.UNAUTHENTICATED
        assert await link.receive_up() is None
    async with Link(node) as link:
        assert (await link.hello()).reason == sync_pb2.GOODBYE_REASON_REVOKED
        assert await link.status() is grpc.StatusCode.UNAUTHENTICATED


async def test_stopping_with_many_open_streams_stays_within_the_contract(cloud: Running) -> None:
    nodes = [await cloud.enrolled() for _ in range(5)]
    links = [Link(node) for node in nodes]
    for link in links:
        await link.hello()
    began = asyncio.get_running_loop().time()
    await cloud.stopped()  # some of them never read the goodbye
    assert asyncio.get_running_loop().time() - began < 10
    for link in links:
        await link.__aexit__()
