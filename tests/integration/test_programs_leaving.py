"""A program that goes away takes its work out of the line; others and its key are as if it had never asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from aiohttp import ClientSession

from edge import metrics
from edge.config import HttpSection, site_paths
from edge.inference.embedding import Embeddings
from edge.inference.scheduler import Scheduler
from edge.site_setup import create_site
from edge.store.allowance import Allowance
from edge.store.api_keys import Scope
from edge.store.store import Store
from edge.web.inference_api import InferenceApi
from edge.web.key_ring import KeyRing
from edge.web.openai_api import OpenAiApi
from edge.web.server import customer_application, serve_customers

WAIT_S = 30.0
LOOK_S = 0.01
DIM = 4
MODEL = "small"
OPENAI = ("/v1/embeddings", {"model": MODEL, "input": ["two", "three", "four"]})
INFERENCE = (
    f"/v2/models/{MODEL}/infer",
    {"inputs": [{"name": "text", "shape": [3], "datatype": "BYTES", "data": ["two", "three", "four"]}]},
)


class HeldEncoder:
    """Computes nothing until it is let go, and remembers what it was given."""

    dim = DIM
    max_tokens = 8

    def __init__(self) -> None:
        self.info = SimpleNamespace(model=MODEL, version="1", space="space", sha256="a" * 64)
        self.asked: list[str] = []
        self.go_on = threading.Event()

    def embed_here(self, texts: Sequence[str]) -> tuple[Any, list[int]]:
        self.asked += texts
        assert self.go_on.wait(WAIT_S)
        return np.ones((len(texts), DIM), np.float32), [1] * len(texts)


class Desk:
    """The routes for programs over a lane that is held, and a key that may have two requests at once."""

    def __init__(self, url: str, encoder: HeldEncoder, embeddings: Embeddings, key: str) -> None:
        self.encoder = encoder
        self.url = url
        self.line = embeddings.line
        self.headers = {"Authorization": f"Bearer {key}"}

    async def ask(self, client: ClientSession, text: str) -> int:
        """The status of a request that stays."""
        url, body = f"{self.url}/v1/embeddings", {"model": MODEL, "input": text}
        async with client.post(url, json=body, headers=self.headers) as response:
            return response.status

    async def send_raw(self, path: str, body: object) -> asyncio.StreamWriter:
        """A request whose sender may vanish at any time."""
        raw = json.dumps(body).encode()
        head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(raw)}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        address = urlsplit(self.url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write("\r\n".join([*head, "", ""]).encode() + raw)
        await writer.drain()
        return writer


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty")
    store = Store.open(paths)
    scheduler, encoder, keys = Scheduler(1), HeldEncoder(), KeyRing(store)
    model: Any = encoder
    embeddings = Embeddings(scheduler, model, waiting_max=8, wait_s_max=WAIT_S, keep_s=0)
    scopes = (Scope.EMBEDDINGS, Scope.INFERENCE)
    _, key = await keys.new("ada", "tests", scopes, Allowance(1000, 1000, 2), None)
    api = OpenAiApi(keys, embeddings, dict)
    inference = InferenceApi(keys, embeddings, list)
    # Not aiohttp's TestServer: that one cancels for itself what a client has left, and the node's does not.
    application = customer_application([*api.routes(), *inference.routes()], None)
    runner, url = await serve_customers(application, HttpSection(port=0))
    yield Desk(url, encoder, embeddings, key)
    encoder.go_on.set()
    await runner.cleanup()
    await scheduler.close()
    await store.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(LOOK_S)


def gone() -> float:
    return metrics.clients_gone._value.get()


@pytest.mark.parametrize(("path", "body"), [OPENAI, INFERENCE])
async def test_texts_of_a_program_that_has_gone_are_not_computed(desk: Desk, path: str, body: object) -> None:
    before = gone()
    async with ClientSession() as client:
        staying = asyncio.create_task(desk.ask(client, "one"))
        await until(lambda: desk.encoder.asked)
        writer = await desk.send_raw(path, body)
        await until(lambda: desk.line.stats().waiting == 3)
        assert await desk.ask(client, "refused") == 429  # two at once are all that the key may have

        writer.transport.abort()
        await until(lambda: desk.line.stats().waiting == 0)
        assert gone() == before + 1
        next_one = asyncio.create_task(desk.ask(client, "five"))  # its place is free again
        await until(lambda: desk.line.stats().waiting == 1)
        desk.encoder.go_on.set()
        assert [await staying, await next_one] == [200, 200]
    assert desk.encoder.asked == ["one", "five"]
