"""A real control plane on free ports, in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud_sync.app import Ready, serve
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane, utc_now
from tests.integration.cloud_sync.fleet_node import TestNode, enrol

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0  # the contract


@dataclass
class Running:
    """A serving control plane; `control` is another process's way in, as the command line has it."""

    paths: CloudPaths
    ready: Ready
    claim_code: str | None
    control: ControlPlane
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def stopped(self) -> None:
        self.stop.set()
        await asyncio.wait_for(asyncio.shield(self.task), STOP_TIMEOUT_S)

    async def enrolled(self, site: str = "St. Anna") -> TestNode:
        code = await self.control.enrolment.new_code(site, "test", self.ready.enrolment)
        return await enrol(self.ready.enrolment, code.code)


@pytest.fixture
def cloud_dir(tmp_path: Path) -> CloudPaths:
    paths = CloudPaths(tmp_path / "cloud")
    create_folder(paths, "Test fleet", "", utc_now())
    use_free_ports(paths)
    return paths


def use_free_ports(paths: CloudPaths) -> None:
    text = paths.config.read_text(encoding="utf-8")
    paths.config.write_text(re.sub(r"port = \d+", "port = 0", text), encoding="utf-8")


@asynccontextmanager
async def running(paths: CloudPaths) -> AsyncIterator[Running]:
    """Serve until the end of the block."""
    stop = asyncio.Event()
    told: asyncio.Future[tuple[Ready, str | None]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(paths, stop, lambda ready, code: told.set_result((ready, code))))
    await asyncio.wait({task, told}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    ready, code = told.result()
    try:
        async with control_plane(paths, load_settings(paths), load_identities(paths)) as control:
            yield Running(paths, ready, code, control, stop, task)
    finally:
        stop.set()
        await asyncio.wait_for(task, STOP_TIMEOUT_S)


@pytest.fixture
async def cloud(cloud_dir: CloudPaths) -> AsyncIterator[Running]:
    async with running(cloud_dir) as plane:
        yield plane
