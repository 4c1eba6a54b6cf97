"""The node's side of the worker's socket: one connection, made when needed and made again when it broke.

`generate` yields text as it comes and raises a typed error when the answer cannot be finished; it never retries by
itself, because half an answer may already be on the customer's screen. Runs in one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, Literal

from core.errors import NotReachable, PosternError
from core.local_socket import BadFrame, frame, read_frame
from edge.inference.lane import Lane
from postern.v1 import worker_pb2 as pb

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 2.0
HEALTH_TIMEOUT_S: Final = 2.0
PRELOAD_TIMEOUT_S: Final = 660.0
"""More than the worker itself allows a model (`generation_queue.LOAD_S_MAX`): the worker ends the wait."""

DEADLINE_GRACE_S: Final = 2.0
"""The worker keeps the deadline; past this much more it is taken to hang."""

COOL_DOWN_S: Final = 1.0
"""After a failure `ready` is false this long: the supervisor restarts a dead worker within about a second."""


class WorkerUnreachable(NotReachable):
    """Nothing answers on the worker's socket."""

    code = "worker_unreachable"
    title = "The language model's process is not running"
    remedy = "It restarts by itself; if this lasts, look at the worker's log."


class WorkerDied(PosternError):
    """The connection broke while an answer was being written."""

    code = "worker_died"
    title = "The language model stopped in the middle of an answer"
    remedy = "Ask again; if it happens often, look at the worker's log and at the machine's memory."
    status = 503
    retry_after_s = COOL_DOWN_S


class WorkerBusy(PosternError):
    """The worker's line is full."""

    code = "worker_busy"
    title = "The language model is very busy"
    remedy = "Try again after the time in Retry-After."
    status = 503

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class GenerationTimedOut(PosternError):
    """The answer was not finished by its deadline."""

    code = "generation_timed_out"
    title = "The answer took too long"
    remedy = "Ask something shorter, or raise answer.generate_deadline_s."
    status = 504


class GenerationFailed(PosternError):
    """The worker refused or lost the generation; `reason` is its code."""

    code = "generation_failed"
    title = "The language model cannot answer this"
    remedy = "Run `postern doctor`."
    status = 502

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Health:
    """The worker, as it sees itself. `state`: cold, loading, ready, failed."""

    state: str
    model: str
    runtime: str
    device: str
    waiting: int
    waiting_max: int
    detail: str
    pid: int
    fallback: str = ""
    """Why the version before serves; empty while it does not."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A generation that came to its end. `finish`: by itself or at a stop, or at the most tokens."""

    finish: Literal["stop", "length"]
    prompt_tokens: int
    new_tokens: int


_Reply = pb.WorkerResponse | None
"""None: the connection broke."""


