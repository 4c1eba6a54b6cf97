"""ArtifactService: what a node updates itself from. Parses, asks the registry, streams. Who asks: TLS says."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any, Final, Protocol, cast

import grpc

from cloud_sync.fleet.admission import NodeRefused
from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.registry.blobs import BlobMissing, Blobs
from cloud_sync.registry.metadata import RoleName
from cloud_sync.rpc.callers import caller_of
from core.errors import PosternError
from core.identity import InvalidCertificate
from postern.v1 import artifact_pb2, artifact_pb2_grpc

log = logging.getLogger(__name__)

# As the proto has it.
DIGESTS_MAX: Final = 64
DIGEST_BYTES: Final = 32
# Of all nodes, and of one: each holds a piece in memory and an open file. A node fetches one after the other, and for a
# moment two, when a connection of its own breaks.
FETCHES_MAX: Final = 128
FETCHES_OF_A_NODE_MAX: Final = 2
# A node that reads nothing for so long is gone: its courier waits as long for a piece.
PIECE_S_MAX: Final = 60.0
_NAME: Final = re.compile(r"(?:([1-9][0-9]{0,11})\.)?(root|timestamp|snapshot|targets)\.json")

_Metadata = artifact_pb2.GetMetadataResponse
_Piece = artifact_pb2.FetchBlobsResponse
Context = grpc.aio.ServicerContext[Any, Any]


class Metadata(Protocol):
    """See `cloud_sync.registry.vendor.Vendor.metadata`."""

    async def metadata(self, role: RoleName, version: int | None) -> bytes | None: ...


class NodesMetadata(Protocol):
    """See `cloud_sync.registry.director.Director`."""

    async def metadata(self, node_id: str, role: RoleName, version: int | None) -> bytes | None: ...

    async def may_fetch(self, node_id: str, digests: frozenset[str]) -> bool: ...


class ArtifactService(artifact_pb2_grpc.ArtifactServiceServicer):
    """The wire side of the registry."""

    def __init__(
        self, intake: Intake, metrics: FleetMetrics, vendor: Metadata, director: NodesMetadata, blobs: Blobs
    ) -> None:
        self._intake = intake
        self._metrics = metrics
        self._vendor = vendor
        self._director = director
        self._blobs = blobs
        self._fetching: dict[str, int] = {}

    async def GetMetadata(self, request: artifact_pb2.GetMetadataRequest, context: Context) -> _Metadata:
        """One file of a repository's metadata."""
        node = await self._identify(context)
        found = _NAME.fullmatch(request.name)
        content = None
        if found:
            version = int(found[1]) if found[1] else None
            content = await self._read(request.repository, node, cast("RoleName", found[2]), version, context)
        if content is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is none of that name.")
        return _Metadata(content=content)

    async def _read(
        self, repository: int, node: str, role: RoleName, version: int | None, context: Context
    ) -> bytes | None:
        try:
            if repository == artifact_pb2.REPOSITORY_VENDOR:
                return await self._vendor.metadata(role, version)
            if repository == artifact_pb2.REPOSITORY_DIRECTOR:
                return await self._director.metadata(node, role, version)
        except PosternError as error:
            log.error("metadata cannot be served", extra={"code": error.code, "role": role})
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.title)
        return None

    async def FetchBlobs(self, request: artifact_pb2.FetchBlobsRequest, context: Context) -> None:
        """Blobs in the order of the request, as fast as the node reads."""
        node = await self._identify(context)
        digests = [digest.hex() for digest in request.digests if len(digest) == DIGEST_BYTES]
        if not 0 < len(digests) == len(request.digests) <= DIGESTS_MAX:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"1 to {DIGESTS_MAX} digests are allowed.")
        if (
            sum(self._fetching.values()) >= FETCHES_MAX
            or self._fetching.get(node, 0) >= FETCHES_OF_A_NODE_MAX
        ):
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Others are served; come back later.")
        self._fetching[node] = self._fetching.get(node, 0) + 1
        try:
            await self._check_meant_for(node, digests, context)
            await self._send(node, digests, context)
        except BlobMissing as error:
            log.error("a blob cannot be served", extra={"code": error.code})
            await context.abort(grpc.StatusCode.NOT_FOUND, error.title)
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "Nothing was read for too long.")
        finally:
            self._fetching[node] -= 1
            if not self._fetching[node]:
                del self._fetching[node]

    async def _check_meant_for(self, node: str, digests: list[str], context: Context) -> None:
        try:
            allowed = await self._director.may_fetch(node, frozenset(digests))
        except PosternError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.title)
        if not allowed or not await asyncio.to_thread(self._are_here, digests):
            await context.abort(grpc.StatusCode.NOT_FOUND, "One of them is not here, or not for this node.")

    def _are_here(self, digests: list[str]) -> bool:
        """Blocking: the folder may be another machine's."""
        return all(self._blobs.size(digest) is not None for digest in digests)

    async def _send(self, node: str, digests: list[str], context: Context) -> None:
        for index, digest in enumerate(digests):
            if index:  # minutes may have passed: the node may have been revoked or replaced
                await self._identify(context)
            pieces = self._blobs.pieces(digest)
            while (piece := await asyncio.to_thread(_next, pieces)) is not None:
                async with asyncio.timeout(PIECE_S_MAX):
                    await context.write(_Piece(index=index, content=piece))
                self._metrics.artifact_bytes.inc(len(piece))

    async def _identify(self, context: Context) -> str:
        """The node, if it may ask. Ends the call otherwise."""
        node_id = ""
        try:
            caller = caller_of(context)
            node_id = caller.node_id
            await self._intake.check_admitted(node_id, caller.fingerprint)
        except (InvalidCertificate, NodeRefused) as error:
            self._metrics.refused.labels(error.code).inc()
            await self._write_down(node_id, error)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, error.detail)
        except PosternError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.title)
        return node_id

    async def _write_down(self, node_id: str, error: PosternError) -> None:
        try:
            await self._intake.refused(node_id, error.code)
        except PosternError as failure:
            log.error("a refusal could not be written down", extra={"code": failure.code})


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
