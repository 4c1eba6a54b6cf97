"""Which language model serves: the worker says it, whoever had it changed, and says nothing once it is gone."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.inference.worker import serve
from edge.inference.worker_client import PRELOAD_TIMEOUT_S, WorkerClient, WorkerDied, WorkerUnreachable
from edge.language_model import told_of
from models.generation_queue import LOAD_S_MAX
from models.runtimes.scripted import ScriptedGenerator

START_TIMEOUT_S = 30.0


@asynccontextmanager
async def worker(path: Path) -> AsyncIterator[None]:
    """In this process, with the model "small"; "larger" can be had."""
    stop = asyncio.Event()
    served = asyncio.create_task(
        serve(
            path,
            lambda: ScriptedGenerator(["old"]),
            stop,
            model_name="small",
            open_named=lambda _: ScriptedGenerator(["new"]),
        )
    )
    async with asyncio.timeout(START_TIMEOUT_S):
        while not path.exists():
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        stop.set()
        await served


@pytest.fixture
async def client() -> AsyncIterator[WorkerClient]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        client = WorkerClient(Path(folder) / "worker.sock")
        yield client
        await client.close()


def path_of(client: WorkerClient) -> Path:
    return client._path


async def test_the_worker_says_which_model_serves(client: WorkerClient) -> None:
    assert client.model is None
    async with worker(path_of(client)):
        await client.health()
        assert client.model == "small"
        other = WorkerClient(path_of(client))
        await other.use("larger")
        await other.close()
        await client.health()
        assert client.model == "larger"


async def test_a_worker_that_is_gone_is_told_of_no_more(client: WorkerClient) -> None:
    async with worker(path_of(client)):
        await client.health()
        assert (told_of(client) or {})["model"] == "small"
    for _ in range(2):
        with pytest.raises((WorkerDied, WorkerUnreachable)):
            await client.health()
        assert told_of(client) is None
    assert client.model == "small"


def test_a_change_of_model_is_waited_for_as_long_as_the_worker_may_take() -> None:
    assert PRELOAD_TIMEOUT_S > LOAD_S_MAX


async def test_a_wait_is_foretold_while_somebody_is_ahead(client: WorkerClient) -> None:
    async with worker(path_of(client)):
        assert client.first_text_s == 0.0
        began = asyncio.get_running_loop().time()
        assert client.heard_at < began
        answer = client.generate([("user", "?")], max_new_tokens=4, deadline_s=START_TIMEOUT_S)
        assert await anext(answer) == "old"
        assert client.first_text_s > 0.0
        assert client.heard_at >= began
        assert [piece async for piece in answer] == []
        assert client.first_text_s == 0.0
