"""A key's limits and scopes over HTTP on a real node: at, below and above each, and what a revoked one still may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from edge.web.key_ring import WRONG_KEYS_PER_MINUTE
from tests.running import RunningNode, command

pytestmark = [pytest.mark.models, pytest.mark.slow]

MODEL = "all-minilm-l6-v2"
EMBEDDINGS, INFER, CHAT = "/v1/embeddings", f"/v2/models/{MODEL}/infer", "/v1/chat/completions"
BODIES: dict[str, Any] = {
    EMBEDDINGS: {"model": MODEL, "input": "opening hours"},
    INFER: {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["opening hours"]}]},
    CHAT: {"model": "desk", "messages": [{"role": "user", "content": "When are you open?"}]},
}
WAIT_S = 60.0
LOOK_S = 0.05


class Program:
    """A program with a key."""

    def __init__(self, node: RunningNode, http: aiohttp.ClientSession, key: str) -> None:
        self._node, self._http = node, http
        self._headers = {"Authorization": f"Bearer {key}"}

    async def ask(self, path: str = EMBEDDINGS, body: object = None) -> tuple[int, str, int]:
        """Status, the error's code or "", Retry-After."""
        sent = body or BODIES[path]
        async with self._http.post(self._node.url + path, json=sent, headers=self._headers) as response:
            text = await response.text()
            said = "" if response.status == 200 else text
            return response.status, said, int(response.headers.get("Retry-After", "0"))

    async def begin(self) -> Unfinished:
        """A request whose body has not come yet: its key was let in, and it is under way."""
        address = urlsplit(self._node.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        body = json.dumps(BODIES[EMBEDDINGS]).encode()
        head = [f"POST {EMBEDDINGS} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in self._headers.items()]
        writer.write("\r\n".join([*head, "", ""]).encode())
        await writer.drain()
        return Unfinished(reader, writer, body)

    async def until(self, status: int) -> None:
        """Ask until the answer is this; any other before it is 200 or 429."""
        async with asyncio.timeout(WAIT_S):
            while (found := (await self.ask())[0]) != status:
                assert found in {200, 429}
                await asyncio.sleep(LOOK_S)


class Unfinished:
    """Half of a request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        self._reader, self._writer, self._body = reader, writer, body

    async def finish(self) -> int:
        """Send the rest; the status."""
        self._writer.write(self._body)
        answer = await self._reader.read()
        self._writer.close()
        return int(answer.split(b" ", 2)[1])

    def leave(self) -> None:
        """Gone without a word."""
        self._writer.transport.abort()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


async def program(node: RunningNode, http: aiohttp.ClientSession, name: str, *more: str) -> Program:
    words = more if "--scope" in more else ("--scope", "embeddings", *more)
    made = await command("api-keys", "new", name, "--site", str(node.site), *words, "--json")
    return Program(node, http, made["key"])


@pytest.mark.long
async def test_requests_at_once(node: RunningNode, http: aiohttp.ClientSession) -> None:
    two = await program(node, http, "two", "--concurrent", "2")
    first = await two.begin()
    assert (await two.ask())[0] == 200  # with the first, as many as it may
    second = await two.begin()
    await two.until(429)
    status, said, after_s = await two.ask()
    assert (status, "too_many_at_once" in said, after_s) == (429, True, 1)
    other = await program(node, http, "other", "--concurrent", "1")
    assert (await other.ask())[0] == 200  # one key's limit is nobody else's
    second.leave()
    await two.until(200)
    assert await first.finish() == 200
    assert (await two.ask())[0] == 200


@pytest.mark.long
async def test_requests_a_minute(node: RunningNode, http: aiohttp.ClientSession) -> None:
    # One more is allowed every twenty seconds: three in a row are done before the fourth's turn.
    three = await program(node, http, "three", "--requests-per-minute", "3")
    assert [(await three.ask())[0] for _ in range(3)] == [200] * 3
    status, said, after_s = await three.ask()
    assert (status, "rate_limited" in said) == (429, True)
    assert 1 <= after_s <= 20


async def test_tokens_a_minute(node: RunningNode, http: aiohttp.ClientSession) -> None:
    hundred = await program(node, http, "hundred", "--tokens-per-minute", "100")
    short, long = ({"model": MODEL, "input": "word " * words} for words in (10, 120))
    assert [(await hundred.ask(body=short))[0] for _ in range(3)] == [200] * 3
    assert (await hundred.ask(body=long))[0] == 200  # what it takes is known when it is done
    status, said, after_s = await hundred.ask(body=short)
    assert (status, "rate_limited" in said) == (429, True)
    assert 1 <= after_s <= 60


@pytest.mark.parametrize(("scope", "opened"), [("embeddings", EMBEDDINGS), ("inference", INFER)])
async def test_a_scope_opens_its_own_routes_only(
    node: RunningNode, http: aiohttp.ClientSession, scope: str, opened: str
) -> None:
    found = await program(node, http, f"only-{scope}", "--scope", scope)
    for path in (EMBEDDINGS, INFER, CHAT):
        status, said, _ = await found.ask(path)
        assert status == (200 if path == opened else 403), (path, said)
        assert ("scope" in said) is (path != opened)


async def test_a_revoked_key_is_refused_at_once_and_what_is_under_way_ends(
    node: RunningNode, http: aiohttp.ClientSession
) -> None:
    revoked = await program(node, http, "revoked", "--concurrent", "1")
    under_way = await revoked.begin()
    await revoked.until(429)
    await command("api-keys", "revoke", "revoked", "--site", str(node.site))
    status, said, _ = await revoked.ask()
    assert (status, "invalid_api_key" in said) == (401, True)
    assert await under_way.finish() == 200


async def test_wrong_keys_of_an_address_are_slowed_down_and_right_ones_are_not(
    node: RunningNode, http: aiohttp.ClientSession
) -> None:
    """Last in this file: the address stays slowed down."""
    right, wrong = await program(node, http, "right"), Program(node, http, "pstn_guess")
    statuses = [(await wrong.ask())[0] for _ in range(2 * WRONG_KEYS_PER_MINUTE)]
    assert statuses[0] == 401
    assert 429 in statuses
    assert set(statuses) == {401, 429}
    assert (await right.ask())[0] == 200
