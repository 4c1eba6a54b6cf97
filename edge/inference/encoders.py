"""The worker's encoders: opened when the node asks, each connection's passes in a thread of its own, one by one.

A generation has its own thread (`generation_queue`), and passes do not go through the event loop: neither waits behind
the other but for the device itself, and a pass costs two changes of thread, in the kernel's hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from core.local_socket import BadFrame, frame, receive_frame
from edge.inference.loss import reason_of
from edge.inference.watchdog import HUNG, Watchdog
from models.errors import ModelError, RuntimeUnavailable
from models.runtimes.port import Floats, Ids, Runtime
from postern.v1 import worker_pb2 as pb

log = logging.getLogger(__name__)

T = TypeVar("T")

PASSES_MAX: Final = 16
"""At a time: one of each connection."""

OPEN_MAX: Final = 2
"""Encoders in memory: the one that serves, and the one that is about to."""

OPEN_S_MAX: Final = 300.0
"""TensorRT builds its engine for minutes, the first time; past it the process is ended."""

PASS_GRACE_S: Final = 5.0
"""Past a pass's deadline the process is ended: the node has moved on, and a driver that resets its device takes 2 s."""

CELLS_MAX: Final = 32_768
"""Rows x tokens of one pass: half a frame of ids and mask. The node's own passes hold some hundred."""

SEND_S_MAX: Final = 5.0
"""For one part: past it the client is cut off. It reads, or has left, within a second."""

PART_BYTES: Final = 1 << 19
"""Of an answer in one frame: half of what a frame holds."""


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Which encoder, and on what. Empty precision, shapes: what suits the runtime; 0 threads: every core."""

    model: str
    runtime: str
    device: str
    precision: str = ""
    threads: int = 0
    shapes: str = ""


class Refused(Exception):
    """What is answered instead of a pass: `code` and a detail without customer text."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail

    def answer(self, number: int) -> pb.WorkerResponse:
        """As it goes over the wire."""
        refused = pb.EncodeRefused(id=number, code=self.code, detail=self.detail)
        return pb.WorkerResponse(encode_refused=refused)


