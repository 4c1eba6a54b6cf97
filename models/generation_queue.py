"""One lane before a language model: generations wait in line, run one at a time in a thread, and end exactly once.

Customers' answers go before programs' own generations, and within each the callers take turns (`fairness`).

Knows neither sockets nor protobuf. Everything but the model runs in the event loop; the model's thread only hands
text over. A native call cannot be interrupted, so a deadline or a cancel answers the caller at once and stops the
model at its next token.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from bisect import insort
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from core.errors import PosternError
from models.fairness import Shares
from models.runtimes.port import Finish, GenerationResult, Message, TextGenerator
from models.runtimes.swappable import SwappableGenerator
from models.stops import BeforeStop

log = logging.getLogger(__name__)

WAITING_MAX: Final = 16
"""One caller alone has half of them: an answer of the small model takes seconds on two cores, and a ninth in line would
wait past every deadline. The other half is for those who come beside a crowd, and go before most of it."""

LOAD_S_MAX: Final = 600.0
"""A model of 8 B parameters from a slow disk: 5 GB at 30 MB/s take three minutes."""

GRACE_S: Final = 15.0
"""Past a generation's deadline the model is taken to hang. It stops at its next token, and the first one comes only
when the whole prompt is read: some 2,000 tokens, which a large model reads for ten seconds on a small processor."""


class Limit(Protocol):
    """See `Watchdog.limit`."""

    def __call__(self, what: str, seconds: float, *, locks: bool = False) -> AbstractContextManager[None]: ...


_SECONDS_GUESS: Final = 5.0
"""Of one generation, until one was timed."""

_WEIGHT_OF_NEWEST: Final = 0.3
"""In the running mean of a generation's seconds: remembers about the last three."""


def _no_limit(what: str, seconds: float, *, locks: bool = False) -> AbstractContextManager[None]:
    return nullcontext()


class LineFull(PosternError):
    """More generations wait than the worker takes on."""

    code = "queue_full"
    title = "The language model is very busy"
    remedy = "Try again after the time given, or answer without it."
    status = 503

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("More answers are being written than can be finished in time.")
        self.retry_after_s = retry_after_s


class End(Enum):
    """Why a generation ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


_ENDS: Final[dict[Finish, End]] = {"stop": End.STOP, "length": End.LENGTH, "stopped": End.CANCELLED}


class State(Enum):
    """The model's."""

    COLD = "cold"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Done:
    """The last thing said about a generation."""

    end: End
    prompt_tokens: int = 0
    new_tokens: int = 0


@dataclass(eq=False)
class Job:
    """One generation. `say` gets pieces of text, then one Done or one error; both in the event loop."""

    messages: Sequence[Message]
    max_new_tokens: int
    say: Callable[[str | Done | PosternError], None]
    stops: Sequence[str] = ()
    caller: str | None = None
    """Who takes turns with others; None: nobody else's."""
    program: bool = False
    """Not for a customer: it waits behind every one of them."""
    place: tuple[bool, float, int] = (False, 0.0, 0)
    """In line: the class, the start in virtual time (a generation is its unit), the number."""
    ended: bool = False
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def tell(self, what: str | Done | PosternError) -> None:
        """Pass on, unless it has ended; Done and errors end it."""
        if self.ended:
            return
        if not isinstance(what, str):
            self.ended = True
            if self.timer is not None:
                self.timer.cancel()
        self.say(what)


