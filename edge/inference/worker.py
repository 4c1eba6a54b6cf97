"""The body of the worker process: language model and accelerators behind a Unix socket. It opens no connection, ever.

Only users in `allowed_uids` may speak (the kernel says who they are). A connection may carry several generations; when
it ends, so do they. What is queued, loaded and run is the matter of `generation_queue` and of `encoders`; `watchdog`
ends the process when a native call hangs. Texts are never logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.local_socket import BadFrame, frame, peer_uid, read_frame
from edge.inference.encoders import PASS_GRACE_S, EncoderChoice, Encoders, Refused
from edge.inference.watchdog import STALL_S, Watchdog
from models.errors import RuntimeUnavailable
from models.generation_queue import (
    GRACE_S,
    WAITING_MAX,
    Done,
    End,
    GenerationQueue,
    Job,
    LineFull,
    State,
)
from models.runtimes.port import Message, Runtime, TextGenerator
from postern.v1 import worker_pb2 as pb

log = logging.getLogger(__name__)

SOCKET_MODE: Final = 0o660
"""Node and worker may be two users of one group; beyond that the kernel's credentials decide."""

UNREAD_BYTES_MAX: Final = 1 << 20
"""What a client may leave unread before it is cut off; a whole answer is a few kB."""

CONNECTIONS_MAX: Final = 16
"""The node needs one, and one more for each pass on an accelerator at a time; the rest is for `status` and `doctor`."""

NEW_TOKENS_MAX: Final = 1024
STOPS_MAX: Final = 4
"""As OpenAI's."""

DEADLINE_S_MAX: Final = 300.0
STOP_TIMEOUT_S: Final = 3.0

