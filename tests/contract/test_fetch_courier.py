"""What a node updates itself from comes through the courier: sealed requests, recorded, on a channel of their own."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from pathlib import Path

import pytest

from core.local_socket import read_frame, write_frame
from edge.config import SitePaths
from edge.egress.courier.client import COURIER_AWAY, envelope_message
from edge.egress.courier.witnessing import WITNESS_REFUSED
from edge.egress.envelope import Envelope, Purpose, load_or_create_key, seal
from edge.egress.fetch import link as fetch_link
from edge.egress.fetch.client import NOT_FOUND, FetchClient, FetchFailed
from edge.egress.fetch.desk import ORDERS_MAX
from edge.egress.fetch.link import PIECE_BYTES_MAX, FetchOrder, Pace
from edge.egress.fetch.order import DIGESTS_MAX
from postern.v1 import artifact_pb2
from postern.v1 import courier_pb2 as wire
from tests.contract.artifact_rig import artifact_cloud, fetch_client
from tests.contract.courier_process import new_site, until
from tests.contract.overflow_rig import courier_here, leaves

LARGE = os.urandom(3 * PIECE_BYTES_MAX + 17)


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


async def fetched(client: FetchClient, digests: list[str]) -> list[bytes]:
    """The blobs, whole."""
    blobs = [b""] * len(digests)
    async for index, piece in client.blobs(digests):
        blobs[index] += piece
    return blobs


async def refused(client: FetchClient, digests: list[str]) -> str:
    with pytest.raises(FetchFailed) as caught:
        await fetched(client, digests)
    return caught.value.reason


async def test_metadata_and_blobs_come_whole_and_in_order(paths: SitePaths) -> None:
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        client = fetch_client(paths)
        cloud.metadata["vendor", "3.root.json"] = b"{}"
        cloud.metadata["director", "timestamp.json"] = b'{"a":1}'
        assert await client.metadata("vendor", "3.root.json") == b"{}"
        assert await client.metadata("director", "timestamp.json") == b'{"a":1}'
        with pytest.raises(FetchFailed) as caught:
            await client.metadata("vendor", "4.root.json")
        assert caught.value.reason == NOT_FOUND
        blobs = [LARGE, b"", b"small"]
        assert await fetched(client, [cloud.put(blob) for blob in blobs]) == blobs
        assert await refused(client, ["0" * 64]) == NOT_FOUND


@pytest.mark.proves("record-of-egress")
async def test_one_leaf_for_the_channel_durable_before_it_and_closed_with_its_counts(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_link, "IDLE_S", 0.0)
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        blob = cloud.put(LARGE)
        await fetched(fetch_client(paths), [blob])
        await until(lambda: len(leaves(paths)) == 2)
        opened, closed = leaves(paths)
        assert (opened.type, opened.fields["destination"]) == ("link", cloud.endpoint)
        asked = len(artifact_pb2.FetchBlobsRequest(digests=[bytes.fromhex(blob)]).SerializeToString())
        assert (closed.type, closed.fields["frames"], closed.fields["bytes"]) == ("link_close", 1, asked)
        await fetched(fetch_client(paths), [blob])
        await until(lambda: len(leaves(paths)) == 4)


@pytest.mark.proves("one-way-out")
async def test_only_what_the_guard_sealed_as_a_fetch_is_asked_for(paths: SitePaths) -> None:
    key = load_or_create_key(paths.keys)
    names = artifact_pb2.GetMetadataRequest(repository=1, name="timestamp.json").SerializeToString()
    outside = artifact_pb2.GetMetadataRequest(repository=1, name="../timestamp.json").SerializeToString()
    none = artifact_pb2.GetMetadataRequest(name="timestamp.json").SerializeToString()
    many = artifact_pb2.FetchBlobsRequest(digests=[bytes(32)] * (DIGESTS_MAX + 1)).SerializeToString()
    short = artifact_pb2.FetchBlobsRequest(digests=[bytes(31)]).SerializeToString()

    def envelope(kind: str, payload: bytes, purpose: Purpose = Purpose.FETCH, rows: int = 0) -> Envelope:
        return seal(Envelope(os.urandom(16), purpose, kind, payload, rows), key)

    async with artifact_cloud(paths) as cloud, courier_here(paths):
        for sealed, reason in (
            (envelope("get_metadata", names, Purpose.RECORDS), "kind"),
            (envelope("hello", names), "kind"),
            (envelope("get_metadata", names, rows=1), "kind"),
            (envelope("get_metadata", outside), "kind"),
            (envelope("get_metadata", none), "kind"),
            (envelope("get_metadata", b"\xff"), "kind"),
            (envelope("fetch_blobs", b""), "kind"),
            (envelope("fetch_blobs", many), "kind"),
            (envelope("fetch_blobs", short), "kind"),
            (envelope("fetch_blobs", many * 2), "size"),
            (Envelope(os.urandom(16), Purpose.FETCH, "get_metadata", names, 0, mac=bytes(32)), "mac"),
        ):
            assert await _answered(paths, sealed) == reason
        assert cloud.asked == []
        assert leaves(paths) == []


async def _answered(paths: SitePaths, sealed: Envelope) -> str:
    reader, writer = await asyncio.open_unix_connection(paths.courier_socket)
    order = wire.FetchOrder(number=1, envelope=envelope_message(sealed), deadline_ms=60_000)
    write_frame(writer, wire.NodeFrame(fetch_order=order))
    answer = await read_frame(reader, wire.CourierFrame)
    writer.close()
    assert answer is not None
    return answer.fetch_ended.code


async def test_who_cannot_be_reached(paths: SitePaths) -> None:
    client = fetch_client(paths)
    assert await refused(client, ["0" * 64]) == COURIER_AWAY
    async with courier_here(paths):
        assert await refused(client, ["0" * 64]) == "not_enrolled"
    async with artifact_cloud(paths):
        pass
    async with courier_here(paths):
        assert await refused(client, ["0" * 64]) == "unreachable"


async def test_a_line_that_breaks_off_and_comes_back(paths: SitePaths) -> None:
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        client, blob = fetch_client(paths), cloud.put(LARGE)
        cloud.cut_after = 2
        assert await refused(client, [blob]) == "cut"
        cloud.cut_after = 0
        assert await refused(client, [blob]) == "unreachable"
        cloud.cut_after = -1
        assert await fetched(client, [blob]) == [LARGE]


@pytest.mark.proves("record-of-egress")
async def test_after_a_witness_refused_nothing_is_asked_for(paths: SitePaths, refuse: asyncio.Event) -> None:
    """Also not over the channel that is open: what is asked for there has no leaf of its own."""
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        client, blob = fetch_client(paths), cloud.put(LARGE)
        assert await fetched(client, [blob]) == [LARGE]
        cloud.go_on.clear()
        waiting = asyncio.create_task(refused(client, [blob]))
        await until(lambda: len(cloud.asked) == 2)
        refuse.set()
        assert await waiting == WITNESS_REFUSED
        assert await refused(client, [blob]) == WITNESS_REFUSED
        await until(lambda: len(leaves(paths)) == 2)  # whoever waits is told before the channel has closed
        assert [leaf.type for leaf in leaves(paths)] == ["link", "link_close"]
        assert len(cloud.asked) == 2


async def test_nobody_is_sent_what_nobody_reads_any_more(paths: SitePaths) -> None:
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        client, blob = fetch_client(paths), cloud.put(LARGE)
        cloud.endless = True
        async with aclosing(client.blobs([blob])) as pieces:
            async for _ in pieces:
                break
        await until(lambda: cloud.left == 1)


async def test_more_than_anybody_may_ask_for_at_once_is_refused(paths: SitePaths) -> None:
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        client, blob = fetch_client(paths), cloud.put(b"small")
        cloud.go_on.clear()
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(fetched(client, [blob])) for _ in range(ORDERS_MAX)]
            await until(lambda: len(cloud.asked) == ORDERS_MAX)
            assert await refused(client, [blob]) == "busy"
            cloud.go_on.set()
        assert [task.result() for task in waiting] == [[b"small"]] * ORDERS_MAX


async def test_more_than_was_asked_for_is_cut_off(paths: SitePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    async with artifact_cloud(paths) as cloud, courier_here(paths):
        client, blob = fetch_client(paths), cloud.put(LARGE)
        monkeypatch.setattr(fetch_link, "FETCHED_BYTES_MAX", len(LARGE) + 1024)
        assert await fetched(client, [blob]) == [LARGE]
        cloud.endless = True
        assert await refused(client, [blob]) == "size"


async def test_a_rate_is_held_and_gives_way_to_whoever_leaves() -> None:
    """By the loop's own clock, which nothing but the bucket moves."""
    loop = asyncio.get_running_loop()
    order = FetchOrder(Envelope(b"", Purpose.FETCH, "", b""), loop.time() + 60, 10 * PIECE_BYTES_MAX)
    pace, began = Pace(), loop.time()
    for _ in range(12):
        await pace.spend(PIECE_BYTES_MAX, order)
    assert loop.time() - began >= 0.19  # ten at once, then one each tenth of a second
    slow = FetchOrder(order.envelope, loop.time() + 60, 1)
    await pace.spend(PIECE_BYTES_MAX, slow)
    waiting = asyncio.create_task(pace.spend(PIECE_BYTES_MAX, slow))
    await asyncio.sleep(0)
    assert not waiting.done()
    slow.drop()
    await waiting


async def test_what_is_under_way_when_the_courier_stops_did_not_come(paths: SitePaths) -> None:
    async with artifact_cloud(paths) as cloud:
        async with courier_here(paths):
            blob = cloud.put(LARGE)
            cloud.go_on.clear()
            waiting = asyncio.create_task(refused(fetch_client(paths), [blob]))
            await until(lambda: cloud.asked == [blob])
        assert await waiting == "cut"
        await until(lambda: leaves(paths)[-1].type == "link_close")
