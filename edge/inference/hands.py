"""Blocking calls that can be given up: a native call that hangs cannot be ended, so another thread makes it.

A thread whose caller has left goes on until its call returns; what that gives is dropped. Threads are daemons: a hung
one does not keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

IDLE_MAX: Final = 16
"""Threads kept for the next call: more than the node has lanes before one device."""


class _Call:
    """One call, from the caller's thread to a hand and back."""

    __slots__ = ("done", "error", "finished", "left", "result", "work")

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.done = threading.Lock()
        self.done.acquire()
        self.finished = self.left = False
        self.result: Any = None
        self.error: BaseException | None = None


class Hands:
    """Threads that call for others; as many as there are callers at once, and those that are stuck."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Call | None]] = []
        self._stuck = 0
        self._closed = False

    @property
    def stuck(self) -> int:
        """Calls that were given up and have not returned."""
        return self._stuck

    def call(self, work: Callable[[], T], deadline_s: float) -> T:
        """What `work` returns or raises. Raises TimeoutError past the deadline; the call itself goes on."""
        call = _Call(work)
        self._free_hand().put(call)
        if not call.done.acquire(timeout=deadline_s):
            with self._lock:
                if not call.finished:
                    call.left = True
                    self._stuck += 1
                    raise TimeoutError
        if call.error is not None:
            raise call.error
        return cast(T, call.result)

    def close(self) -> None:
        """Idle threads end now, the others after their call."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _free_hand(self) -> SimpleQueue[_Call | None]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        inbox: SimpleQueue[_Call | None] = SimpleQueue()
        threading.Thread(target=self._work, args=(inbox,), name=self._name, daemon=True).start()
        return inbox

    def _work(self, inbox: SimpleQueue[_Call | None]) -> None:
        while (call := inbox.get()) is not None:
            try:
                call.result = call.work()
            except BaseException as error:  # the caller's to raise, whatever it is
                call.error = error
            if not self._finish(call, inbox):
                return
            del call  # an idle thread holds no arrays

    def _finish(self, call: _Call, inbox: SimpleQueue[_Call | None]) -> bool:
        """Tell the caller; whether this thread stays for another call."""
        with self._lock:
            call.finished = True
            self._stuck -= call.left
            stays = not self._closed and len(self._idle) < IDLE_MAX
            if stays:
                self._idle.append(inbox)
        call.done.release()
        return stays