_ENDS: Final = {
    End.STOP: pb.GENERATION_END_STOP,
    End.LENGTH: pb.GENERATION_END_LENGTH,
    End.CANCELLED: pb.GENERATION_END_CANCELLED,
    End.DEADLINE: pb.GENERATION_END_DEADLINE,
}
_STATES: Final = {
    State.COLD: pb.LLM_STATE_COLD,
    State.LOADING: pb.LLM_STATE_LOADING,
    State.READY: pb.LLM_STATE_READY,
    State.FAILED: pb.LLM_STATE_FAILED,
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long past its deadline a native call may last before the process ends, and how long the event loop may stand
    still; other values are for tests."""

    pass_grace_s: float = PASS_GRACE_S
    generation_grace_s: float = GRACE_S
    stall_s: float = STALL_S


PATIENCE: Final = Patience()


def no_encoder(_: EncoderChoice) -> Runtime:
    """For a worker that has only a language model. Raises RuntimeUnavailable."""
    raise RuntimeUnavailable("This worker has no encoder.")


async def serve(
    socket_path: Path,
    open_model: Callable[[], TextGenerator],
    stop: asyncio.Event,
    *,
    open_encoder: Callable[[EncoderChoice], Runtime] = no_encoder,
    open_named: Callable[[str], TextGenerator] | None = None,
    allowed_uids: Collection[int] | None = None,
    model_name: str = "",
    preload: bool = False,
    waiting_max: int = WAITING_MAX,
    patience: Patience = PATIENCE,
) -> None:
    """Serve until `stop`; `allowed_uids` None is this process's own user. Raises OSError if it cannot bind.

    `open_encoder` opens a placement's encoder, warm, or raises ModelError. `open_named`: opens another language model
    by its name in the catalogue, to take the place of the one that serves.
    """
    uids = frozenset({os.getuid()} if allowed_uids is None else allowed_uids)
    watchdog = Watchdog(stall_s=patience.stall_s)
    queue = GenerationQueue(
        open_model, waiting_max=waiting_max, limit=watchdog.limit, grace_s=patience.generation_grace_s
    )
    encoders = Encoders(open_encoder, watchdog, pass_grace_s=patience.pass_grace_s)
    worker = _Worker(queue, encoders, uids, model_name, open_named)
    server = await asyncio.start_unix_server(worker.connection, socket_path)
    socket_path.chmod(SOCKET_MODE)
    log.info("worker listens", extra={"model": model_name})
    generations = asyncio.create_task(queue.run(), name="generations")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    watching = asyncio.create_task(watchdog.run(), name="watchdog")
    side: set[asyncio.Task[object]] = {generations, stopping, watching}
    if preload:
        side.add(asyncio.create_task(worker.preload(), name="preload"))
    try:
        await asyncio.wait({generations, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if generations.done():
            generations.result()  # it never returns: this raises what ended it, and the supervisor starts afresh
    finally:
        server.close()
        queue.close()
        encoders.close()
        await worker.close()
        for task in side:
            task.cancel()
        await asyncio.wait(side, timeout=STOP_TIMEOUT_S)
        socket_path.unlink(missing_ok=True)


class _Worker:
    """Who is connected, and what they may ask."""

    def __init__(
        self,
        queue: GenerationQueue,
        encoders: Encoders,
        uids: frozenset[int],
        model_name: str,
        open_named: Callable[[str], TextGenerator] | None,
    ) -> None:
        self.queue = queue
        self.encoders = encoders
        self._open_named = open_named
        self._uids = uids
        self._model_name = model_name
        self._connections: set[asyncio.Task[None]] = set()

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from connect to end of stream."""
        task = asyncio.current_task()
        assert task is not None
        if peer_uid(writer) not in self._uids or len(self._connections) >= CONNECTIONS_MAX:
            log.warning("connection refused", extra={"connections": len(self._connections)})
            writer.transport.abort()
            return
        self._connections.add(task)
        client = _Client(self, writer)
        try:
            while (request := await read_frame(reader, pb.WorkerRequest)) is not None:
                client.handle(request)
        except BadFrame as error:
            log.warning("bad frame", extra={"code": error.code})
        finally:
            self._connections.discard(task)
            client.gone()
            writer.transport.abort()

    async def preload(self) -> None:
        """Load the model; a failure is in `health` and met again by the first generation."""
        with contextlib.suppress(PosternError):
            await self.queue.load()

    async def use(self, name: str) -> str:
        """Let another model serve; why not, or nothing. The old one serves on until then, and after a failure."""
        if self._open_named is None:
            return "This worker has one model only."
        try:
            await self.queue.replace(partial(self._open_named, name))
        except PosternError as error:
            log.warning("the model stays", extra={"wanted": name, "code": error.code})
            return error.detail
        self._model_name = name
        log.info("another model serves", extra={"model": name})
        return ""

    def health(self, number: int, refusal: str = "") -> pb.WorkerResponse:
        """What a health query is told; `refusal`: why a model that was asked for does not serve."""
        model, failure = self.queue.model, self.queue.failure
        encoder = self.encoders.newest
        return pb.WorkerResponse(
            worker_health=pb.WorkerHealth(
                state=_STATES[self.queue.state],
                model=self._model_name,
                runtime=model.name if model else "",
                device=model.device if model else "",
                waiting=self.queue.waiting,
                waiting_max=self.queue.waiting_max,
                detail=refusal or (failure.detail if failure else ""),
                pid=os.getpid(),
                id=number,
                encoder_runtime=encoder.name if encoder else "",
                encoder_device=encoder.device if encoder else "",
                fallback=model.fallback if model else "",
            )
        )

    async def close(self) -> None:
        """Cut every connection."""
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=STOP_TIMEOUT_S)


