"""One upload: reads batches, commits what has come, acknowledges. The order and the rules are `fleet.outbox.Line`'s.

One task reads and the handler commits and writes. A pending read is never cancelled, because grpc.aio leaks native
memory then: the stream is ended by returning from the handler, and the read ends with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress

import grpc

from cloud_sync.fleet import credit
from cloud_sync.fleet.credit import Credit
from cloud_sync.fleet.intake import Committed, Intake, Superseded
from cloud_sync.fleet.outbox import BATCH_BYTES_MAX, BATCH_ROWS_MAX, Line, ProtocolFault, Run
from cloud_sync.rpc import frames
from postern.v1 import sync_pb2

log = logging.getLogger(__name__)

# An upload says what it is at once: nodes open it to send.
FIRST_FRAME_S_MAX = 10.0
# Of one node, that have not said it yet: one, and for a moment that of a connection that broke.
OPENINGS_OF_A_NODE_MAX = 2

Frame = sync_pb2.UploadRequest
Spawn = Callable[[Coroutine[None, None, None], str], object]
Context = grpc.aio.ServicerContext[Frame, sync_pb2.UploadResponse]


class Openings:
    """Uploads that have not said yet what they are."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._waiting: Counter[str] = Counter()

    def full(self, node_id: str) -> bool:
        """Whether a node has as many as it may."""
        return self._waiting[node_id] >= OPENINGS_OF_A_NODE_MAX

    async def first(self, node_id: str, requests: AsyncIterator[Frame]) -> sync_pb2.UploadOpen | None:
        """The first frame of a node's upload; None where it is another, or does not come."""
        frames_read: list[Frame] = []
        came = asyncio.Event()

        async def read() -> None:
            try:
                frames_read.append(await anext(aiter(requests)))
            except Exception:
                log.debug("an upload ended before it began")  # the handler ends too
            came.set()

        self._waiting[node_id] += 1
        self._spawn(read(), "upload-opening")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_FRAME_S_MAX):
                    await came.wait()
        finally:
            self._waiting[node_id] -= 1
            if not self._waiting[node_id]:
                del self._waiting[node_id]
        first = frames_read[0] if frames_read else None
        return first.upload_open if first is not None and first.HasField("upload_open") else None


class OutboxUpload:
    """An upload of stream `generation` of a node: `serve` once, `end` from anywhere."""

    def __init__(
        self, intake: Intake, node_id: str, generation: int, granted: Callable[[], Credit], spawn: Spawn
    ) -> None:
        self._intake = intake
        self._node_id = node_id
        self._generation = generation
        self._granted = granted
        self._spawn = spawn
        self._epoch = b""
        self._line: Line | None = None
        self._batches: list[sync_pb2.OutboxBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()

    def end(self) -> None:
        """Take nothing more."""
        self._ended = True
        self._changed.set()

    async def serve(
        self, opening: sync_pb2.UploadOpen, requests: AsyncIterator[Frame], context: Context
    ) -> bool:
        """Until either side ends it; False when a newer stream of the node is open.

        Raises ProtocolFault, StoreBusy, StoreUnavailable.
        """
        facts = frames.upload_facts(opening)
        opened = await self._intake.open_upload(self._node_id, self._generation, facts)
        if isinstance(opened, Superseded):
            return False
        self._epoch, self._line = facts.epoch, Line(facts.epoch, opened.sequence)
        self._spawn(self._read(requests), f"upload-{self._node_id}")
        await context.write(self._ready(opened.sequence))
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return True
            if not await self._commit(self._line, context):
                return False

    async def _commit(self, line: Line, context: Context) -> bool:
        """Everything that has come, in one transaction, and one answer; False when a newer stream is open."""
        batches, self._batches = self._batches, []
        self._waiting_rows = self._waiting_bytes = 0
        for batch in batches:
            line.add(batch.epoch, [frames.wire_row(row) for row in batch.rows])
        run = line.take()
        if run.rows:
            outcome = await self._intake.accept(self._node_id, self._epoch, self._generation, run)
            if not isinstance(outcome, Committed):
                return not isinstance(outcome, Superseded) and await self._go_on_at(
                    outcome.committed_sequence, context
                )
            await context.write(frames.ack_frame(self._epoch, run.last, self._granted()))
        await self._say_what_stopped(run, context)
        return True

    async def _say_what_stopped(self, run: Run, context: Context) -> None:
        if run.poison is not None:
            await context.write(frames.nack_frame(self._epoch, run.poison))
        elif run.astray:
            await context.write(self._ready(run.last))

    async def _go_on_at(self, committed: int, context: Context) -> bool:
        """The database knows better: somebody has moved the watermark."""
        self._line = Line(self._epoch, committed)
        await context.write(self._ready(committed))
        return True

    async def _read(self, requests: AsyncIterator[Frame]) -> None:
        try:
            async for frame in requests:
                if self._ended:
                    return
                if frame.WhichOneof("frame") == "outbox_batch":
                    self.keep(frame.outbox_batch)
                # Else a newer node speaks of something that this release does not know: leave it.
        except Exception as error:  # whatever ended the connection; the handler says so
            self._failure = error
        else:
            self._ended = True
        self._changed.set()

    def keep(self, batch: sync_pb2.OutboxBatch) -> None:
        """Keep a batch for the next transaction. Raises ProtocolFault for more than was ever granted."""
        self._waiting_rows += len(batch.rows)
        self._waiting_bytes += batch.ByteSize()
        if self._waiting_rows > credit.ROWS_MAX or self._waiting_bytes > credit.WIRE_BYTES_MAX:
            raise ProtocolFault("More rows came than the node had credit for.")
        self._batches.append(batch)
        self._changed.set()

    def _ready(self, committed: int) -> sync_pb2.UploadResponse:
        granted = self._granted()
        ready = sync_pb2.UploadReady(
            committed_sequence=committed,
            batch_rows_max=BATCH_ROWS_MAX,
            batch_bytes_max=BATCH_BYTES_MAX,
            credit_rows=granted.rows,
            credit_bytes=granted.bytes,
        )
        return sync_pb2.UploadResponse(upload_ready=ready)
