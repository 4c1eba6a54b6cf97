"""What is still to be sent on one stream: a goodbye first, then the newest desired state, then answers in order.

Bounded: a node that does not read its answers is not read either. Desired state never queues; only the newest counts.
"""

from __future__ import annotations

import asyncio
from collections import deque

from postern.v1 import sync_pb2

# Answers waiting for a slow link; the reader stops there, and the node's own flow control holds it back.
ANSWERS_MAX = 16


class Outgoing:
    """The mailbox between whoever has something to say and the one task that writes."""

    def __init__(self) -> None:
        self._answers: deque[sync_pb2.ConnectResponse] = deque()
        self._desired: sync_pb2.ConnectResponse | None = None
        self._goodbye: sync_pb2.ConnectResponse | None = None
        self._closed = False
        self._ready = asyncio.Event()
        self._space = asyncio.Event()

    @property
    def ending(self) -> bool:
        """Whether a goodbye is on its way or the stream is closed."""
        return self._closed or self._goodbye is not None

    async def answer(self, frame: sync_pb2.ConnectResponse) -> None:
        """Send an answer, waiting for room."""
        while len(self._answers) >= ANSWERS_MAX and not self.ending:
            self._space.clear()
            await self._space.wait()
        self._answers.append(frame)
        self._ready.set()

    def want(self, frame: sync_pb2.ConnectResponse) -> None:
        """Send desired state, instead of any that still waits."""
        self._desired = frame
        self._ready.set()

    def end(self, reason: sync_pb2.GoodbyeReason, retry_after_ms: int) -> None:
        """Say goodbye and send nothing after it. The first reason stands."""
        if not self.ending:
            goodbye = sync_pb2.Goodbye(reason=reason, retry_after_ms=retry_after_ms)
            self._goodbye = sync_pb2.ConnectResponse(goodbye=goodbye)
        self._wake_all()

    def close(self) -> None:
        """The node has ended the stream: nobody reads a goodbye."""
        self._closed = True
        self._wake_all()

    async def next(self) -> sync_pb2.ConnectResponse | None:
        """The next frame; None when the stream is closed."""
        while True:
            if self._closed:
                return None
            if self._goodbye is not None:
                return self._goodbye
            if self._desired is not None:
                frame, self._desired = self._desired, None
                return frame
            if self._answers:
                self._space.set()
                return self._answers.popleft()
            self._ready.clear()
            await self._ready.wait()

    def _wake_all(self) -> None:
        self._ready.set()
        self._space.set()
