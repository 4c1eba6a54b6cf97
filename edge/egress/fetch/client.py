"""The node's way to what it updates itself from: sealed requests to the courier, metadata and pieces of blobs back.

A connection to the courier for each request: closing it ends the fetch. Opens no network connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf.message import DecodeError

from core.errors import ExitCode, PosternError
from core.local_socket import BadFrame, read_frame, write_frame
from edge.egress.courier.client import COURIER_AWAY, envelope_message
from edge.egress.fetch.order import RepositoryName
from edge.egress.fetch.wanted import BlobsWanted, MetadataWanted, Wanted
from edge.egress.records.guard import Guard
from postern.v1 import artifact_pb2
from postern.v1 import courier_pb2 as wire

METADATA_S_MAX: Final = 60.0
"""For one file of metadata: tens of kilobytes, over a line that may be slow."""

BLOBS_S_MAX: Final = 900.0
"""For one request of blobs. What came by then is kept, and the rest is asked for again."""

NOT_FOUND: Final = "not_found"
M = TypeVar("M", artifact_pb2.GetMetadataResponse, artifact_pb2.FetchBlobsResponse)


class FetchFailed(PosternError):
    """What was asked for did not come, or not all of it. `reason`: a short code."""

    code = "fetch_failed"
    title = "Something could not be fetched from the control plane"
    remedy = "The node tries again by itself. Until then it runs what it has; see `postern updates show`."
    exit_code = ExitCode.NOT_REACHABLE

    def __init__(self, reason: str) -> None:
        super().__init__(f"Not fetched: {reason}.")
        self.reason = reason


class FetchClient:
    """Asks the courier; any number at once, of which the courier refuses what is too much."""

    def __init__(self, socket: Path, guard: Guard, bytes_per_second: Callable[[], int]) -> None:
        """`socket`: the courier's. `bytes_per_second`: how fast blobs may come now; 0: as fast as the line."""
        self._socket = socket
        self._guard = guard
        self._bytes_per_second = bytes_per_second

    async def metadata(self, repository: RepositoryName, name: str) -> bytes:
        """A file of a repository's metadata. Raises FetchFailed (with `not_found`: there is none of that name)."""
        wanted = MetadataWanted(repository=repository, name=name)
        async with aclosing(self._fetch(wanted, METADATA_S_MAX, 0)) as pieces:
            async for payload in pieces:
                return _parsed(artifact_pb2.GetMetadataResponse, payload).content
        raise FetchFailed("cut")

    async def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[int, bytes], None]:
        """(which of `digests`, a piece of it) in order; closing the iterator ends the fetch. Raises FetchFailed.

        Nothing is checked here: neither how much comes nor what it is.
        """
        wanted = BlobsWanted(digests=tuple(digests))
        async with aclosing(self._fetch(wanted, BLOBS_S_MAX, self._bytes_per_second())) as pieces:
            async for payload in pieces:
                response = _parsed(artifact_pb2.FetchBlobsResponse, payload)
                if response.index >= len(digests):
                    raise FetchFailed("kind")
                yield response.index, response.content

    async def _fetch(self, wanted: Wanted, deadline_s: float, rate: int) -> AsyncGenerator[bytes, None]:
        envelope = envelope_message(self._guard.seal_fetch(wanted))
        order = wire.FetchOrder(
            number=1, envelope=envelope, deadline_ms=round(1000 * deadline_s), bytes_per_second=rate
        )
        give_up_at = asyncio.get_running_loop().time() + deadline_s
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError as error:
            raise FetchFailed(COURIER_AWAY) from error
        try:
            write_frame(writer, wire.NodeFrame(fetch_order=order))
            await writer.drain()
            while (frame := await _next(reader, give_up_at)).HasField("fetch_piece"):
                yield frame.fetch_piece.payload
            if frame.fetch_ended.code:
                raise FetchFailed(frame.fetch_ended.code)
        except (ConnectionError, BadFrame) as error:
            raise FetchFailed("cut") from error
        finally:
            writer.close()


async def _next(reader: asyncio.StreamReader, give_up_at: float) -> wire.CourierFrame:
    """The next frame of a fetch. Raises FetchFailed, BadFrame."""
    try:
        async with asyncio.timeout_at(give_up_at):
            frame = await read_frame(reader, wire.CourierFrame)
    except TimeoutError:
        raise FetchFailed("late") from None
    if frame is None or frame.WhichOneof("frame") not in {"fetch_piece", "fetch_ended"}:
        raise FetchFailed("cut")
    return frame


def _parsed(kind: type[M], payload: bytes) -> M:
    message = kind()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        raise FetchFailed("kind") from None
    return message
