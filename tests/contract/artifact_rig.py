"""A control plane by script that serves artifacts, and the node's client of its courier."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

from edge.config import SitePaths
from edge.egress.envelope import load_or_create_key
from edge.egress.fetch.client import FetchClient
from edge.egress.records.guard import Guard
from postern.v1 import artifact_pb2, artifact_pb2_grpc, sync_pb2_grpc
from tests.contract.courier_process import ScriptedCloud, authority_with_port, enrolled, new_identity

PIECE_BYTES = 256 * 1024
REPOSITORIES = {
    artifact_pb2.REPOSITORY_VENDOR: "vendor",
    artifact_pb2.REPOSITORY_DIRECTOR: "director",
}


@dataclass
class ArtifactCloud(artifact_pb2_grpc.ArtifactServiceServicer):
    """Serves what is put into it."""

    metadata: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    """By SHA-256, as asked for; what is served may be something else."""
    cut_after: int = -1
    """Pieces after which a stream of blobs breaks off; -1: never."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: it stops before each piece."""
    endless: bool = False
    asked: list[str] = field(default_factory=list)
    served_bytes: int = 0
    left: int = 0
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.go_on.set()

    def put(self, content: bytes) -> str:
        """Serve a blob under its own digest."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    async def GetMetadata(self, request, context):
        name = (REPOSITORIES[request.repository], request.name)
        self.asked.append("/".join(name))
        if name not in self.metadata:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is none")
        return artifact_pb2.GetMetadataResponse(content=self.metadata[name])

    async def FetchBlobs(self, request, context):
        digests = [digest.hex() for digest in request.digests]
        self.asked.extend(digests)
        if not self.blobs.keys() >= set(digests):
            await context.abort(grpc.StatusCode.NOT_FOUND, "one of them is not here")
        try:
            for number, (index, piece) in enumerate(self._pieces(digests)):
                await self.go_on.wait()
                if number == self.cut_after:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "as told")
                self.served_bytes += len(piece)
                yield artifact_pb2.FetchBlobsResponse(index=index, content=piece)
        except (asyncio.CancelledError, GeneratorExit):
            self.left += 1
            raise

    def _pieces(self, digests):
        while True:
            for index, digest in enumerate(digests):
                content = self.blobs[digest]
                for start in range(0, max(len(content), 1), PIECE_BYTES):
                    yield index, content[start : start + PIECE_BYTES]
            if not self.endless:
                return


@asynccontextmanager
async def artifact_cloud(paths: SitePaths) -> AsyncIterator[ArtifactCloud]:
    """It runs, and the site is enrolled with it."""
    authority, credentials = authority_with_port()
    server, cloud = grpc.aio.server(), ArtifactCloud()
    artifact_pb2_grpc.add_ArtifactServiceServicer_to_server(cloud, server)
    sync_pb2_grpc.add_SyncServiceServicer_to_server(ScriptedCloud(), server)
    cloud.endpoint = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    await server.start()
    enrolled(paths, new_identity(authority, cloud.endpoint))
    try:
        yield cloud
    finally:
        await server.stop(0)


def fetch_client(paths: SitePaths, bytes_per_second: int = 0) -> FetchClient:
    """The node's end."""
    return FetchClient(paths.courier_socket, Guard(load_or_create_key(paths.keys)), lambda: bytes_per_second)
