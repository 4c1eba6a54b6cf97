"""Nodes for the bench `fleet`, some hundred in this process, each with a certificate and a connection of its own.

Lean: no store and no models. They speak the protocol as it is documented, and come back as nodes do
(edge/sync/backoff.py), because how they spread is what is measured. `python -m tests.bench.fleet_clients ENDPOINT FILE`
reads their credentials, a JSON line each; says on stdout what happens to whom and when; answers the line `traffic` on
stdin, and ends with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from core.identity import CONTROL_PLANE_TARGET_NAME
from edge.egress.courier.cloud_channel import is_ready, open_site_channel, unreachable_because
from edge.egress.identity.identity import Enrolment, Identity
from edge.sync.backoff import Backoff
from postern.v1 import sync_pb2, sync_pb2_grpc

# struct tcp_info (linux/tcp.h): bytes_acked, bytes_received, segs_out, segs_in.
_TCP_INFO = struct.Struct("<QQII")
_TCP_INFO_AT, _TCP_INFO_BYTES = 120, 256


class Node:
    """One node: connects, stays, comes back."""

    def __init__(self, number: int, identity: Identity) -> None:
        self._number = number
        self._identity = identity
        self._epoch = os.urandom(16)
        self._applied = (0, b"")
        self._welcomed_s = 0.0
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        backoff = Backoff()
        wait_s, backoff = backoff.next(random.random())
        while True:
            await asyncio.sleep(wait_s)
            self._welcomed_s = 0.0
            retry_after_s = await self._once()
            lived_s = time.monotonic() - self._welcomed_s if self._welcomed_s else 0.0
            wait_s, backoff = backoff.next(random.random(), lived_s=lived_s, retry_after_s=retry_after_s)

    async def _once(self) -> float:
        """One connection to its end; how long the control plane asks to stay away."""
        endpoint = self._identity.enrolment.sync_endpoint
        if await unreachable_because(endpoint):
            return 0.0
        channel = await open_site_channel(self._identity, endpoint)
        try:
            return await self._talk(channel) if await is_ready(channel) else 0.0
        except (grpc.RpcError, asyncio.InvalidStateError):
            return 0.0
        finally:
            if self._welcomed_s:
                self._say("lost")
            await channel.close(None)

    async def _talk(self, channel: grpc.aio.Channel) -> float:
        stub: Any = sync_pb2_grpc.SyncServiceStub(channel)  # type: ignore[no-untyped-call]
        call, retry_after_s = stub.Connect(), 0.0
        generation, digest = self._applied
        hello = sync_pb2.Hello(software_version="1", applied_generation=generation, applied_hash=digest)
        self._say("hello")
        await self._write(call, sync_pb2.ConnectRequest(hello=hello))
        beside: list[asyncio.Task[None]] = []
        try:
            while (frame := await call.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]
                kind = frame.WhichOneof("frame")
                if kind == "welcome":
                    self._welcomed_s = time.monotonic()
                    self._say("welcome")
                    beside = [
                        asyncio.create_task(self._beat(call, frame.welcome.heartbeat_interval_ms / 1000)),
                        asyncio.create_task(self._upload(stub, frame.welcome.stream_generation)),
                    ]
                elif kind == "desired_state":
                    await self._apply(call, frame.desired_state)
                elif kind == "goodbye":
                    retry_after_s = frame.goodbye.retry_after_ms / 1000
        finally:
            for task in beside:
                task.cancel()
        return retry_after_s

    async def _apply(self, call: Any, desired: sync_pb2.DesiredState) -> None:
        state = sync_pb2.ReportedState(
            observed_generation=desired.generation,
            applied_generation=desired.generation,
            software_version="1",
        )
        await self._write(call, sync_pb2.ConnectRequest(reported_state=state))
        self._applied = desired.generation, desired.hash
        self._say("applied", generation=desired.generation)

    async def _beat(self, call: Any, interval_s: float) -> None:
        number = 0
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            while True:
                await asyncio.sleep(interval_s)
                number += 1
                beat = sync_pb2.Heartbeat(number=number, queue_percent=10, outbox_rows=0)
                await self._write(call, sync_pb2.ConnectRequest(heartbeat=beat))

    async def _write(self, call: Any, frame: sync_pb2.ConnectRequest) -> None:
        """One at a time: gRPC ends a stream on which two write at once."""
        async with self._writing:
            await call.write(frame)

    async def _upload(self, stub: Any, generation: int) -> None:
        """Open beside the stream, as nodes have it, and nothing to send."""
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            call = stub.Upload()
            opening = sync_pb2.UploadOpen(
                epoch=self._epoch, stream_generation=generation, oldest_sequence=1, newest_sequence=0
            )
            await call.write(sync_pb2.UploadRequest(upload_open=opening))
            while (await call.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]
                pass

    def _say(self, what: str, **more: int) -> None:
        say({"what": what, "node": self._number, "at": time.time(), **more})


def say(event: dict[str, Any]) -> None:
    """A line for whoever started us."""
    sys.stdout.write(json.dumps(event) + "\n")


def traffic(port: int) -> dict[str, Any]:
    """Bytes and segments that this process's connections to a port have carried, as the kernel counts them."""
    counted = {"sockets": 0, "bytes": 0, "segments": 0}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if not os.readlink(link).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(link.name))) as one:
                if one.family not in (socket.AF_INET, socket.AF_INET6) or one.getpeername()[1] != port:
                    continue
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            acked, received, sent_segments, received_segments = _TCP_INFO.unpack_from(info, _TCP_INFO_AT)
            counted["sockets"] += 1
            counted["bytes"] += acked + received
            counted["segments"] += sent_segments + received_segments
    return counted


async def main(endpoint: str, file: Path) -> None:
    """Run them until stdin ends."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    nodes = [Node(number, one) for number, one in credentials(endpoint, file)]
    running = [asyncio.create_task(node.run()) for node in nodes]
    while (line := await reader.readline()).strip():
        if line.strip() == b"traffic":
            say({"what": "traffic", "at": time.time(), **traffic(int(endpoint.rpartition(":")[2]))})
            sys.stdout.flush()
    for task in running:
        task.cancel()


def credentials(endpoint: str, file: Path) -> list[tuple[int, Identity]]:
    """Who they are."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        enrolment = Enrolment(one["id"], "Bench", endpoint, CONTROL_PLANE_TARGET_NAME)
        pems = (one[part].encode() for part in ("key", "certificate", "roots"))
        found.append((one["number"], Identity(enrolment, *pems)))
    return found


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
