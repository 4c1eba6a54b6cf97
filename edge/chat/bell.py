"""Who waits for news of a conversation, and waking them: bounded, in memory, without content.

News itself is read from the store; a ring says only that there may be some. The boot clock times the streams.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.errors import PosternError

# A stream ends after this and is opened again where it was: no connection stays for ever, and a full node has room
# again in a foreseeable time.
STREAM_S = 300.0
# A page that lost its connection opens another while the node still holds the first; the oldest gives way.
STREAMS_PER_SESSION = 2


class TooManyStreams(PosternError):
    """The node holds as many open streams as it may."""

    code = "too_many_streams"
    title = "Too many pages are waiting for news"
    remedy = "Open the stream again after Retry-After; nothing is missed."
    status = 503

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


@dataclass(eq=False)
class Listener:
    """One open stream."""

    ends_s: float
    over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self._news.set()

    def end(self) -> None:
        self.over = True
        self.wake()

    async def wait(self, seconds: float) -> bool:
        """Until there may be news, at most so long; False when nothing rang."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True


class Bell:
    """The open streams of all conversations. Used from one event loop."""

    def __init__(self, streams_max: int, clock: Callable[[], float]) -> None:
        self._streams_max = streams_max
        self._clock = clock
        self._listeners: dict[str, list[Listener]] = {}
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._listeners.values()))

    @contextmanager
    def listen(self, session_id: str) -> Iterator[Listener]:
        """Wait for news of a conversation; the oldest of its streams ends when there are too many.

        Raises TooManyStreams.
        """
        mine = self._listeners.get(session_id, [])
        if len(mine) >= STREAMS_PER_SESSION:
            mine.pop(0).end()
        elif len(self) >= self._streams_max:
            frees_s = min(listener.ends_s for found in self._listeners.values() for listener in found)
            raise TooManyStreams(f"This node holds {self._streams_max} streams.", frees_s - self._clock())
        listener = Listener(self._clock() + STREAM_S, over=self._closed)
        self._listeners.setdefault(session_id, []).append(listener)
        try:
            yield listener
        finally:
            self._leave(session_id, listener)

    def ring(self, session_id: str) -> None:
        """There may be news of this conversation."""
        for listener in self._listeners.get(session_id, ()):
            listener.wake()

    def due(self, listener: Listener) -> bool:
        """Whether this stream has lived long enough."""
        return listener.ends_s <= self._clock()

    def close(self) -> None:
        """The node stops: every stream ends now."""
        self._closed = True
        for found in self._listeners.values():
            for listener in found:
                listener.end()

    def _leave(self, session_id: str, listener: Listener) -> None:
        found = self._listeners.get(session_id, [])
        if listener in found:
            found.remove(listener)
        if not found:
            self._listeners.pop(session_id, None)
