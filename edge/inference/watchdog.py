"""Ends this process when a native call outlives its limit, or when its event loop stands still.

A native call that hangs cannot be ended from outside its process, and one that holds Python's lock stops every thread
of it. So the event loop winds up a timer of `faulthandler`, whose thread needs no lock, again and again: while all is
well it never goes off. Whoever supervises the process starts it afresh, and is told at each beat that the loop lives:
a process that was stopped runs no timer.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Final

from core.signs_of_life import say_alive

log = logging.getLogger(__name__)

BEAT_S: Final = 1.0
"""Between two looks: a hung process is ended that much late at most. Costs 0.1 ms of one core a second."""

STALL_S: Final = 10.0
"""The event loop may stand still that long: loading libraries takes a second or two, on a bad day."""

SILENCE_S: Final = 5.0
"""Past the timer's end the supervisor may kill this process: it ends by itself where it still can, and says why."""

HUNG: Final = 70
"""Exit status (EX_SOFTWARE of sysexits.h); the timer's own is 1."""


class Watchdog:
    """Native calls of this process and until when each may last. `limit` may be used from any thread."""

    def __init__(self, *, beat_s: float = BEAT_S, stall_s: float = STALL_S) -> None:
        self._beat_s = beat_s
        self._stall_s = stall_s
        self._numbers = count()
        self._ends: dict[int, tuple[str, float]] = {}
        self._locked_until: dict[int, float] = {}
        self._arming = threading.Lock()
        self._watches = False

    @contextmanager
    def limit(self, what: str, seconds: float, *, locks: bool = False) -> Iterator[None]:
        """The block is a native call that may last so long; `locks`: and hold Python's lock as long, as openings do."""
        number, end = next(self._numbers), monotonic() + seconds
        self._ends[number] = (what, end)
        if locks:
            self._locked_until[number] = end
            self._arm()  # the loop may not come to winding up the timer
        try:
            yield
        finally:
            del self._ends[number]
            if self._locked_until.pop(number, None):
                self._arm()  # what was promised for the opening holds no longer

    async def run(self) -> None:
        """Watch until cancelled."""
        self._watches = True
        try:
            while True:
                self._look()
                self._arm()
                await asyncio.sleep(self._beat_s)
        finally:
            with self._arming:
                self._watches = False
                faulthandler.cancel_dump_traceback_later()

    def _look(self) -> None:
        now = monotonic()
        for what, end in list(self._ends.values()):
            if now > end:
                log.critical("a native call hangs: this process ends", extra={"call": what})
                os._exit(HUNG)

    def _arm(self) -> None:
        """Nothing is printed but names of functions and lines of code."""
        with self._arming:
            if not self._watches:
                return
            now = monotonic()
            last = max(list(self._locked_until.values()), default=now)
            seconds = self._stall_s + max(0.0, last - now)
            faulthandler.dump_traceback_later(seconds, exit=True)
            # In this order for the supervisor, too: an older, shorter promise must not come after a longer one.
            say_alive(seconds + SILENCE_S)
