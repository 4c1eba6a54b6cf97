"""The short form of the bench: chats whose node breaks off in the middle of their answers go on, and lose nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from edge.web import event_stream
from tests.bench import failover_chats
from tests.bench.failover_chats import Chat
from tests.unit.edge.web.siblings_rig import Node, node_of

CHATS = 8


def url(node: Node) -> str:
    return str(node.client.make_url("")).rstrip("/")


async def all_asking_again(chats: list[Chat]) -> None:
    """Each has an answer, and its next question is on its way."""
    async with asyncio.timeout(60):
        while not all(chat.final and chat.open for chat in chats):
            await asyncio.sleep(0)


@pytest.mark.parametrize("silent", [False, True], ids=["breaks_off", "falls_silent"])
async def test_every_chat_goes_on_and_no_answer_is_lost(
    tmp_path: Path, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover_chats, "SILENCE_S", 0.3 if silent else 30.0)
    monkeypatch.setattr(event_stream, "BEAT_S", 60.0)
    async with AsyncExitStack() as stack:
        one, other = [await node_of(stack, tmp_path / name) for name in ("one", "other")]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        chats = [Chat(http, [url(one), url(other)]) for _ in range(CHATS)]
        for chat in chats:
            await chat.arrive()
        one.desk.answers_max = CHATS
        tasks = [asyncio.create_task(chat.talk(["one", "two", "three"])) for chat in chats]
        if not silent:
            await all_asking_again(chats)
            server = one.client.server.runner.server
            assert server is not None
            for connection in server.connections:
                assert connection.transport is not None
                connection.transport.abort()
            await one.client.server.close()
        await asyncio.gather(*tasks)
        assert [chat.failed for chat in chats] == [""] * CHATS
        assert all(chat.node == url(other) and len(chat.final) == 2 for chat in chats)
        assert all([await chat.known(chat.final[0]) for chat in chats])
