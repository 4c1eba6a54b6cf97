"""SyncService: one long stream a node, and its upload beside it. Who a node is comes from TLS only.

One task reads and one writes. A pending read is never cancelled, because grpc.aio leaks native memory then: the
stream is ended by returning from the handler, and the read ends with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

import grpc

from cloud_sync.fleet.admission import CertificateExpired, NodeRefused
from cloud_sync.fleet.admissions import Admissions, Refusals
from cloud_sync.fleet.credit import Credit, grant
from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.outbox import ProtocolFault
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.rules import HEARTBEAT_INTERVAL
from cloud_sync.fleet.steering import Steering, Wanted
from cloud_sync.rpc import frames, uploads
from cloud_sync.rpc.callers import Caller, caller_of
from cloud_sync.rpc.outgoing import Outgoing
from cloud_sync.rpc.uploads import Openings, OutboxUpload
from cloud_sync.store.desired import DesiredRow
from core.errors import PosternError
from core.identity import InvalidCertificate
from postern.v1 import sync_pb2, sync_pb2_grpc

log = logging.getLogger(__name__)

# Three heartbeats without a word: the node is not there any more, whatever TCP believes.
SILENCE_MAX_S = HEARTBEAT_INTERVAL.total_seconds() * 3
# How long an ended stream may take to send its goodbye before it is cut.
GOODBYE_GRACE_S = 3.0

# How long nodes stay away, in milliseconds; they add jitter of their own.
RETRY_SOON_MS = 1_000
RETRY_BUSY_MS = 5_000
# A fault that a retry will not heal: often enough to notice the repair, rare enough not to be load.
RETRY_FAULT_MS = 60_000

Frame = sync_pb2.ConnectRequest
Context = grpc.aio.ServicerContext[Frame, sync_pb2.ConnectResponse]
AnyContext = Context | uploads.Context


@dataclass(eq=False)
class _Stream:
    """One open stream and what it may do."""

    node_id: str
    fingerprint: bytes
    times: tuple[datetime, datetime]  # when its certificate was issued, when it expires
    handler: asyncio.Task[None]
    outgoing: Outgoing = field(default_factory=Outgoing)
    generation: int = 0  # 0 until Hello is accepted
    upload: OutboxUpload | None = None
    has: tuple[int, bytes] = (
        0,
        b"",
    )  # generation and hash of the desired state that it runs by, or is being sent
    told: int = 0  # the newest generation that was looked at for it


class SyncService(sync_pb2_grpc.SyncServiceServicer):
    """The wire side of `Intake` and `Steering`."""

    def __init__(
        self,
        intake: Intake,
        steering: Steering,
        presence: Presence,
        metrics: FleetMetrics,
        admissions: Admissions,
    ) -> None:
        self._intake = intake
        self._steering = steering
        self._presence = presence
        self._metrics = metrics
        self._admissions = admissions
        self._refused = Refusals()
        self._in_line: set[bytes] = set()
        self._streams: dict[str, _Stream] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._uploads = 0
        self._openings = Openings(self._start_reader)

    async def Connect(self, request_iterator: AsyncIterator[Frame], context: Context) -> None:
        """The whole life of a stream."""
        caller = await self._identify(context)
        stream = _Stream(caller.node_id, caller.fingerprint, (caller.issued, caller.expires), _this_task())
        self._start_reader(self._read(stream, request_iterator), f"read-{stream.node_id}")
        try:
            await self._write(stream, context)
        finally:
            stream.outgoing.close()
            self._forget(stream)
            if stream.upload is not None:
                stream.upload.end()

    async def Upload(self, request_iterator: AsyncIterator[uploads.Frame], context: uploads.Context) -> None:
        """The whole life of an upload: it ends with its stream, and a fault in it ends both."""
        caller = await self._identify(context)
        stream = self._streams.get(caller.node_id)
        opening = None
        if stream is not None and stream.fingerprint == caller.fingerprint:
            if self._openings.full(caller.node_id):
                self._metrics.refused.labels("upload_openings").inc()
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Say first what the others are.")
            opening = await self._openings.first(caller.node_id, request_iterator)
            stream = self._streams.get(caller.node_id)  # it may have been replaced meanwhile
        if (
            stream is None
            or opening is None
            or (opening.stream_generation, caller.fingerprint) != (stream.generation, stream.fingerprint)
        ):
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, "An upload belongs to the newest stream."
            )
        if stream.upload is not None:
            self._refuse(stream, ProtocolFault("A stream has one upload."))
            return
        upload = stream.upload = OutboxUpload(
            self._intake, stream.node_id, stream.generation, self._credit, self._start_reader
        )
        handler = _this_task()
        stream.handler.add_done_callback(lambda _: _cut_later(handler))
        await self._serve_upload(stream, upload, opening, request_iterator, context)

    # --- what the composition root calls ---

    async def refresh(self, since: int) -> int:
        """Tell every connected node what changed for it after generation `since`; up to which one it is told now."""
        look = await self._steering.look(self._streams, since)
        for node_id, wanted in look.nodes.items():
            stream = self._streams.get(node_id)
            if stream is None:
                continue
            self._follow(stream, wanted)
        return look.generation

    def opened_elsewhere(self, node_id: str, generation: int) -> None:
        """A stream of a node was opened, maybe at another replica: its older one here ends."""
        stream = self._streams.get(node_id)
        if stream is not None and stream.generation < generation:
            self._end(stream, sync_pb2.GOODBYE_REASON_REPLACED, RETRY_FAULT_MS)

    def end_all(self) -> None:
        """Ask every node to come back soon: this process stops."""
        for stream in list(self._streams.values()):
            self._end(stream, sync_pb2.GOODBYE_REASON_SHUTDOWN, RETRY_SOON_MS)

    # --- one stream ---

    async def _identify(self, context: AnyContext) -> Caller:
        try:
            return caller_of(context)
        except InvalidCertificate as error:
            self._metrics.refused.labels(error.code).inc()
            await self._write_down("", error)
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, error.detail)
            raise

    def _start_reader(self, reading: Coroutine[None, None, None], name: str) -> None:
        reader = asyncio.create_task(reading, name=name)
        self._readers.add(reader)  # it outlives the handler for a moment; the loop alone would not hold it
        reader.add_done_callback(self._readers.discard)

    async def _read(self, stream: _Stream, requests: AsyncIterator[Frame]) -> None:
        silence = _Silence(stream.outgoing)
        try:
            async for frame in requests:
                if stream.outgoing.ending:
                    return
                silence.broken()
                await self._handle(stream, frame)
        except PosternError as error:
            self._refuse(stream, error)
            await self._write_down(stream.node_id, error)
        except Exception:
            # Whatever ended the connection has ended the stream; a bug must not take other nodes with it.
            if not stream.outgoing.ending:
                log.exception("stream failed", extra={"node": stream.node_id})
                self._end(stream, sync_pb2.GOODBYE_REASON_BUSY, RETRY_BUSY_MS)
        else:
            stream.outgoing.close()
        finally:
            silence.stop()

    async def _write(self, stream: _Stream, context: Context) -> None:
        while (frame := await stream.outgoing.next()) is not None:
            await context.write(frame)
            if frame.WhichOneof("frame") == "goodbye":
                if frame.goodbye.reason == sync_pb2.GOODBYE_REASON_REVOKED:
                    context.set_code(grpc.StatusCode.UNAUTHENTICATED)
                    context.set_details("This node may not connect; enrol it again.")
                return

    async def _handle(self, stream: _Stream, frame: Frame) -> None:
        kind = frame.WhichOneof("frame")
        if (stream.generation == 0) != (kind == "hello"):
            raise ProtocolFault("Hello comes first, and once.")
        if kind == "hello":
            await self._open(stream, frame.hello)
        elif kind == "heartbeat":
            self._intake.check_holds(stream.times[1])
            await self._beat(stream, frame.heartbeat)
        elif kind == "reported_state":
            await self._intake.report(stream.node_id, stream.generation, frames.report(frame.reported_state))
        # Else a newer node speaks of something that this release does not know: leave it.

    async def _open(self, stream: _Stream, hello: sync_pb2.Hello) -> None:
        if not await self._turn(stream):
            return
        version = frames.text(hello.software_version)
        try:
            stream.generation = await self._intake.open_stream(
                stream.node_id, stream.fingerprint, version, stream.times
            )
        except CertificateExpired:
            raise
        except NodeRefused as error:
            self._refused.add(stream.fingerprint, error, asyncio.get_running_loop().time())
            raise
        stream.has = hello.applied_generation, hello.applied_hash
        # One whose client has gone meanwhile would stay here for ever: its handler has cleaned up already.
        if stream.outgoing.ending or not self._register(stream):
            return
        await stream.outgoing.answer(_welcome(stream.generation))
        # Whatever was changed between the opening and the registering was told to nobody.
        look = await self._steering.look([stream.node_id])
        self._follow(stream, look.nodes[stream.node_id])

    async def _turn(self, stream: _Stream) -> bool:
        """Wait until the node is let in; False when it is told to come back, or has gone.

        Who was refused a moment ago, or waits already, takes no turn of others. Raises NodeRefused.
        """
        now_s, fingerprint = asyncio.get_running_loop().time(), stream.fingerprint
        self._refused.check(fingerprint, now_s)
        come_back_ms = RETRY_BUSY_MS
        if fingerprint not in self._in_line:
            turn = self._admissions.ask(now_s)
            come_back_ms = round(turn.come_back_s * 1000)
            if not come_back_ms:
                await self._wait(fingerprint, turn.wait_s)
        if come_back_ms:
            self._metrics.refused.labels("admission").inc()
            self._end(stream, sync_pb2.GOODBYE_REASON_BUSY, come_back_ms)
        return not stream.outgoing.ending

    async def _wait(self, fingerprint: bytes, wait_s: float) -> None:
        self._in_line.add(fingerprint)
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._in_line.discard(fingerprint)

    async def _beat(self, stream: _Stream, beat: sync_pb2.Heartbeat) -> None:
        rows, oldest_s = frames.count(beat.outbox_rows), frames.count(beat.outbox_oldest_seconds)
        percent, free = min(beat.queue_percent, 100), frames.disk_free(beat)
        self._intake.beat(
            stream.node_id, stream.generation, percent, rows, oldest_s, frames.fallbacks(beat), free
        )
        ack = sync_pb2.HeartbeatAck(number=beat.number)
        await stream.outgoing.answer(sync_pb2.ConnectResponse(heartbeat_ack=ack))

    async def _serve_upload(
        self,
        stream: _Stream,
        upload: OutboxUpload,
        opening: sync_pb2.UploadOpen,
        requests: AsyncIterator[uploads.Frame],
        context: uploads.Context,
    ) -> None:
        self._uploads += 1
        try:
            if not await upload.serve(opening, requests, context):
                look = await self._steering.look([stream.node_id])
                self._follow(stream, look.nodes[stream.node_id])
        except PosternError as error:
            self._refuse(stream, error)
            await self._write_down(stream.node_id, error)
        except Exception:
            # As in `_read`: the connection has gone, or a bug must not take other nodes with it.
            if not stream.outgoing.ending:
                log.exception("upload failed", extra={"node": stream.node_id})
                self._end(stream, sync_pb2.GOODBYE_REASON_BUSY, RETRY_BUSY_MS)
        finally:
            upload.end()
            self._uploads -= 1

    def _credit(self) -> Credit:
        return grant(self._uploads)

    # --- the streams together ---

    def _follow(self, stream: _Stream, wanted: Wanted) -> None:
        """Tell a stream what is wanted of its node, or that it may not go on."""
        if wanted.revoked:
            self._end(stream, sync_pb2.GOODBYE_REASON_REVOKED, RETRY_FAULT_MS)
        elif wanted.stream_generation > stream.generation:
            self._end(stream, sync_pb2.GOODBYE_REASON_REPLACED, RETRY_FAULT_MS)
        else:
            _tell(stream, wanted.desired)

    def _register(self, stream: _Stream) -> bool:
        """Make this the node's stream and end its older one; False when a newer one is already there."""
        other = self._streams.get(stream.node_id)
        if other is not None and other.generation > stream.generation:
            self._end(stream, sync_pb2.GOODBYE_REASON_REPLACED, RETRY_FAULT_MS)
            return False
        self._streams[stream.node_id] = stream
        self._presence.connected(stream.node_id, stream.generation)
        self._metrics.streams.set(len(self._streams))
        if other is not None:
            self._end(other, sync_pb2.GOODBYE_REASON_REPLACED, RETRY_FAULT_MS)
        log.info("node connected", extra={"node": stream.node_id, "generation": stream.generation})
        return True

    def _forget(self, stream: _Stream) -> None:
        if self._streams.get(stream.node_id) is stream:
            del self._streams[stream.node_id]
            self._metrics.streams.set(len(self._streams))
            log.info("node disconnected", extra={"node": stream.node_id, "generation": stream.generation})
        self._presence.disconnected(stream.node_id, stream.generation)

    def _refuse(self, stream: _Stream, error: PosternError) -> None:
        reason, retry_ms = _goodbye_for(error)
        self._metrics.refused.labels(error.code).inc()
        log.warning(
            "stream refused", extra={"node": stream.node_id, "code": error.code, "detail": error.detail}
        )
        self._end(stream, reason, retry_ms)

    async def _write_down(self, node_id: str, error: PosternError) -> None:
        """A refusal as a row of audit; that the database is away is no refusal, and cannot be written down."""
        try:
            if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._intake.refused(node_id, error.code)
        except PosternError as failure:
            log.error("a refusal could not be written down", extra={"code": failure.code})

    def _end(self, stream: _Stream, reason: sync_pb2.GoodbyeReason, retry_ms: int) -> None:
        stream.outgoing.end(reason, retry_ms)
        # A node that does not read would keep the handler in `write` for ever.
        timer = asyncio.get_running_loop().call_later(GOODBYE_GRACE_S, stream.handler.cancel)
        stream.handler.add_done_callback(lambda _: timer.cancel())


