"""A real control plane in a process of its own, and a node's sync half in this one."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import control_plane
from cloud_sync.store.database import Database, open_database
from cloud_sync.store.schema import nodes, records
from edge.config import SitePaths
from edge.egress.courier import courier
from edge.egress.courier.client import CourierClient
from edge.egress.records.schemas import ModelState
from edge.privacy.policies import Policies, PolicyFile, accepted_from_cloud
from edge.store.store import Store
from edge.sync.backoff import Backoff
from edge.sync.desired import DesiredDocument, DesiredRefused
from edge.sync.desired_keeper import judge_policy
from edge.sync.events import NodeFacts
from edge.sync.service import SyncService
from tests.contract.courier_process import TIMEOUT_S, until
from tests.ports import free_port

# Short, so that a test with five outages ends in seconds; the rules of the real one are tested as a table.
QUICK = Backoff(base_s=0.05, ceiling_s=0.3)

MODEL = ModelState(name="all-minilm-l6-v2", version="0.1.0", runtime="onnxruntime", device="CPU")
FACTS = NodeFacts("0.1.0", (MODEL,), documents=3, chunks=40)


class ControlPlaneProcess:
    """`postern-cloud` as its users run it."""

    def __init__(self, root: Path, database: str = "") -> None:
        self.paths = CloudPaths(root)
        self._address = database
        self._process: asyncio.subprocess.Process | None = None
        self.enrolment = ""
        self._database: Database | None = None

    async def create(self) -> None:
        """A new folder on free ports."""
        create_folder(self.paths, "Test", self._address, datetime.now(UTC))
        text = self.paths.config.read_text()
        for port in ("8090", "8091", "8092"):
            text = re.sub(rf"^port = {port}$", f"port = {free_port()}", text, flags=re.MULTILINE)
        self.paths.config.write_text(text)

    async def start(self) -> None:
        """Run it, and wait for its ready line."""
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments("run"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            line = await self._process.stdout.readline()
        self.enrolment = json.loads(line)["enrolment"]

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then away."""
        if self._database is not None:
            await self._database.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            async with asyncio.timeout(TIMEOUT_S):
                await self._process.wait()

    async def command(self, *words: str, stdin: str = "") -> Any:
        """A command's JSON answer. `stdin`: a line that it reads."""
        process = await asyncio.create_subprocess_exec(
            *self._arguments(*words, "--json"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(f"{stdin}\n".encode())
        assert process.returncode == 0, words
        return json.loads(out)

    async def new_code(self) -> str:
        """A one-time code, as the command makes it, without a process for it."""
        async with control_plane(self.paths, load_settings(self.paths), load_identities(self.paths)) as plane:
            return (await plane.enrolment.new_code("Test", "test", "")).code

    async def rollout(self, rollout: str) -> Any:
        """As `rollout show` answers, without a process for it."""
        async with control_plane(self.paths, load_settings(self.paths), load_identities(self.paths)) as plane:
            return dataclasses.asdict(await plane.rollouts.show(rollout))

    async def records(self, kind: str = "knowledge.changed") -> list[Any]:
        """What the database holds of a kind, in order: the oracle."""
        query = sa.select(records.c.seq, records.c.payload).where(records.c.kind == kind)
        rows = await self.database.run(
            lambda db: db.execute(query.order_by(records.c.epoch, records.c.seq)).all()
        )
        return [json.loads(row.payload) for row in rows]

    async def node(self) -> Any:
        """The one node's row."""
        return (await self.database.run(lambda db: db.execute(sa.select(nodes)).all()))[0]

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = open_database(self.paths, load_settings(self.paths))
        return self._database

    def _arguments(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cloud_sync.cli", *words, "--dir", str(self.paths.root)]


@dataclass
class Node:
    """The parts of a node that sync needs."""

    store: Store
    sync: SyncService
    applied: list[DesiredDocument]
    policies: Policies
    facts: NodeFacts = FACTS


@asynccontextmanager
async def running_node(paths: SitePaths) -> AsyncIterator[Node]:
    """Store and sync, started; stopped as the app does it."""
    store = Store.open(paths)
    applied: list[DesiredDocument] = []
    policies = Policies(PolicyFile(paths), await store.read(accepted_from_cloud))

    async def on_desired(document: DesiredDocument) -> None:
        if document.notes == "refuse me":
            raise DesiredRefused("notes", "not_here")
        policies.cloud = document.policy
        applied.append(document)

    made: list[Node] = []
    sync = SyncService(
        store,
        paths,
        CourierClient(paths.courier_socket),
        lambda: made[0].facts,
        on_desired,
        judge=partial(judge_policy, policies),
        backoff=QUICK,
    )
    made.append(Node(store, sync, applied, policies))
    running = asyncio.create_task(sync.run())
    try:
        yield made[0]
    finally:
        running.cancel()
        await asyncio.wait((running,))
        await store.close()


@asynccontextmanager
async def courier_and_node(paths: SitePaths, clock: Callable[[], float] = time.time) -> AsyncIterator[Node]:
    """A courier, which takes Unix time from `clock`, and the node's half of the sync, running in this process."""
    stop = asyncio.Event()
    serving = asyncio.create_task(courier.serve(paths, stop, clock))
    try:
        await until(paths.courier_socket.exists)
        async with running_node(paths) as node:
            yield node
    finally:
        stop.set()
        await serving


async def connected(node: Node) -> None:
    """Wait for the control plane's welcome."""
    await until(lambda: node.sync.status().connected)
