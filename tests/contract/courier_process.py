"""A real courier in a process of its own, and a control plane by script at the other end of its channel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import grpc
import grpc.aio

from core import identity as certificates
from core.supervision import SUPERVISED
from edge.config import SitePaths, site_paths
from edge.egress.courier.client import CourierClient, CourierConnection, CourierEvent
from edge.egress.identity import identity
from edge.egress.identity.identity import Enrolment, Identity
from edge.egress.ledger.log import Log
from postern.v1 import sync_pb2, sync_pb2_grpc

# Generous: machines that run tests are shared, and a process may wait seconds for its turn.
TIMEOUT_S = 40.0


class CourierProcess:
    """Starts, kills and stops the courier of one site."""

    def __init__(self, paths: SitePaths) -> None:
        self.paths = paths
        self.client = CourierClient(paths.courier_socket)
        self.log: Path | None = None
        """Where what it says goes, from the next start on; None: to our own standard error."""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, supervised: bool = False) -> None:
        """Start it and wait until it answers. `supervised`: as a child of a supervisor, which holds its input."""
        with contextlib.ExitStack() as stack:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "edge.processes", "courier", str(self.paths.root)),
                stdin=asyncio.subprocess.PIPE if supervised else asyncio.subprocess.DEVNULL,
                stderr=stack.enter_context(self.log.open("ab")) if self.log else None,
                env={**os.environ, SUPERVISED: "1"} if supervised else None,
            )
        await until(self._answers)

    async def lose_supervisor(self) -> int:
        """The supervisor is gone; returns the exit status."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(TIMEOUT_S):
            return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: no last words."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(TIMEOUT_S):
            return await self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def attach(self) -> CourierConnection:
        """The node's connection."""
        connection = await self.client.connect()
        await connection.attach()
        return connection

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, "the courier ended"
        if not self.paths.courier_socket.exists():
            return False
        try:
            connection = await self.client.connect()
        except Exception:
            return False
        await connection.close()
        return True


async def until(condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
    """Wait until `condition` (plain or awaitable) holds."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


async def receive(connection: CourierConnection, kind: type[CourierEvent]) -> CourierEvent:
    """The next event of a kind."""
    async with asyncio.timeout(TIMEOUT_S):
        while (event := await connection.receive()) is not None:
            if isinstance(event, kind):
                return event
    raise AssertionError("the courier closed the connection")


class ScriptedCloud(sync_pb2_grpc.SyncServiceServicer):
    """Takes frames while `reading` is set, and remembers them; answers hello with a welcome."""

    def __init__(self) -> None:
        self.frames: list[sync_pb2.ConnectRequest | sync_pb2.UploadRequest] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.taking_rows = asyncio.Event()
        self.taking_rows.set()
        self.opened = 0
        self.endpoint = ""

    async def Connect(self, request_iterator, context):
        self.opened += 1
        while True:
            await self.reading.wait()
            frame = await anext(aiter(request_iterator), None)
            if frame is None:
                return
            self.frames.append(frame)
            if frame.WhichOneof("frame") == "hello":
                yield sync_pb2.ConnectResponse(welcome=sync_pb2.Welcome(heartbeat_interval_ms=1000))

    async def Upload(self, request_iterator, context):
        while True:
            await self.reading.wait()
            frame = await anext(aiter(request_iterator), None)
            if frame is None:
                return
            await self.taking_rows.wait()
            self.frames.append(frame)
            if frame.WhichOneof("frame") == "upload_open":
                yield sync_pb2.UploadResponse(upload_ready=sync_pb2.UploadReady())


def enrolled(paths: SitePaths, mine: Identity) -> None:
    """As an enrolment leaves the courier's folder: it is written down in the ledger, so that one has begun."""
    if not paths.ledger.exists():
        Log.open(paths.ledger).close()
    identity.store(paths.courier, mine)


Cloud = TypeVar("Cloud", bound=ScriptedCloud)


@asynccontextmanager
async def scripted_cloud(paths: SitePaths, cloud: Cloud) -> AsyncIterator[Cloud]:
    """A control plane with an authority of its own, and the site enrolled with it."""
    authority, credentials = authority_with_port()
    server = grpc.aio.server()
    sync_pb2_grpc.add_SyncServiceServicer_to_server(cloud, server)
    cloud.endpoint = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    await server.start()
    enrolled(paths, new_identity(authority, cloud.endpoint))
    try:
        yield cloud
    finally:
        cloud.reading.set()
        cloud.taking_rows.set()
        await server.stop(0)


def authority_with_port() -> tuple[certificates.Authority, grpc.ServerCredentials]:
    """An authority for a day, and what a control plane of its own on loopback shows: mutual TLS."""
    now, day = datetime.now(UTC), timedelta(days=1)
    authority = certificates.create_ca("test", now=now, validity=day)
    mine = certificates.create_server_certificate(authority, ["127.0.0.1"], now=now, validity=day)
    pair = (mine.key_pem, mine.certificate_pem)
    return authority, grpc.ssl_server_credentials([pair], authority.certificate_pem, require_client_auth=True)


def new_identity(
    authority: certificates.Authority, endpoint: str, overflow_endpoints: tuple[str, ...] = ()
) -> Identity:
    """A site's, as enrolment would leave it."""
    now, key = datetime.now(UTC), certificates.new_key()
    request = certificates.create_signing_request(key)
    chain = certificates.issue_node_certificate(
        authority, request, "node-test", now=now, validity=timedelta(days=1)
    )
    target = certificates.CONTROL_PLANE_TARGET_NAME
    enrolment = Enrolment("node-test", "Test", endpoint, target, overflow_endpoints)
    return Identity(enrolment, certificates.key_to_pem(key), chain, authority.certificate_pem)


def new_site(folder: Path) -> SitePaths:
    """A site's folder as the courier needs it."""
    folder.mkdir(parents=True)
    paths = site_paths(folder)
    paths.config.write_text('[site]\nid = "test"\nname = "Test"\n')
    return paths


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(os.strerror(3))