class _Connection:
    """One open connection; hands replies to whoever waits for them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.broken = False
        self._writer = writer
        self._replies: dict[int, asyncio.Queue[_Reply]] = {}
        self._task = asyncio.create_task(self._read(reader), name="worker replies")

    def open_line(self, number: int) -> asyncio.Queue[_Reply]:
        """Replies to that generation; at most one per token and one at the end, so it is bounded by the request."""
        line: asyncio.Queue[_Reply] = asyncio.Queue()
        self._replies[number] = line
        if self.broken:
            line.put_nowait(None)
        return line

    def close_line(self, number: int) -> None:
        """Later replies are dropped."""
        self._replies.pop(number, None)

    async def send(self, request: pb.WorkerRequest) -> None:
        """Write one request. A broken connection shows in the replies."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(frame(request))
            await self._writer.drain()

    async def close(self) -> None:
        """Cut it."""
        self._writer.transport.abort()
        self._task.cancel()
        await asyncio.wait([self._task], timeout=CONNECT_TIMEOUT_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (response := await read_frame(reader, pb.WorkerResponse)) is not None:
                self._dispatch(response)
        except BadFrame as error:
            log.warning("the worker sent no frame", extra={"code": error.code})
        finally:
            self._break()

    def _dispatch(self, response: pb.WorkerResponse) -> None:
        kind = response.WhichOneof("response")
        line = self._replies.get(getattr(response, kind).id) if kind is not None else None
        if line is not None:
            line.put_nowait(response)

    def _break(self) -> None:
        self.broken = True
        self._writer.transport.abort()
        for line in self._replies.values():
            line.put_nowait(None)


class WorkerClient:
    """Asks the worker. Any number of generations at once; the worker takes them in turn."""

    def __init__(self, socket_path: Path) -> None:
        self.model: str | None = None
        """The model's name, as the worker said it last; None before."""
        self.last_health: Health | None = None
        """What the worker said of itself; None before it is asked, and once it does not answer."""
        self._path = socket_path
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._failed_at = float("-inf")
        self._lane = Lane()
        self.heard_at = float("-inf")
        """When it wrote something last, for whomever; on the event loop's clock."""

    @property
    def first_text_s(self) -> float:
        """Predicted seconds until the first text of one more generation; 0 when none is ahead: that is always tried."""
        return self._lane.predicted_s(asyncio.get_running_loop().time())

    @property
    def ready(self) -> bool:
        """Whether a request would be tried: the socket is there, and nothing failed just now."""
        cooled = monotonic() - self._failed_at >= COOL_DOWN_S
        return cooled and self._path.exists()

    async def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_new_tokens: int,
        deadline_s: float,
        stops: Sequence[str] = (),
        caller: str = "",
        program: bool = False,
        on_end: Callable[[Ended], None] = lambda _: None,
    ) -> AsyncGenerator[str, None]:
        """Pieces of text as they come, to the model's own end, one of `stops` or `max_new_tokens`.

        `messages` are (role, text); `on_end` is told how it ended before the iterator does.
        `caller` takes turns with others, "" is nobody else's;
        `program`: behind every customer. Leaving the iterator early cancels the generation.
        Raises WorkerUnreachable, WorkerBusy, WorkerDied, GenerationTimedOut or GenerationFailed; after any of them
        the text so far is not a whole answer.
        """
        connection = await self._connected()
        number = next(self._numbers)
        line = connection.open_line(number)
        began = asyncio.get_running_loop().time()
        give_up_at = began + deadline_s + DEADLINE_GRACE_S
        ended, silent = False, True
        self._lane.join(number, began, program=program)
        try:
            request = _generation(number, messages, max_new_tokens, deadline_s, stops)
            request.generation.caller, request.generation.program = caller, program
            await connection.send(request)
            while not ended:
                # No `asyncio.timeout` around a yield: it would cancel whoever reads us, at their own work.
                left_s = give_up_at - asyncio.get_running_loop().time()
                found = self._understand(await asyncio.wait_for(line.get(), left_s))
                self.heard_at = asyncio.get_running_loop().time()
                text = found if isinstance(found, str) else ""
                if isinstance(found, Ended):
                    ended = True
                    on_end(found)
                if text and silent:
                    silent = False
                    self._lane.begin(number, self.heard_at)
                if text:
                    yield text
        except TimeoutError:
            self._failed()
            raise GenerationTimedOut("The worker gave no answer within the deadline.") from None
        except PosternError:
            ended = True  # the worker says so, or is gone
            raise
        finally:
            self._lane.leave(number, asyncio.get_running_loop().time(), reading=not ended)
            connection.close_line(number)
            if not ended and not connection.broken:
                cancel = pb.GenerationCancel(id=number)
                await connection.send(pb.WorkerRequest(generation_cancel=cancel))

    async def health(self) -> Health:
        """Raises WorkerUnreachable or WorkerDied."""
        number = next(self._numbers)
        request = pb.WorkerRequest(health_query=pb.HealthQuery(id=number))
        return await self._ask_health(number, request, HEALTH_TIMEOUT_S)

    async def preload(self) -> Health:
        """Have the model loaded now. Raises WorkerUnreachable or WorkerDied; a failed load is in the result."""
        number = next(self._numbers)
        request = pb.WorkerRequest(preload=pb.Preload(id=number))
        return await self._ask_health(number, request, PRELOAD_TIMEOUT_S)

    async def use(self, model: str) -> Health:
        """Have another model of the catalogue serve from the next generation on. No generation is refused for it.

        Raises WorkerUnreachable or WorkerDied, or GenerationFailed: the old one serves on.
        """
        number = next(self._numbers)
        request = pb.WorkerRequest(preload=pb.Preload(id=number, model=model))
        health = await self._ask_health(number, request, PRELOAD_TIMEOUT_S)
        if health.model != model:
            raise GenerationFailed("model_unusable", health.detail or "The worker kept its model.")
        return health

    async def close(self) -> None:
        """Cut the connection; what still runs raises WorkerDied."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def _understand(self, reply: _Reply) -> str | Ended:
        """More text, or the end. Raises what the reply says."""
        if reply is None:
            self._failed()
            raise WorkerDied
        match reply.WhichOneof("response"):
            case "generation_delta":
                return reply.generation_delta.text
            case "generation_refused":
                raise _refusal(reply.generation_refused)
            case _:
                return _ended(reply.generation_done)

    async def _ask_health(self, number: int, request: pb.WorkerRequest, timeout_s: float) -> Health:
        try:
            health = await self._asked_health(number, request, timeout_s)
        except PosternError:
            self.last_health = None
            raise
        self.last_health, self.model = health, health.model or None
        return health

    async def _asked_health(self, number: int, request: pb.WorkerRequest, timeout_s: float) -> Health:
        connection = await self._connected()
        line = connection.open_line(number)
        try:
            await connection.send(request)
            reply = await asyncio.wait_for(line.get(), timeout_s)
        except TimeoutError:
            raise WorkerUnreachable("The worker does not answer.") from None
        finally:
            connection.close_line(number)
        if reply is None:
            raise WorkerDied("The worker closed the connection.")
        return _health(reply.worker_health)

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.broken:
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        streams = await asyncio.open_unix_connection(self._path)
                except OSError as error:  # TimeoutError is one
                    self._failed()
                    raise WorkerUnreachable("Nothing answers on the worker's socket.") from error
                self._connection = _Connection(*streams)
            return self._connection

    def _failed(self) -> None:
        self.last_health = None
        self._failed_at = monotonic()


def _generation(
    number: int,
    messages: Sequence[tuple[str, str]],
    max_new_tokens: int,
    deadline_s: float,
    stops: Sequence[str],
) -> pb.WorkerRequest:
    chat = [pb.ChatMessage(role=role, content=content) for role, content in messages]
    return pb.WorkerRequest(
        generation=pb.Generation(
            id=number,
            messages=chat,
            max_new_tokens=max_new_tokens,
            deadline_ms=max(1, round(deadline_s * 1000)),
            stops=stops,
        )
    )


def _ended(done: pb.GenerationDone) -> Ended:
    """How it ended. Raises when the answer was cut off."""
    if done.end == pb.GENERATION_END_DEADLINE:
        raise GenerationTimedOut("The deadline passed before the answer was whole.")
    if done.end not in (pb.GENERATION_END_STOP, pb.GENERATION_END_LENGTH):
        raise WorkerDied("The worker ended the generation.")
    finish: Literal["stop", "length"] = "stop" if done.end == pb.GENERATION_END_STOP else "length"
    return Ended(finish, done.prompt_tokens, done.new_tokens)


def _refusal(refused: pb.GenerationRefused) -> PosternError:
    if refused.code == "queue_full":
        return WorkerBusy(refused.detail, refused.retry_after_ms / 1000)
    return GenerationFailed(refused.code, refused.detail)


def _health(found: pb.WorkerHealth) -> Health:
    return Health(
        state=pb.LlmState.Name(found.state).removeprefix("LLM_STATE_").lower(),
        model=found.model,
        runtime=found.runtime,
        device=found.device,
        waiting=found.waiting,
        waiting_max=found.waiting_max,
        detail=found.detail,
        pid=found.pid,
        fallback=found.fallback,
    )
