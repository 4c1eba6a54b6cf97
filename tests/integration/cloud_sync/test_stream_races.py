"""What happens in the moment in which a stream opens, and callers that hold what they may not have."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from cloud_sync.fleet.admissions import Admissions, Turn
from cloud_sync.fleet.intake import Intake
from cloud_sync.rpc import uploads
from cloud_sync.rpc.sync import SyncService
from cloud_sync.rpc.uploads import OPENINGS_OF_A_NODE_MAX
from postern.v1 import sync_pb2
from tests.integration.cloud_sync.conftest import Running
from tests.integration.cloud_sync.fleet_node import ANSWER_TIMEOUT_S, Link

FIRST_FRAME_S = 0.2


async def _goodbye(link: Link) -> Any:
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        while not isinstance(frame := await link.receive(), sync_pb2.Goodbye):
            assert frame is not None
    return frame


async def test_a_node_revoked_while_its_stream_opens_is_cut_off(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, refresh, open_stream = asyncio.Event(), SyncService.refresh, Intake.open_stream

    async def refreshed(self: SyncService, since: int) -> int:
        newest = await refresh(self, since)
        told.set()
        return newest

    async def opened(self: Intake, node_id: str, *rest: Any) -> int:
        generation = await open_stream(self, node_id, *rest)
        told.clear()
        await cloud.control.steering.revoke(node_id, "test")
        await told.wait()  # everybody who is registered has heard of it
        return generation

    monkeypatch.setattr(SyncService, "refresh", refreshed)
    monkeypatch.setattr(Intake, "open_stream", opened)
    async with Link(await cloud.enrolled()) as link:
        await link.send(hello=sync_pb2.Hello(software_version="1"))
        assert (await _goodbye(link)).reason == sync_pb2.GOODBYE_REASON_REVOKED


async def test_a_client_that_goes_while_its_stream_opens_leaves_none(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_stream, forget = Intake.open_stream, SyncService._forget
    asked, gone, registered = asyncio.Event(), asyncio.Event(), []
    readers: list[asyncio.Task[Any]] = []

    async def opened(self: Intake, *whose: Any) -> int:
        task = asyncio.current_task()
        assert task is not None
        readers.append(task)
        asked.set()
        await gone.wait()
        return await open_stream(self, *whose)

    def forgotten(self: SyncService, stream: Any) -> None:
        forget(self, stream)
        gone.set()

    monkeypatch.setattr(Intake, "open_stream", opened)
    monkeypatch.setattr(SyncService, "_forget", forgotten)
    monkeypatch.setattr(SyncService, "_register", lambda _, stream: registered.append(stream))
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        async with Link(await cloud.enrolled()) as link:
            await link.send(hello=sync_pb2.Hello(software_version="1"))
            await asked.wait()
            link.call.cancel()
            await gone.wait()
        await asyncio.wait(readers)
    assert registered == []


async def test_an_upload_without_a_stream_is_not_read_and_one_that_says_nothing_ends(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "FIRST_FRAME_S_MAX", 2 * ANSWER_TIMEOUT_S)
    async with Link(await cloud.enrolled()) as link:
        assert await _status(link._stub.Upload()) is grpc.StatusCode.FAILED_PRECONDITION
        await link.hello()
        monkeypatch.setattr(uploads, "FIRST_FRAME_S_MAX", FIRST_FRAME_S)
        assert await _status(link._stub.Upload()) is grpc.StatusCode.FAILED_PRECONDITION


async def test_two_uploads_of_a_node_may_have_said_nothing_and_no_more(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "FIRST_FRAME_S_MAX", 2 * ANSWER_TIMEOUT_S)
    async with Link(await cloud.enrolled()) as link, Link(await cloud.enrolled()) as other:
        await link.hello()
        silent = [link._stub.Upload() for _ in range(OPENINGS_OF_A_NODE_MAX + 1)]
        ended = [asyncio.ensure_future(call.code()) for call in silent]
        done, waiting = await asyncio.wait(
            ended, return_when=asyncio.FIRST_COMPLETED, timeout=ANSWER_TIMEOUT_S
        )
        assert [task.result() for task in done] == [grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert len(waiting) == OPENINGS_OF_A_NODE_MAX
        assert isinstance(await other.open(), sync_pb2.UploadReady)  # it is nobody else's number
        silent[ended.index(waiting.pop())].cancel()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while (answer := await link.open_upload()) is None:
                pass  # the server may not have heard yet that the other went
        assert isinstance(answer, sync_pb2.UploadReady)


async def _status(upload: Any) -> grpc.StatusCode:
    return await asyncio.wait_for(upload.code(), ANSWER_TIMEOUT_S)


async def test_who_was_refused_takes_no_turn_and_who_waits_only_one(
    cloud: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked, waiting = Admissions.ask, [], asyncio.Event()

    def counted(self: Admissions, now_s: float) -> Turn:
        asked.append(now_s)
        return ask(self, now_s)

    monkeypatch.setattr(Admissions, "ask", counted)
    stolen, good = await cloud.enrolled(), await cloud.enrolled()
    await cloud.control.steering.revoke(stolen.id, "test")
    for _ in range(3):
        async with Link(stolen) as link:
            assert (await link.hello()).reason == sync_pb2.GOODBYE_REASON_REVOKED
    assert len(asked) == 1
    async with Link(good) as link:
        assert (await link.hello()).stream_generation
    assert len(asked) == 2

    def slow(_: Admissions, now_s: float) -> Turn:
        asked.append(now_s)
        waiting.set()
        return Turn(wait_s=ANSWER_TIMEOUT_S)

    monkeypatch.setattr(Admissions, "ask", slow)
    async with Link(good) as first, Link(good) as second:
        await first.send(hello=sync_pb2.Hello(software_version="1"))
        await waiting.wait()
        assert (await second.hello()).reason == sync_pb2.GOODBYE_REASON_BUSY
    assert len(asked) == 3
