"""Control planes by script that answer texts, a courier in this process, and the node's client of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import grpc.aio

from edge.config import SitePaths
from edge.egress.courier.courier import serve
from edge.egress.envelope import SCHEMA, Envelope, Purpose, load_or_create_key, seal
from edge.egress.ledger import Leaf, reading
from edge.egress.overflow.client import OverflowClient, Reply
from postern.v1 import overflow_pb2, overflow_pb2_grpc, sync_pb2_grpc
from tests.contract.courier_process import ScriptedCloud, authority_with_port, enrolled, new_identity, until

DEADLINE_S = 30.0
ANSWER = ("The", " lift", " is", " left.")


@dataclass
class OverflowCloud(overflow_pb2_grpc.OverflowServiceServicer):
    """Says `texts` and an end, unless it is told otherwise."""

    paths: SitePaths
    texts: tuple[str, ...] = ANSWER
    last: overflow_pb2.GenerateResponse | None = field(default_factory=lambda: end())
    status: grpc.StatusCode | None = None
    """With which the call ends in place of `last`."""
    headers: bool = True
    """Whether it says at once that it has the text."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: it stops before the last text."""
    requests: list[overflow_pb2.GenerateRequest] = field(default_factory=list)
    recorded: list[bool] = field(default_factory=list)
    """Of each request, whether the intent was in the ledger when it came."""
    left: int = 0
    endpoint: str = ""
    link: ScriptedCloud = field(default_factory=ScriptedCloud)
    """The other service of the same port."""

    async def Generate(self, request, context):
        self.requests.append(request)
        self.recorded.append(recorded(self.paths, "intent") > recorded(self.paths, "close"))
        try:
            if self.headers:
                await context.send_initial_metadata(())
            for number, text in enumerate(self.texts):
                if number == len(self.texts) - 1:
                    await self.go_on.wait()
                yield overflow_pb2.GenerateResponse(delta=overflow_pb2.OverflowDelta(text=text))
            if not self.texts:
                await self.go_on.wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.left += 1
            raise
        if self.status is not None:
            await context.abort(self.status, "as told")
        if self.last is not None:
            yield self.last


def end(finish: int = overflow_pb2.OVERFLOW_FINISH_STOP) -> overflow_pb2.GenerateResponse:
    """The last word of a whole answer."""
    said = overflow_pb2.OverflowEnd(finish=finish, provider="engine", prompt_tokens=9, new_tokens=4)
    return overflow_pb2.GenerateResponse(end=said)


def denial(code: str, **more: object) -> overflow_pb2.GenerateResponse:
    """The last word of none."""
    return overflow_pb2.GenerateResponse(denial=overflow_pb2.OverflowDenial(code=code, **more))


def generate_request(text: str = "Where is it?", max_new_tokens: int = 64) -> overflow_pb2.GenerateRequest:
    """What the guard would have let out."""
    piece = overflow_pb2.OverflowPiece(text=text, published=False)
    said = overflow_pb2.OverflowMessage(role="user", pieces=[piece])
    return overflow_pb2.GenerateRequest(messages=[said], max_new_tokens=max_new_tokens)


def sealed(
    paths: SitePaths,
    request: overflow_pb2.GenerateRequest | None = None,
    *,
    purpose: Purpose = Purpose.OVERFLOW,
    kind: str = "generate",
    rows: int = 0,
    **why: Any,
) -> Envelope:
    """As the guard hands it over."""
    payload = (request or generate_request()).SerializeToString()
    verdict, policy = ("public", b"p" * 32) if purpose is Purpose.OVERFLOW else (SCHEMA, b"")
    plain = Envelope(os.urandom(16), purpose, kind, payload, rows, verdict, policy)
    return seal(replace(plain, **why), load_or_create_key(paths.keys))


def leaves(paths: SitePaths) -> list[Leaf]:
    """All of the ledger, but for the one that it begins with."""
    return [leaf for leaf in reading.read(paths.ledger) if leaf.type != "begin"]


def recorded(paths: SitePaths, kind: str) -> int:
    """Leaves of a type."""
    return sum(leaf.type == kind for leaf in reading.read(paths.ledger))


@asynccontextmanager
async def overflow_clouds(paths: SitePaths, count: int = 1) -> AsyncIterator[list[OverflowCloud]]:
    """Replicas of one control plane, and the site enrolled with it."""
    authority, credentials = authority_with_port()
    async with AsyncExitStack() as stack:
        clouds = []
        for _ in range(count):
            server, cloud = grpc.aio.server(), OverflowCloud(paths)
            cloud.go_on.set()
            overflow_pb2_grpc.add_OverflowServiceServicer_to_server(cloud, server)
            sync_pb2_grpc.add_SyncServiceServicer_to_server(cloud.link, server)
            cloud.endpoint = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
            await server.start()
            stack.push_async_callback(server.stop, 0)
            clouds.append(cloud)
        endpoints = tuple(cloud.endpoint for cloud in clouds)
        enrolled(paths, new_identity(authority, endpoints[0], endpoints))
        yield clouds


@asynccontextmanager
async def courier_here(paths: SitePaths) -> AsyncIterator[None]:
    """A courier in this process, on its real socket."""
    stop = asyncio.Event()
    running = asyncio.create_task(serve(paths, stop))
    await until(lambda: paths.courier_socket.exists() or running.done())
    try:
        yield
    finally:
        stop.set()
        await running


@asynccontextmanager
async def attached(paths: SitePaths, *, ready: bool = True) -> AsyncIterator[OverflowClient]:
    """The node's client; with `ready` once a text would be sent."""
    client = OverflowClient(paths.courier_socket)
    running = asyncio.create_task(client.run())
    try:
        await until(lambda: client.ready or (not ready and client.reason != "courier_away"))
        yield client
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def rest_of(answer: AsyncIterator[Reply]) -> list[Reply]:
    """What still comes."""
    return [reply async for reply in answer]


async def replies(
    client: OverflowClient, envelope: Envelope, *, deadline_s: float = DEADLINE_S
) -> list[Reply]:
    """All of an answer."""
    return await rest_of(client.generate(envelope, deadline_s=deadline_s))
