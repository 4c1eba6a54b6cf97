"""OverflowService: parses what a node asks, has it answered, serialises. Who it is comes from TLS only.

Light where nobody writes answers: what does is imported by the composition root, if the settings say so.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol, cast

import grpc

from cloud_sync.fleet.admission import NodeRefused
from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.rpc.callers import caller_of
from core.errors import PosternError
from core.identity import InvalidCertificate
from postern.v1 import overflow_pb2, overflow_pb2_grpc

if TYPE_CHECKING:
    from cloud_sync.overflow.answering import Event, Request
    from cloud_sync.overflow.provider import Role

log = logging.getLogger(__name__)

# As the proto has them.
MESSAGES_MAX: Final = 16
NEW_TOKENS_MAX: Final = 1024
PIECES_MAX: Final = 64
# Of all texts together: 16,000 tokens, more than the contexts of models that answer within seconds.
TEXT_BYTES_MAX: Final = 64 * 1024
ROLES: Final = frozenset({"system", "user", "assistant"})
# Of an answer, whatever deadline the node gives: thrice what a node's own settings allow by default.
ANSWER_S_MAX: Final = 60.0
# Behind the deadline, for the denial that it was late.
WRITE_GRACE_S: Final = 1.0
# How long it is remembered that a node may ask; a revocation is heard of within a second (`refresh`).
ADMITTED_S: Final = 60.0
ADMITTED_NODES_MAX: Final = 10_000

_Response = overflow_pb2.GenerateResponse
Context = grpc.aio.ServicerContext[overflow_pb2.GenerateRequest, _Response]


class Answers(Protocol):
    """See `cloud_sync.overflow.answering.Answering.answer`."""

    def answer(self, node: str, request: Request, deadline_s: float) -> AsyncGenerator[Event, None]: ...


class BadRequest(PosternError):
    """What was asked is nothing, or more than a limit allows."""

    code = "overflow_bad_request"
    title = "The request cannot be answered"
    remedy = "Ask with fewer or shorter passages; a node of this release never asks for more."
    status = 400


class OverflowService(overflow_pb2_grpc.OverflowServiceServicer):
    """The wire side of `Answering`; without one, every request is told that it is not offered."""

    def __init__(self, intake: Intake, metrics: FleetMetrics, answers: Answers | None) -> None:
        self._intake = intake
        self._metrics = metrics
        self._answers = answers
        self._admitted: dict[tuple[str, bytes], float] = {}

    async def refresh(self) -> None:
        """Something changed about nodes: look at each again."""
        self._admitted.clear()

    async def Generate(self, request: overflow_pb2.GenerateRequest, context: Context) -> None:
        """One answer, streamed."""
        node = await self._identify(context)
        # At once: a node that waits in vain for the headers asks another replica.
        await context.send_initial_metadata(())
        if self._answers is None:
            await context.write(_denial("not_offered"))
            return
        try:
            asked = request_of(request)
        except BadRequest as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.detail)
        left_s = cast("float | None", context.time_remaining())  # None: no deadline
        deadline_s = ANSWER_S_MAX if left_s is None else min(left_s, ANSWER_S_MAX)
        try:
            # Around the writes as well: a node that does not read holds a place no longer than one that does.
            async with asyncio.timeout(deadline_s + WRITE_GRACE_S):
                async with aclosing(self._answers.answer(node, asked, deadline_s)) as events:
                    async for event in events:
                        await context.write(response_of(event))
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "The answer was not read in time.")

    async def _identify(self, context: Context) -> str:
        """The node, if it may ask. Ends the call otherwise."""
        node_id = ""
        try:
            caller = caller_of(context)
            node_id = caller.node_id
            await self._check_admitted(node_id, caller.fingerprint)
        except (InvalidCertificate, NodeRefused) as error:
            self._metrics.refused.labels(error.code).inc()
            await self._write_down(node_id, error)
            code = grpc.StatusCode.UNAUTHENTICATED
            code = code if isinstance(error, InvalidCertificate) else grpc.StatusCode.PERMISSION_DENIED
            await context.abort(code, error.detail)
        except PosternError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.title)
        return node_id

    async def _check_admitted(self, node_id: str, fingerprint: bytes) -> None:
        known, now = self._admitted, time.monotonic()
        if now < known.get((node_id, fingerprint), 0.0):
            return
        await self._intake.check_admitted(node_id, fingerprint)
        if len(known) >= ADMITTED_NODES_MAX:
            known.clear()
        known[node_id, fingerprint] = now + ADMITTED_S

    async def _write_down(self, node_id: str, error: PosternError) -> None:
        try:
            await self._intake.refused(node_id, error.code)
        except PosternError as failure:
            log.error("a refusal could not be written down", extra={"code": failure.code})


def request_of(message: overflow_pb2.GenerateRequest) -> Request:
    """What a node asks. Raises BadRequest."""
    from cloud_sync.overflow.answering import Piece, Request

    if not 0 < len(message.messages) <= MESSAGES_MAX:
        raise BadRequest(f"1 to {MESSAGES_MAX} messages are allowed.")
    if not 0 < message.max_new_tokens <= NEW_TOKENS_MAX:
        raise BadRequest(f"An answer has 1 to {NEW_TOKENS_MAX} tokens.")
    if any(one.role not in ROLES or not 0 < len(one.pieces) <= PIECES_MAX for one in message.messages):
        raise BadRequest(f"A message has a role and 1 to {PIECES_MAX} pieces.")
    texts = [piece.text for one in message.messages for piece in one.pieces]
    if not 0 < sum(len(text.encode()) for text in texts) <= TEXT_BYTES_MAX:
        raise BadRequest(f"All texts together have 1 to {TEXT_BYTES_MAX} bytes.")
    return Request(
        tuple(
            (cast("Role", one.role), tuple(Piece(piece.text, piece.published) for piece in one.pieces))
            for one in message.messages
        ),
        message.max_new_tokens,
        message.patience_ms / 1000 or math.inf,
    )


def response_of(event: Event) -> _Response:
    """As it goes to the node."""
    from cloud_sync.overflow.answering import Denial, End

    if isinstance(event, str):
        return _Response(delta=overflow_pb2.OverflowDelta(text=event))
    if isinstance(event, End):
        stop = event.finish == "stop"
        finish = overflow_pb2.OVERFLOW_FINISH_STOP if stop else overflow_pb2.OVERFLOW_FINISH_LENGTH
        end = overflow_pb2.OverflowEnd(
            finish=finish,
            provider=event.provider,
            prompt_tokens=event.prompt_tokens,
            new_tokens=event.new_tokens,
        )
        return _Response(end=end)
    if isinstance(event, Denial):
        return _denial(event.code, event.retry_after_s, event.types)
    return _Response(restart=overflow_pb2.OverflowRestart())


def _denial(code: str, retry_after_s: float = 0.0, types: tuple[str, ...] = ()) -> _Response:
    retry_ms = min(round(retry_after_s * 1000), 2**32 - 1)
    return _Response(denial=overflow_pb2.OverflowDenial(code=code, retry_after_ms=retry_ms, types=types))
