"""The embedded provider: a language model of the catalogue in this process, one answer at a time in a thread.

A native call cannot be interrupted. One that hangs keeps its thread and the model, and nothing else: callers get their
deadline, the next ones are refused at once until it returns, and the process ends without it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from cloud_sync.overflow.provider import HANGS, Asked, Provider, Written
from core.completions.asking import Deadlines
from core.completions.errors import LlmServerBusy, LlmServerCut, LlmServerFailed, LlmServerLate
from core.errors import PosternError
from models.daemon_thread import DaemonThread
from models.errors import PromptTooLong
from models.generation_queue import Done, End, GenerationQueue, Job, LineFull, State
from models.runtimes.port import Message, TextGenerator
from models.runtimes.shielded import Shielded, as_model_error

log = logging.getLogger(__name__)

LOAD_AFTER_S: Final = 15.0
"""After a start, unless somebody asks before: a model takes seconds of every core, and the fleet comes back first."""

LOAD_AGAIN_S: Final = 60.0
"""After a model could not be opened: a build that was forgotten is noticed, and the disk has peace."""


class Engine(Provider):
    """Greedy generation by `models.runtimes`."""

    rests_when_busy = False

    def __init__(self, name: str, open_model: Callable[[], TextGenerator]) -> None:
        super().__init__(name)
        self._calls = _Calls()
        self._queue = GenerationQueue(
            lambda: _shielded(open_model), limit=self._calls.limit, thread=DaemonThread("overflow")
        )

    @property
    def hangs(self) -> bool:
        """Whether a native call has outlived its limit."""
        return self._calls.overdue

    async def run(self) -> None:
        """Serve, and load the model before anybody asks. What is written when it is cancelled ends at once."""
        serving = asyncio.create_task(self._queue.run(), name=f"provider-{self.name}")
        try:
            await self._load()
            await serving
        finally:
            self._queue.close()  # first: a queue that does not run tells nobody
            serving.cancel()
            await asyncio.wait({serving})

    async def _load(self) -> None:
        await asyncio.sleep(LOAD_AFTER_S)
        while self._queue.state is not State.READY:
            try:
                await self._queue.load()
            except PosternError as error:
                log.error("a provider has no model", extra={"provider": self.name, "code": error.code})
                await asyncio.sleep(LOAD_AGAIN_S)

    async def _generate(self, asked: Asked, until: Deadlines) -> AsyncGenerator[str | Written, None]:
        if self.hangs:
            raise LlmServerFailed(HANGS)
        now = asyncio.get_running_loop().time()
        if now + self._queue.wait_s > until.first_by:
            raise LlmServerBusy(self._queue.wait_s)
        told: asyncio.Queue[str | Done | PosternError] = asyncio.Queue()  # bounded by max_new_tokens
        messages = [Message(role, text) for role, text in asked.messages]
        job = Job(messages, asked.max_new_tokens, told.put_nowait)
        try:
            self._queue.submit(job, until.give_up_at - now)
        except LineFull as error:
            raise LlmServerBusy(error.retry_after_s or LOAD_AGAIN_S) from None
        try:
            limit, wrote = until.first_by, False
            while isinstance(piece := await _by(told, limit), str):
                yield piece
                limit, wrote = until.next_by(asyncio.get_running_loop().time()), True
            yield _ended(piece, wrote=wrote)
        finally:
            self._queue.end(job, End.CANCELLED)

    async def close(self) -> None:
        self._queue.close()


def _shielded(open_model: Callable[[], TextGenerator]) -> TextGenerator:
    with as_model_error():
        return Shielded(open_model())


class _Calls:
    """Until when the native call of the thread should have returned."""

    def __init__(self) -> None:
        self._ends_s = float("inf")

    @contextmanager
    def limit(self, what: str, seconds: float, *, locks: bool = False) -> Iterator[None]:
        """See `models.generation_queue.Limit`."""
        self._ends_s = time.monotonic() + seconds
        try:
            yield
        finally:
            self._ends_s = float("inf")

    @property
    def overdue(self) -> bool:
        return time.monotonic() > self._ends_s


async def _by(told: asyncio.Queue[str | Done | PosternError], limit: float) -> str | Done | PosternError:
    """The next that is told. Raises LlmServerLate."""
    try:
        async with asyncio.timeout_at(limit):
            return await told.get()
    except TimeoutError:
        raise LlmServerLate from None


def _ended(last: Done | PosternError, *, wrote: bool) -> Written:
    """A whole answer. Raises the errors of `Provider.generate`."""
    if isinstance(last, PromptTooLong):
        raise last
    if isinstance(last, PosternError):
        raise LlmServerFailed(last.code)
    if last.end is End.DEADLINE:
        raise LlmServerLate
    if last.end is End.CANCELLED:
        raise LlmServerCut
    if not wrote:
        raise LlmServerFailed("empty")
    return Written("stop" if last.end is End.STOP else "length", last.prompt_tokens, last.new_tokens)