class Encoders:
    """What is open in this process. Use from one event loop."""

    def __init__(
        self,
        open_encoder: Callable[[EncoderChoice], Runtime],
        watchdog: Watchdog,
        *,
        pass_grace_s: float = PASS_GRACE_S,
    ) -> None:
        self._open_encoder = open_encoder
        self._watchdog = watchdog
        self._pass_grace_s = pass_grace_s
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="open-encoder")
        self._opening = asyncio.Lock()
        self._open: dict[EncoderChoice, Runtime] = {}
        self._worked: set[EncoderChoice] = set()
        self._lines: set[socket.socket] = set()

    @property
    def newest(self) -> Runtime | None:
        """The encoder that was opened last, if it is still open."""
        return next(reversed(self._open.values()), None)

    async def open(self, choice: EncoderChoice) -> Runtime:
        """Open this one, unless it is open. Raises Refused."""
        async with self._opening:
            if choice in self._open:
                return self._open[choice]
            while len(self._open) >= OPEN_MAX:
                self._drop(next(iter(self._open.values())))
            try:
                runtime = await self._loop.run_in_executor(self._thread, self._open_now, choice)
            except Exception as error:
                self._end_if_broken(choice)
                raise _refused(error) from error
            self._open[choice] = runtime
            self._worked.add(choice)
            log.info("encoder opened", extra={"runtime": runtime.name, "device": runtime.device})
            return runtime

    def serve(self, line: socket.socket, runtime: Runtime, opened: pb.WorkerResponse) -> None:
        """Answer `opened`, then this connection's passes until it ends. Raises Refused, and cuts it, at PASSES_MAX."""
        if len(self._lines) >= PASSES_MAX:
            line.close()
            raise Refused("queue_full", f"{PASSES_MAX} connections ask for passes.")
        self._lines.add(line)
        threading.Thread(
            target=self._passes, args=(line, runtime, opened), name="encoder", daemon=True
        ).start()

    def close(self) -> None:
        """Free everything; passes under way end by themselves."""
        for line in list(self._lines):
            _cut(line)
        for runtime in list(self._open.values()):
            self._drop(runtime)
        self._thread.shutdown(wait=False)

    def _open_now(self, choice: EncoderChoice) -> Runtime:
        with self._watchdog.limit("open", OPEN_S_MAX, locks=True):
            runtime = self._open_encoder(choice)
        if runtime.device != choice.device:
            runtime.close()
            raise RuntimeUnavailable(f"{choice.device} does not start here.")
        return runtime

    def _passes(self, line: socket.socket, runtime: Runtime, opened: pb.WorkerResponse) -> None:
        """The thread of one connection."""
        try:
            _send(line, [opened])
            while True:
                request = receive_frame(line, pb.WorkerRequest, None)
                _send(line, self._pass(runtime, request.encode))
        except (OSError, BadFrame) as error:  # it left, or does not read, or speaks another language
            log.debug("encoder connection ended", extra={"error": type(error).__name__})
        finally:
            line.close()
            self._in_loop(self._lines.discard, line)

    def _pass(self, runtime: Runtime, wanted: pb.Encode) -> Iterable[pb.WorkerResponse]:
        """One pass: its answer, or a refusal."""
        try:
            ids, mask = _batch(wanted)
            with self._watchdog.limit("encode", wanted.deadline_ms / 1000 + self._pass_grace_s):
                found = runtime.run(ids, mask, want_states=wanted.want_states)
        except Refused as refused:
            return [refused.answer(wanted.id)]
        except Exception as error:
            # A device that failed once may fail for good: the next opening shows.
            log.warning("encoder failed", extra={"device": runtime.device, "error": type(error).__name__})
            self._in_loop(self._drop, runtime)
            return [_refused(error).answer(wanted.id)]
        return _answer(wanted.id, *found)

    def _drop(self, runtime: Runtime) -> None:
        for choice, each in list(self._open.items()):
            if each is runtime:
                del self._open[choice]
                self._thread.submit(runtime.close)

    def _in_loop(self, work: Callable[[T], object], argument: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: so is everything else
            self._loop.call_soon_threadsafe(work, argument)

    def _end_if_broken(self, choice: EncoderChoice) -> None:
        """A device that worked in this process and does not any more: a driver's state may be the process's own."""
        if choice in self._worked:
            log.critical("a device is lost: this process ends", extra={"device": choice.device})
            os._exit(HUNG)


def _batch(wanted: pb.Encode) -> tuple[Ids, Ids]:
    """Raises Refused."""
    shape = (wanted.rows, wanted.tokens)
    cells = wanted.rows * wanted.tokens
    expected = cells * np.dtype(np.int64).itemsize
    if not 0 < cells <= CELLS_MAX or not wanted.deadline_ms:
        raise Refused(
            "bad_request", f"A pass of {wanted.rows} rows and {wanted.tokens} tokens is not served."
        )
    if len(wanted.input_ids) != expected or len(wanted.attention_mask) != expected:
        raise Refused("bad_request", "Ids or mask are not of the size that was given.")
    ids, mask = (
        np.frombuffer(each, "<i8").reshape(shape) for each in (wanted.input_ids, wanted.attention_mask)
    )
    return ids, mask


def _answer(number: int, embedding: Floats, states: Floats | None) -> Iterator[pb.WorkerResponse]:
    data = embedding.astype("<f4", copy=False).tobytes()
    if states is not None:
        data += states.astype("<f4", copy=False).tobytes()
    first = pb.Encoded(id=number, dim=embedding.shape[1], data=data[:PART_BYTES])
    yield pb.WorkerResponse(encoded=first)
    for start in range(PART_BYTES, len(data), PART_BYTES):
        part = pb.EncodedPart(id=number, data=data[start : start + PART_BYTES])
        yield pb.WorkerResponse(encoded_part=part)


def _send(line: socket.socket, responses: Iterable[pb.WorkerResponse]) -> None:
    """Raises OSError; TimeoutError when the client does not read."""
    line.settimeout(SEND_S_MAX)
    for response in responses:
        line.sendall(frame(response))


def _cut(line: socket.socket) -> None:
    """End a connection that another thread reads from."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _refused(error: Exception) -> Refused:
    detail = error.detail if isinstance(error, ModelError) else type(error).__name__
    return Refused(reason_of(error), detail)