class _Client:
    """One connection's generations, until it is given to an encoder."""

    def __init__(self, worker: _Worker, writer: asyncio.StreamWriter) -> None:
        self._worker = worker
        self._writer = writer
        self._jobs: dict[int, Job] = {}
        self._waits: set[asyncio.Task[None]] = set()

    def handle(self, request: pb.WorkerRequest) -> None:
        """One request; its answers follow."""
        match request.WhichOneof("request"):
            case "generation":
                self._generate(request.generation)
            case "generation_cancel":
                if job := self._jobs.get(request.generation_cancel.id):
                    self._worker.queue.end(job, End.CANCELLED)
            case "preload":
                self._start(self._preload(request.preload.id, request.preload.model))
            case "health_query":
                self._send(self._worker.health(request.health_query.id))
            case "encoder_open":
                self._start(self._open_encoder(request.encoder_open))
            case _:
                pass  # a newer node's request: nothing to say

    def gone(self) -> None:
        """The client left: nobody reads on."""
        for job in list(self._jobs.values()):
            self._worker.queue.end(job, End.CANCELLED)
        for task in self._waits:
            task.cancel()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._waits.add(task)
        task.add_done_callback(self._waits.discard)

    async def _open_encoder(self, wanted: pb.EncoderOpen) -> None:
        """From here on the connection is the encoder's; the client waits for the answer before it asks more."""
        choice = EncoderChoice(
            wanted.model, wanted.runtime, wanted.device, wanted.precision, wanted.threads, wanted.shapes
        )
        encoders = self._worker.encoders
        try:
            runtime = await encoders.open(choice)
            opened = pb.EncoderOpened(id=wanted.id, runtime=runtime.name, device=runtime.device)
            line = self._writer.get_extra_info("socket").dup()
            self._writer.transport.abort()  # its descriptor; the connection lives on in ours
            encoders.serve(line, runtime, pb.WorkerResponse(encoder_opened=opened))
        except Refused as refused:
            self._send(refused.answer(wanted.id))

    def _generate(self, wanted: pb.Generation) -> None:
        job = _job(wanted, partial(self._tell, wanted.id))
        if job is None or wanted.id in self._jobs:
            self._refuse(wanted.id, "bad_request", "The generation is not well formed.", 0.0)
            return
        self._jobs[wanted.id] = job
        try:
            self._worker.queue.submit(job, min(wanted.deadline_ms / 1000, DEADLINE_S_MAX))
        except LineFull as error:
            del self._jobs[wanted.id]
            self._refuse(wanted.id, error.code, error.detail, error.retry_after_s or 0.0)

    def _tell(self, number: int, what: str | Done | PosternError) -> None:
        if isinstance(what, str):
            self._send(pb.WorkerResponse(generation_delta=pb.GenerationDelta(id=number, text=what)))
            return
        self._jobs.pop(number, None)
        if isinstance(what, PosternError):
            self._refuse(number, what.code, what.detail, 0.0)
            return
        done = pb.GenerationDone(
            id=number, end=_ENDS[what.end], prompt_tokens=what.prompt_tokens, new_tokens=what.new_tokens
        )
        self._send(pb.WorkerResponse(generation_done=done))

    def _refuse(self, number: int, code: str, detail: str, retry_after_s: float) -> None:
        refused = pb.GenerationRefused(
            id=number, code=code, detail=detail, retry_after_ms=round(retry_after_s * 1000)
        )
        self._send(pb.WorkerResponse(generation_refused=refused))

    async def _preload(self, number: int, model: str) -> None:
        refusal = ""
        if model:
            refusal = await self._worker.use(model)
        else:
            await self._worker.preload()
        self._send(self._worker.health(number, refusal))

    def _send(self, response: pb.WorkerResponse) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            log.warning("client cut off: it does not read")
            transport.abort()
            return
        self._writer.write(frame(response))


def _job(wanted: pb.Generation, say: Callable[[str | Done | PosternError], None]) -> Job | None:
    """The request as a job; None when it is not well formed."""
    messages: list[Message] = []
    for each in wanted.messages:
        match each.role:
            case "system" | "user" | "assistant" as role:
                messages.append(Message(role, each.content))
            case _:
                return None
    if "" in wanted.stops or len(wanted.stops) > STOPS_MAX:
        return None
    if not messages or not 1 <= wanted.max_new_tokens <= NEW_TOKENS_MAX or not wanted.deadline_ms:
        return None
    return Job(
        messages, wanted.max_new_tokens, say, tuple(wanted.stops), wanted.caller or None, wanted.program
    )
