"""One thread for native calls, which nobody can interrupt: a process that ends does not wait for it.

Libraries may: some wait for their own calls when they are unloaded. Who ends with `calls_left` leaves by `os._exit`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

_NAME: Final = "native-"

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThread(Executor):
    """Calls in order, one at a time. `concurrent.futures` waits at the process' end for a call that hangs; this not."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._ended = False
        self._began_s: float | None = None
        threading.Thread(target=self._work, name=_NAME + name, daemon=True).start()

    @property
    def waiting(self) -> int:
        """Calls in line, those that nobody waits for any more among them: they keep what they were given until then."""
        return self._calls.qsize()

    @property
    def running_s(self) -> float:
        """Seconds that the call in hand has taken; 0 while there is none."""
        began_s = self._began_s
        return 0.0 if began_s is None else time.monotonic() - began_s

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `Executor.submit`."""
        if self._ended:
            raise RuntimeError("The thread takes no more calls.")
        future: Future[T] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls. It never waits; what is in line is dropped with `cancel_futures`."""
        self._ended = True
        while cancel_futures and not self._calls.empty():
            with suppress(Empty):
                if waiting := self._calls.get_nowait():
                    waiting[0].cancel()
        self._calls.put(None)

    def _work(self) -> None:
        while one := self._calls.get():
            future, call = one
            if future.set_running_or_notify_cancel():
                self._began_s = time.monotonic()
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
                finally:
                    self._began_s = None


def calls_left() -> bool:
    """Whether a thread of these is still there, after each was shut down: a call has not returned."""
    return any(thread.name.startswith(_NAME) for thread in threading.enumerate())