class _Silence:
    """Ends a stream on which nothing arrives for SILENCE_MAX_S, without cancelling its read."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._loop = asyncio.get_running_loop()
        self._timer = self._armed()

    def _armed(self) -> asyncio.TimerHandle:
        return self._loop.call_later(
            SILENCE_MAX_S, self._outgoing.end, sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR, RETRY_SOON_MS
        )

    def broken(self) -> None:
        self._timer.cancel()
        self._timer = self._armed()

    def stop(self) -> None:
        self._timer.cancel()


def _tell(stream: _Stream, desired: DesiredRow | None) -> None:
    """Never an older one after a newer: two looks at the database may end in either order."""
    if desired is None or desired.generation < stream.told:
        return
    stream.told = desired.generation
    if stream.has != (desired.generation, desired.hash):
        stream.has = desired.generation, desired.hash
        stream.outgoing.want(frames.desired_frame(desired))


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _cut_later(handler: asyncio.Task[None]) -> None:
    """A node that does not read its acknowledgements would keep an upload's handler in `write` for ever."""
    timer = asyncio.get_running_loop().call_later(GOODBYE_GRACE_S, handler.cancel)
    handler.add_done_callback(lambda _: timer.cancel())


def _welcome(generation: int) -> sync_pb2.ConnectResponse:
    welcome = sync_pb2.Welcome(
        stream_generation=generation,
        heartbeat_interval_ms=int(HEARTBEAT_INTERVAL.total_seconds() * 1000),
    )
    return sync_pb2.ConnectResponse(welcome=welcome)


def _goodbye_for(error: PosternError) -> tuple[sync_pb2.GoodbyeReason, int]:
    if isinstance(error, CertificateExpired):
        return sync_pb2.GOODBYE_REASON_BUSY, RETRY_SOON_MS  # TLS says it then, and the node proves its key
    if isinstance(error, NodeRefused):
        return sync_pb2.GOODBYE_REASON_REVOKED, RETRY_FAULT_MS
    if isinstance(error, ProtocolFault):
        return sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR, RETRY_FAULT_MS
    return sync_pb2.GOODBYE_REASON_BUSY, RETRY_BUSY_MS
