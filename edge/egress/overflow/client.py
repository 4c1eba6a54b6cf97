"""The node's way to an answer of the control plane: sealed texts to the courier, pieces of the answer back.

A connection of its own beside the link's: an answer that streams holds up no row, and a batch no answer. Knows no
rules of when to ask; opens no network connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from core.errors import PosternError
from core.local_socket import BadFrame, read_frame, write_frame
from edge.egress.courier.client import COURIER_AWAY, envelope_message
from edge.egress.envelope import Envelope
from edge.egress.overflow.errors import (
    OverflowBusy,
    OverflowCut,
    OverflowDenied,
    OverflowLate,
    OverflowRefused,
    OverflowUnreachable,
)
from postern.v1 import courier_pb2 as wire
from postern.v1 import overflow_pb2

log = logging.getLogger(__name__)

RETRY_S_MIN: Final = 0.05
RETRY_S_MAX: Final = 2.0
"""A courier that was killed is back within a second or two: asked again soon, then less and less often."""

EVENTS_WAITING_MAX: Final = 4096
"""Of one answer: four times the tokens that one may have. Whoever reads slower than that has stopped reading."""

BUSY_RETRY_S: Final = 1.0
"""Where nobody said how long: an answer takes about so long, and then there is room."""

_FINISHES: Final = {
    overflow_pb2.OVERFLOW_FINISH_STOP: "stop",
    overflow_pb2.OVERFLOW_FINISH_LENGTH: "length",
}


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another provider writes the answer from its beginning; the text so far is not a whole answer."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole. `finish`: stop, or length (at max_new_tokens); `provider`: its name at the control plane."""

    finish: str
    provider: str
    prompt_tokens: int
    new_tokens: int


Reply = Text | Restarted | Ended
_Event = wire.OverflowEvent | wire.OverflowFailed


class OverflowClient:
    """Any number of answers at once; `run` keeps the connection."""

    def __init__(self, socket: Path) -> None:
        """`socket`: the courier's."""
        self.ready = False
        """Whether an order would be tried now."""
        self.reason = COURIER_AWAY
        """Why not: courier_away, not_enrolled, or as `OverflowEndpoint.reason`; empty while ready."""
        self._socket = socket
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0
        self._open: dict[int, asyncio.Queue[_Event]] = {}

    async def run(self) -> None:
        """Keep attached to the courier until cancelled."""
        wait_s = RETRY_S_MIN
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._socket)
                await self._read(reader)
            except OSError:
                pass  # nobody listens
            except BadFrame as error:
                log.error("the courier cannot be understood", extra={"detail": error.detail})
            finally:
                heard = self.reason != COURIER_AWAY
                self._let_go()
            wait_s = RETRY_S_MIN if heard else wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_S_MAX)

    async def generate(self, envelope: Envelope, *, deadline_s: float) -> AsyncGenerator[Reply, None]:
        """The answer as it comes, ending with one Ended; text before it is no whole answer.

        `deadline_s` counts from here and holds for everything. Closing the iterator ends the call. Raises
        OverflowUnreachable, -Busy, -Late, -Cut, -Denied or -Refused.
        """
        give_up_at = asyncio.get_running_loop().time() + deadline_s
        self._number += 1
        number = self._number
        events: asyncio.Queue[_Event] = asyncio.Queue(EVENTS_WAITING_MAX)
        self._open[number] = events
        order = wire.OverflowOrder(
            number=number, envelope=envelope_message(envelope), deadline_ms=max(1, round(1000 * deadline_s))
        )
        try:
            self._send(wire.NodeFrame(overflow_order=order))
            ended = False
            while not ended:
                reply = await _next_reply(events, give_up_at)
                ended = isinstance(reply, Ended)
                if ended:
                    self._open.pop(number, None)
                yield reply
        finally:
            if self._open.pop(number, None) is not None:
                self._cancel(number)

    def _send(self, frame: wire.NodeFrame) -> None:
        """Without waiting: the courier reads at once, and what is under way is bounded on its side."""
        if self._writer is None or self._writer.is_closing():
            raise OverflowUnreachable("The courier is away.")
        write_frame(self._writer, frame)

    def _cancel(self, number: int) -> None:
        with suppress(PosternError):  # a courier that is gone has nothing to end
            self._send(wire.NodeFrame(overflow_cancel=wire.OverflowCancel(number=number)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self._send(wire.NodeFrame(overflow_attach=wire.OverflowAttach()))
        while (frame := await read_frame(reader, wire.CourierFrame)) is not None:
            match frame.WhichOneof("frame"):
                case "overflow_state":
                    self.ready, self.reason = frame.overflow_state.ready, frame.overflow_state.reason
                case "overflow_event":
                    self._hand_over(frame.overflow_event)
                case "overflow_failed":
                    self._hand_over(frame.overflow_failed)
                case _:
                    pass  # of a newer courier

    def _hand_over(self, event: _Event) -> None:
        events = self._open.get(event.number)
        if events is None:
            return  # nobody reads it any more
        try:
            events.put_nowait(event)
        except asyncio.QueueFull:
            self._fail(event.number, events, "cut")
            self._cancel(event.number)

    def _let_go(self) -> None:
        """The courier has gone: what was under way is cut, as nobody will say how it went on."""
        self.ready, self.reason = False, COURIER_AWAY
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for number, events in tuple(self._open.items()):
            self._fail(number, events, "cut")

    def _fail(self, number: int, events: asyncio.Queue[_Event], code: str) -> None:
        self._open.pop(number, None)
        while events.full():
            events.get_nowait()
        events.put_nowait(wire.OverflowFailed(number=number, code=code))


async def _next_reply(events: asyncio.Queue[_Event], give_up_at: float) -> Reply:
    try:
        async with asyncio.timeout_at(give_up_at):
            event = await events.get()
    except TimeoutError:
        raise OverflowLate from None
    if isinstance(event, wire.OverflowFailed):
        raise _failure(event.code)
    return _reply(event.payload)


def _reply(payload: bytes) -> Reply:
    """A GenerateResponse as a value. Raises OverflowCut for what is none, and what a denial says."""
    try:
        response = overflow_pb2.GenerateResponse.FromString(payload)
    except DecodeError:
        raise OverflowCut("What came is no answer.") from None
    match response.WhichOneof("event"):
        case "delta":
            return Text(response.delta.text)
        case "restart":
            return Restarted()
        case "end":
            end = response.end
            if end.finish not in _FINISHES:
                raise OverflowCut("The answer ended for a reason that is not known.")
            return Ended(_FINISHES[end.finish], end.provider, end.prompt_tokens, end.new_tokens)
        case "denial":
            raise _denial(response.denial)
        case _:
            raise OverflowCut("What came is no answer.")


def _denial(denial: overflow_pb2.OverflowDenial) -> PosternError:
    after_s = denial.retry_after_ms / 1000 if denial.retry_after_ms else None
    match denial.code:
        case "busy":
            return OverflowBusy(after_s or BUSY_RETRY_S)
        case "late":
            return OverflowLate()
        case code:
            return OverflowDenied(code, denial.types, retry_after_s=after_s)


def _failure(code: str) -> PosternError:
    """The courier's word as an error."""
    match code:
        case (
            "unreachable"
            | "not_enrolled"
            | "proxy_unreachable"
            | "proxy_login"
            | "proxy_refused"
            | "proxy_tls"
        ):
            return OverflowUnreachable(f"No answer: {code}.")
        case "busy":
            return OverflowBusy(BUSY_RETRY_S)
        case "late":
            return OverflowLate()
        case "cut":
            return OverflowCut()
        case _:
            return OverflowRefused(code)
