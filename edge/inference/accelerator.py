"""An encoder on an accelerator, in the worker's process: a `Runtime` over its Unix socket. Blocking, from any thread.

A connection carries one pass at a time; there are as many as threads that ask at once. Nothing is asked twice: what
goes wrong is raised as PlacementFailed, and whoever placed the encoder decides where the pass goes (`failover`).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from queue import Empty, LifoQueue
from time import monotonic
from typing import Final

import numpy as np

from core.local_socket import BadFrame, frame, receive_frame, set_timeout
from edge.inference.encoders import CELLS_MAX, OPEN_S_MAX, EncoderChoice
from edge.inference.loss import PlacementFailed, known_reason
from models.errors import LayersMissing, RuntimeUnavailable
from models.runtimes.port import Floats, Ids, Layers, check_batch
from postern.v1 import worker_pb2 as pb

CALL_S_MAX: Final = 1.0
"""Of a call whose caller names no deadline: a pass takes some milliseconds on any accelerator."""

LINES_MAX: Final = 8
"""Connections to the worker, which takes 16: the node has fewer lanes before one device."""

DIM_MAX: Final = 8192
"""Of an embedding: no answer makes the node allocate more. Larger than any encoder's."""


class _Line:
    """One connection, with the encoder opened on it."""

    def __init__(self, path: Path, choice: EncoderChoice, gives_up_at: float) -> None:
        """Connect and open. Raises PlacementFailed, OSError or BadFrame."""
        self._numbers = count(1)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            set_timeout(self._socket, gives_up_at)
            self._socket.connect(str(path))
            opened = pb.EncoderOpen(
                id=next(self._numbers),
                model=choice.model,
                runtime=choice.runtime,
                device=choice.device,
                precision=choice.precision,
                threads=choice.threads,
                shapes=choice.shapes,
            )
            self._send(pb.WorkerRequest(encoder_open=opened), gives_up_at)
            reply = self._receive(gives_up_at).encoder_opened
            self.name, self.device = reply.runtime, reply.device
        except BaseException:
            self.close()
            raise

    def encode(
        self, ids: Ids, mask: Ids, want_states: bool, gives_up_at: float
    ) -> tuple[Floats, Floats | None]:
        """One pass. Raises as the constructor."""
        rows, tokens = ids.shape
        wanted = pb.Encode(
            id=next(self._numbers),
            rows=rows,
            tokens=tokens,
            input_ids=ids.astype("<i8", copy=False).tobytes(),
            attention_mask=mask.astype("<i8", copy=False).tobytes(),
            want_states=want_states,
            deadline_ms=max(1, round((gives_up_at - monotonic()) * 1000)),
        )
        self._send(pb.WorkerRequest(encode=wanted), gives_up_at)
        first = self._receive(gives_up_at).encoded
        dim = first.dim
        if not 0 < dim <= DIM_MAX:
            raise PlacementFailed("wrong", f"The worker's answer has {dim} dimensions.")
        numbers = rows * dim * (1 + tokens * want_states)
        found = self._gather(first.data, numbers, gives_up_at)
        states = found[rows * dim :].reshape(rows, tokens, dim) if want_states else None
        return found[: rows * dim].reshape(rows, dim), states

    def close(self) -> None:
        """Cut it."""
        self._socket.close()

    def _gather(self, data: bytes, numbers: int, gives_up_at: float) -> Floats:
        """float32 [numbers] from this part and those that follow. Raises PlacementFailed."""
        found = np.empty(numbers, np.float32)
        filled = found.view(np.uint8)
        start = 0
        while True:
            end = start + len(data)
            if not data or end > len(filled):
                raise PlacementFailed("wrong", "The worker's answer is not of the size asked for.")
            filled[start:end] = np.frombuffer(data, np.uint8)
            if end == len(filled):
                return found
            start, data = end, self._receive(gives_up_at).encoded_part.data

    def _send(self, request: pb.WorkerRequest, gives_up_at: float) -> None:
        set_timeout(self._socket, gives_up_at)
        self._socket.sendall(frame(request))

    def _receive(self, gives_up_at: float) -> pb.WorkerResponse:
        """The next answer. Raises PlacementFailed when it is a refusal."""
        response = receive_frame(self._socket, pb.WorkerResponse, gives_up_at)
        if response.HasField("encode_refused"):
            refused = response.encode_refused
            raise PlacementFailed(known_reason(refused.code), refused.detail)
        return response


class AcceleratorRuntime:
    """The encoder that the worker opened for us. `choice` says which, and on what."""

    shortfall = None

    def __init__(self, socket_path: Path, choice: EncoderChoice, *, call_s_max: float = CALL_S_MAX) -> None:
        """Have it opened, which may take minutes the first time. Raises PlacementFailed."""
        self._path = socket_path
        self._choice = choice
        self._call_s_max = call_s_max
        self._closed = False
        # Empty places are taken last: threads that follow each other share a connection.
        self._lines: LifoQueue[_Line | None] = LifoQueue()
        for _ in range(LINES_MAX - 1):
            self._lines.put_nowait(None)
        with _as_failures():
            line = _Line(socket_path, choice, monotonic() + OPEN_S_MAX)
        self.name, self.device = line.name, line.device
        self._lines.put_nowait(line)

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises RuntimeUnavailable, which is PlacementFailed unless the batch is no batch."""
        return self.run_within(self._call_s_max, input_ids, attention_mask, want_states=want_states)

    def run_within(
        self, seconds: float, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """As `run`, with a deadline of its own."""
        check_batch(input_ids, attention_mask)
        if input_ids.size > CELLS_MAX:
            raise RuntimeUnavailable(f"A pass of {input_ids.size} tokens is longer than {CELLS_MAX}.")
        gives_up_at = monotonic() + seconds
        line = self._take(seconds)
        kept: _Line | None = None
        try:
            with _as_failures():
                line = line or _Line(self._path, self._choice, gives_up_at)
                found = line.encode(input_ids, attention_mask, want_states, gives_up_at)
                kept = line
            return found
        finally:
            self._put_back(line, kept)

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        """Raises LayersMissing: six times the states would have to cross the socket."""
        raise LayersMissing("A device does not hand its layers over.")

    def close(self) -> None:
        """Cut the connections; the worker keeps the encoder for whoever asks next."""
        self._closed = True
        idle = []
        with contextlib.suppress(Empty):  # the rest is in use, and cut when it comes back
            while True:
                idle.append(self._lines.get_nowait())
        for line in idle:
            self._put_back(line, None)  # whoever waits is told

    def _take(self, seconds: float) -> _Line | None:
        """A free connection, or None for one that is yet to be made."""
        try:
            line = self._lines.get(timeout=seconds)
        except Empty:
            raise PlacementFailed("hang", "All connections to the worker wait for answers.") from None
        if self._closed:
            self._put_back(line, None)
            raise RuntimeUnavailable("The accelerator's encoder is closed.")
        return line

    def _put_back(self, line: _Line | None, kept: _Line | None) -> None:
        """A line that failed, or is not needed any more, is cut: its next bytes might be an old answer."""
        if line is not None and (kept is None or self._closed):
            line.close()
        self._lines.put_nowait(None if self._closed else kept)


@contextmanager
def _as_failures() -> Iterator[None]:
    """What goes wrong on a connection, as the way in which the placement fails."""
    try:
        yield
    except TimeoutError:
        raise PlacementFailed("hang", "The worker gave no answer in time.") from None
    except BadFrame as error:
        raise PlacementFailed("error", error.detail) from error
    except OSError as error:
        raise PlacementFailed("unreachable", "The worker's process is not there.") from error
