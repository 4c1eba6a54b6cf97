"""A worker that somebody stopped: the node answers, the supervisor says so, kills it and starts another."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import PosternError
from edge.config import site_paths
from edge.inference.worker_client import WorkerClient
from tests.running import Customer, running

pytestmark = [pytest.mark.models, pytest.mark.long]

# Four times the silence that the worker is allowed, for a loaded machine; an error when it is reached.
WAIT_S = 60.0
ASK_AGAIN_S = 0.2


async def pid_of(worker: WorkerClient) -> int:
    try:
        return (await worker.health()).pid
    finally:
        await worker.close()


async def pid_that_answers(socket: Path, other_than: int = 0) -> int:
    """The worker's, once there is one and it is not the other."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with suppress(PosternError):
                if (pid := await pid_of(WorkerClient(socket))) != other_than:
                    return pid
            await asyncio.sleep(ASK_AGAIN_S)


async def test_a_stopped_worker_is_replaced(clinic: Path) -> None:
    socket = site_paths(clinic).worker_socket
    with running(clinic) as node:
        first = await pid_that_answers(socket)
        os.kill(first, signal.SIGSTOP)
        async with Customer.at(node.url) as customer:
            assert (await customer.ask("When is the pharmacy open?"))["citations"]
        assert await pid_that_answers(socket, other_than=first) != first
        assert "process gives no sign of life: it is killed" in (clinic / "run.log").read_text()