class GenerationQueue:
    """Jobs in line before one model, which is opened when the first needs it."""

    def __init__(
        self,
        open_model: Callable[[], TextGenerator],
        *,
        waiting_max: int = WAITING_MAX,
        limit: Limit = _no_limit,
        grace_s: float = GRACE_S,
        thread: Executor | None = None,
    ) -> None:
        """`limit` is put around each call of the model, with what it is and the seconds it may last.

        `thread` makes the calls, one at a time; without one, a thread that the process waits for when it ends.
        """
        self.waiting_max = waiting_max
        self.state = State.COLD
        self.failure: PosternError | None = None
        self.model: SwappableGenerator | None = None
        self._open_model = open_model
        self._limit = limit
        self._grace_s = grace_s
        self._waiting: list[Job] = []
        self._shares = {program: Shares() for program in (False, True)}
        self._numbers = itertools.count()
        self._running: Job | None = None
        self._arrived = asyncio.Event()
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="model")
        self._loading: asyncio.Future[SwappableGenerator] | None = None
        self._seconds = _SECONDS_GUESS
        self._replacing = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """Jobs in line, the running one not counted."""
        return len(self._waiting)

    @property
    def wait_s(self) -> float:
        """Until a job that comes now would begin, as far as one can tell: nothing while none is before it."""
        return self._seconds * (len(self._waiting) + (self._running is not None))

    def submit(self, job: Job, deadline_s: float) -> None:
        """Put a job in line; the clock runs from now. Raises LineFull."""
        shares = self._shares[job.program]
        if not shares.has_room(job.caller, len(self._waiting), self.waiting_max):
            raise LineFull(self._seconds * (len(self._waiting) + 1) / 2)
        job.timer = asyncio.get_running_loop().call_later(deadline_s, self.end, job, End.DEADLINE)
        job.place = (job.program, shares.enter(job.caller, 1.0), next(self._numbers))
        insort(self._waiting, job, key=_place)
        self._arrived.set()

    def end(self, job: Job, why: End) -> None:
        """End a job now; if it runs, its model stops at the next token."""
        job.tell(Done(why))
        if job in self._waiting:
            self._waiting.remove(job)
            self._shares[job.program].leave(job.caller)

    async def load(self) -> TextGenerator:
        """The model, opened at the first call. A failure is kept for `health`, and tried again at the next call.

        Raises PosternError.
        """
        if self.model is not None:
            return self.model
        if self._loading is None:
            self.state = State.LOADING
            self._loading = asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        loading = self._loading
        try:
            self.model = await asyncio.shield(loading)
        except PosternError as error:
            self.state, self.failure = State.FAILED, error
            raise
        else:
            self.state, self.failure = State.READY, None
            return self.model
        finally:
            if loading.done():
                self._loading = None

    async def replace(self, open_model: Callable[[], TextGenerator]) -> None:
        """Let another model serve from the next job on. What runs ends on the old one, which is closed after it.

        Raises what opening the new one raises: the old one then serves on, and nobody noticed.
        """
        async with self._replacing:
            new = await asyncio.to_thread(self._opened, open_model)
            self._open_model = open_model
            if self._loading is not None:
                with contextlib.suppress(PosternError):
                    await self.load()
            if self.model is not None:
                await asyncio.to_thread(self.model.swap(new))
            else:
                self.model = SwappableGenerator(new)
            self.state, self.failure = State.READY, None

    async def run(self) -> None:
        """Work until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if not self._waiting:
                self._arrived.clear()
                continue
            job = self._running = self._next()
            began = loop.time()
            try:
                await self._one(job)
            except PosternError as error:
                log.warning("generation failed", extra={"code": error.code})
                job.tell(error)
            finally:
                self._running = None
            self._seconds += _WEIGHT_OF_NEWEST * (loop.time() - began - self._seconds)

    def close(self) -> None:
        """End everything; the thread ends at the model's next token."""
        for job in (*self._waiting, *([self._running] if self._running else [])):
            self.end(job, End.CANCELLED)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> Job:
        """The first in line, taken out of it."""
        job = self._waiting.pop(0)
        shares = self._shares[job.program]
        shares.serve(job.place[1])
        shares.leave(job.caller)
        return job

    def _load(self) -> SwappableGenerator:
        return SwappableGenerator(self._opened(self._open_model))

    def _opened(self, open_model: Callable[[], TextGenerator]) -> TextGenerator:
        with self._limit("load", LOAD_S_MAX, locks=True):
            return open_model()

    async def _one(self, job: Job) -> None:
        model = await self.load()
        if job.ended:
            return
        loop = asyncio.get_running_loop()
        text_before = BeforeStop(job.stops)

        def on_text(text: str) -> bool:
            if shown := text_before.feed(text):
                loop.call_soon_threadsafe(job.tell, shown)
            return job.ended or text_before.found

        left_s = job.timer.when() - loop.time() if job.timer else 0.0

        def generate() -> GenerationResult:
            with self._limit("generate", left_s + self._grace_s):
                return model.generate(job.messages, max_new_tokens=job.max_new_tokens, on_text=on_text)

        result = await loop.run_in_executor(self._thread, generate)
        if rest := text_before.rest():
            job.tell(rest)
        end = End.STOP if text_before.found else _ENDS[result.finish]
        job.tell(Done(end, result.prompt_tokens, result.new_tokens))


def _place(job: Job) -> tuple[bool, float, int]:
    return job.place
