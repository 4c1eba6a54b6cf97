"""The courier over its real socket, in a process that is killed at the worst moments."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.identity import public_key_hash
from edge.config import SitePaths
from edge.egress.courier.client import (
    CloudBytes,
    CourierConnection,
    CourierNumbers,
    EnvelopeRefused,
    IdentityState,
    LinkDown,
    LinkUp,
)
from edge.egress.courier.lane import ENVELOPES_WAITING_MAX
from edge.egress.envelope import Envelope, Purpose, load_or_create_key, seal
from edge.egress.ledger import Leaf, reading
from edge.egress.ledger.anew import set_aside
from postern.v1 import sync_pb2
from tests.contract.courier_process import (
    CourierProcess,
    ScriptedCloud,
    memory_mb,
    new_site,
    receive,
    scripted_cloud,
    until,
)

# Of 750 kB each: more than any kernel's and gRPC's buffers on loopback together.
ENVELOPES_TO_FILL_BUFFERS = 60


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


@pytest.fixture
async def courier(paths: SitePaths) -> AsyncIterator[CourierProcess]:
    process = CourierProcess(paths)
    yield process
    if process._process is not None:
        await process.stop()


def _hello() -> sync_pb2.ConnectRequest:
    return sync_pb2.ConnectRequest(hello=sync_pb2.Hello(software_version="0.1.0"))


def _opening() -> sync_pb2.UploadRequest:
    return sync_pb2.UploadRequest(upload_open=sync_pb2.UploadOpen(epoch=b"e" * 16, stream_generation=1))


def _batch(rows: int = 1, size: int = 10) -> sync_pb2.UploadRequest:
    made = [sync_pb2.OutboxRow(sequence=n + 1, kind="node.started", payload=b"x" * size) for n in range(rows)]
    return sync_pb2.UploadRequest(outbox_batch=sync_pb2.OutboxBatch(epoch=b"e" * 16, rows=made))


def _sealed(
    paths: SitePaths, request: sync_pb2.ConnectRequest | sync_pb2.UploadRequest, **changes: object
) -> Envelope:
    kind = str(request.WhichOneof("frame"))
    purpose = Purpose.FRAMING if kind in ("hello", "heartbeat", "upload_open") else Purpose.RECORDS
    rows = len(request.outbox_batch.rows) if isinstance(request, sync_pb2.UploadRequest) else 0
    plain = Envelope(os.urandom(16), purpose, kind, request.SerializeToString(), rows)
    return seal(replace(plain, **changes), load_or_create_key(paths.keys))  # type: ignore[arg-type]


def _leaves(paths: SitePaths) -> list[Leaf]:
    """But for the one that it begins with."""
    return [leaf for leaf in reading.read(paths.ledger) if leaf.type != "begin"]


def _types(paths: SitePaths) -> list[str]:
    return [leaf.type for leaf in _leaves(paths)]


async def _linked(courier: CourierProcess, number: int = 1) -> CourierConnection:
    connection = await courier.attach()
    await connection.open_link(number)
    await receive(connection, LinkUp)
    return connection


async def test_it_waits_happily_before_the_site_is_enrolled(courier: CourierProcess) -> None:
    await courier.start()
    connection = await courier.attach()
    assert await receive(connection, IdentityState) == IdentityState(False, "", "", "")
    await connection.open_link(1)
    assert await receive(connection, LinkDown) == LinkDown(1, "not_enrolled")
    assert _types(courier.paths) == []
    assert await courier.stop() == 0
    assert not courier.paths.courier_socket.exists()


@pytest.mark.proves("record-of-egress")
async def test_it_ends_with_its_supervisor(paths: SitePaths) -> None:
    process = CourierProcess(paths)
    await process.start(supervised=True)
    assert await process.lose_supervisor() == 0
    assert not paths.courier_socket.exists()


async def test_recorded_before_sent_and_closed_after(courier: CourierProcess, paths: SitePaths) -> None:
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        connection = await _linked(courier)
        await connection.send(1, _sealed(paths, _hello()))
        assert isinstance(await receive(connection, CloudBytes), CloudBytes)
        envelope = _sealed(paths, _batch(3))
        await connection.send(1, envelope)
        await until(lambda: len(cloud.frames) == 2)
        await until(lambda: "close" in _types(paths))
        link, intent, close = _leaves(paths)
        assert link.type == "link"
        assert intent.fields == {
            "envelope": envelope.identifier.hex(),
            "destination": cloud.endpoint,
            "kind": "outbox_batch",
            "rows": 3,
            "bytes": len(envelope.payload),
            "policy": "",
            "verdict": "schema",
            "commitment": hashlib.sha256(envelope.salt + envelope.payload).hexdigest(),
        }
        assert (close.fields["outcome"], close.fields["bytes"]) == ("written", len(envelope.payload))
        assert close.fields["destination_key"] == public_key_hash((paths.courier / "ca.pem").read_bytes())
        await connection.close_link(1)
        assert await receive(connection, LinkDown) == LinkDown(1, "closed")
        framing = _leaves(paths)[-1]
        # The hello; and the ledger's checkpoint for the witness, if there was time for it.
        frames, size = framing.fields["frames"], framing.fields["bytes"]
        assert framing.type == "link_close"
        assert frames == 1 if size == _hello().ByteSize() else frames == 2
        assert memory_mb(courier.pid) <= 70, "DESIGN.md: the agent without models takes 70 MB"
        assert await courier.stop() == 0
    assert reading.verify(paths.ledger).ok


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "heartbeat"}, "kind"),
        ({"purpose": Purpose.FRAMING}, "kind"),
        ({"rows": 2}, "rows"),
        ({"rows": 257}, "size"),
        ({"payload": b"\xff\xff"}, "kind"),
    ],
)
async def test_even_a_sealed_envelope_must_be_what_it_says(
    courier: CourierProcess, paths: SitePaths, changes: dict[str, object], reason: str
) -> None:
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        connection = await _linked(courier)
        await connection.send(1, _sealed(paths, _batch(3), **changes))
        assert await receive(connection, EnvelopeRefused) == EnvelopeRefused(1, reason)
        assert _types(paths) == ["link"]
        assert cloud.frames == []


@pytest.mark.proves("one-way-out")
async def test_nothing_is_sent_without_the_guards_mac(courier: CourierProcess, paths: SitePaths) -> None:
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        connection = await _linked(courier)
        whole = _sealed(paths, _batch(3))
        for forged in (
            replace(whole, mac=bytes(32)),
            replace(whole, payload=_batch(3, 11).SerializeToString()),
        ):
            await connection.send(1, forged)
            assert await receive(connection, EnvelopeRefused) == EnvelopeRefused(1, "mac")
        await connection.close_link(1)
        numbers = await receive(connection, CourierNumbers)
        while isinstance(numbers, CourierNumbers) and not numbers.refused_by_reason:
            numbers = await receive(connection, CourierNumbers)
        assert isinstance(numbers, CourierNumbers)
        assert numbers.refused_by_reason == {"mac": 2}
        assert numbers.ledger.entries >= 2  # its begin, and the link
        assert numbers.bytes_by_kind.keys() <= {"AddCheckpoint"}  # the courier's own
        assert cloud.frames == []


@pytest.mark.proves("record-of-egress")
async def test_killed_between_intent_and_close_it_says_that_it_does_not_know(
    courier: CourierProcess, paths: SitePaths
) -> None:
    """The control plane stops reading, so a large write hangs: the intent is durable, the close is not."""
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        connection = await _linked(courier)
        cloud.reading.clear()
        await _send_until_it_hangs(connection, paths)
        await courier.kill()
        report = reading.verify(paths.ledger)
        assert report.ok
        assert report.open_envelopes >= 2  # the link, and at least one envelope
        await courier.start()
        unknown = [leaf for leaf in _leaves(paths) if leaf.fields.get("outcome") == "unknown"]
        assert len(unknown) == report.open_envelopes
        assert reading.verify(paths.ledger).open_envelopes == 0
        cloud.reading.set()
        await _linked(courier)


async def _send_until_it_hangs(connection: CourierConnection, paths: SitePaths) -> None:
    """Large envelopes until the buffers on the way, whatever their size, are full and one stays open."""
    for sent in range(1, ENVELOPES_TO_FILL_BUFFERS + 1):
        await connection.send(1, _sealed(paths, _batch(250, 3000)))
        await until(lambda sent=sent: _types(paths).count("intent") >= sent)
        with contextlib.suppress(AssertionError):
            await until(lambda sent=sent: _types(paths).count("close") >= sent, timeout_s=2.0)
            continue
        return
    raise AssertionError("the control plane does not read, and still everything was taken")


async def test_a_stalled_control_plane_does_not_hold_up_the_end(
    courier: CourierProcess, paths: SitePaths
) -> None:
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        connection = await _linked(courier)
        cloud.reading.clear()
        await connection.send(1, _sealed(paths, _batch(250, 3000)))
        await until(lambda: "intent" in _types(paths))
        assert await courier.stop() == 0
        outcomes = [leaf.fields["outcome"] for leaf in _leaves(paths) if leaf.type == "close"]
        assert outcomes in (["failed"], ["written"])
        assert reading.verify(paths.ledger).open_envelopes == 0


async def test_an_upload_that_stalls_holds_up_no_heartbeat(courier: CourierProcess, paths: SitePaths) -> None:
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        connection = await _linked(courier)
        await connection.send(1, _sealed(paths, _hello()))
        await connection.send(1, _sealed(paths, _opening()))
        answers = {(await _cloud_bytes(connection)).upload for _ in range(2)}
        assert answers == {False, True}
        cloud.taking_rows.clear()
        for _ in range(ENVELOPES_WAITING_MAX):
            await connection.send(1, _sealed(paths, _batch(250, 3000)))
        await connection.send(1, _sealed(paths, _hello()))
        assert not (await _cloud_bytes(connection)).upload


async def _cloud_bytes(connection: CourierConnection) -> CloudBytes:
    event = await receive(connection, CloudBytes)
    assert isinstance(event, CloudBytes)
    return event


async def test_months_offline_are_one_leaf(courier: CourierProcess, paths: SitePaths) -> None:
    async with scripted_cloud(paths, ScriptedCloud()):
        pass  # enrolled, and now nobody answers there
    await courier.start()
    connection = await courier.attach()
    for number in range(1, 21):
        await connection.open_link(number)
        assert await receive(connection, LinkDown) == LinkDown(number, "unreachable")
    assert _types(paths) == ["link"]
    await courier.stop()
    assert (_leaves(paths)[-1].type, _leaves(paths)[-1].fields["attempts"]) == ("link_close", 20)


async def test_the_newest_node_connection_wins(courier: CourierProcess, paths: SitePaths) -> None:
    async with scripted_cloud(paths, ScriptedCloud()) as cloud:
        await courier.start()
        older = await _linked(courier)
        await older.send(1, _sealed(paths, _hello()))
        await receive(older, CloudBytes)
        newer = await _linked(courier, 7)
        while (await older.receive()) is not None:
            pass
        await newer.send(7, _sealed(paths, _hello()))
        await receive(newer, CloudBytes)
        assert cloud.opened == 2


async def test_frames_that_are_no_frames_end_the_connection_and_nothing_else(
    courier: CourierProcess, paths: SitePaths
) -> None:
    await courier.start()
    for rubbish in (b"\xff" * 64, b"\x00\x00\x00\x02\xff\xff", b"GET / HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_unix_connection(paths.courier_socket)
        writer.write(rubbish)
        assert await reader.read() == b""
        writer.close()
    await receive(await courier.attach(), IdentityState)


@pytest.mark.proves("record-of-egress")
async def test_a_broken_ledger_stops_the_courier(courier: CourierProcess, paths: SitePaths) -> None:
    paths.courier.mkdir()
    paths.ledger.write_text("no database, " * 100)
    with pytest.raises(AssertionError, match="the courier ended"):
        await courier.start()


@pytest.mark.proves("record-of-egress")
async def test_a_ledger_that_was_taken_away_stops_the_courier(
    courier: CourierProcess, paths: SitePaths, tmp_path: Path
) -> None:
    """Until somebody lets another begin."""
    courier.log = tmp_path / "log"
    await courier.start()
    await courier.kill()
    for file in paths.courier.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(AssertionError, match="the courier ended"):
        await courier.start()
    assert "and there was a ledger" in courier.log.read_text()
    assert not paths.ledger.exists()
    set_aside(paths, datetime.now(UTC))
    await courier.start()
    assert [leaf.fields["lost"] for leaf in reading.read(paths.ledger)] == [1]


@pytest.mark.proves("one-way-out")
async def test_the_socket_is_not_for_others(courier: CourierProcess, paths: SitePaths) -> None:
    await courier.start()
    assert paths.courier_socket.stat().st_mode & 0o007 == 0
    assert paths.run.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as mine:
        mine.connect(str(paths.courier_socket))
