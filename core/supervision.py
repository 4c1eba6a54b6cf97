"""Keeping child processes alive: start, watch, start again with growing pauses, stop all within a bound.

A child that ends is started again after a pause that doubles from PAUSE_FIRST_S to PAUSE_MAX_S and falls back once
the child has lived for STABLE_S, or all are to start again; one that was started wrongly (exit status 2) is not started
again, unless it is on trial. Stop is a request
first (SIGTERM), then SIGKILL. Children notice a supervisor that was killed by the end of their standard input. A child
that promised signs of life and gives none any more is killed, and started again like any other that ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import ExitCode, PosternError
from core.signs_of_life import NOTIFY_SOCKET, SignsOfLife

log = logging.getLogger(__name__)

PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 30.0
STABLE_S = 20.0
# The contract's clean stop is 10 s; a child gets most of it.
STOP_TIMEOUT_S = 8.0
# A child that waits for another's readiness starts all the same when that one is in trouble.
AFTER_TIMEOUT_S = 10.0
LINE_BYTES_MAX = 64 * 1024
# Between two looks at a child's signs of life.
LOOK_S = 1.0
SUPERVISED = "POSTERN_SUPERVISED"


@dataclass(frozen=True)
class Child:
    """A command to keep running.

    `on_line` gets each line of its standard output; its standard error goes to the end of `log`, or to ours. It is
    started when `after` is set, but no later than AFTER_TIMEOUT_S. `gives_signs`: it tells again and again that it
    lives (`core.signs_of_life`), and is killed when it does not. `on_start` gets the process id of each of its lives.
    `environment` is asked before each of them what differs from ours, and `on_trial` whether it may go wrong: exit
    status 2 is a crash like any other then.
    """

    name: str
    command: Sequence[str]
    on_line: Callable[[str], None] | None = None
    log: Path | None = None
    after: asyncio.Event | None = None
    gives_signs: bool = False
    on_start: Callable[[int], None] | None = None
    environment: Callable[[], Mapping[str, str]] | None = None
    on_trial: Callable[[], bool] | None = None


def next_pause_s(pause_s: float, lived_s: float) -> float:
    """The pause before the next start, from the pause before this one and how long the child lived."""
    return PAUSE_FIRST_S if lived_s >= STABLE_S else min(PAUSE_MAX_S, max(PAUSE_FIRST_S, pause_s * 2))


class StartedWrongly(PosternError):
    """A child ended with exit status 2: until a person changes something, starting it again changes nothing."""

    code = "started_wrongly"
    title = "A process cannot run with these settings"
    remedy = "Correct what the process named, then start again."
    exit_code = ExitCode.USAGE


class Supervisor:
    """Runs children until `stop` is set."""

    def __init__(self, children: Sequence[Child], stop: asyncio.Event) -> None:
        self._children = children
        self._stop = stop
        self._refused: str | None = None
        self._again = asyncio.Event()

    def restart(self) -> None:
        """Have every child end and start again, by its environment of then."""
        self._again.set()
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Returns when `stop` was set and every child has ended. Raises StartedWrongly."""
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(self._keep(child), name=f"supervise-{child.name}")
        if self._refused is not None:
            raise StartedWrongly(f"The {self._refused} cannot run as it is; it said why above.")

    async def _keep(self, child: Child) -> None:
        pause_s = 0.0
        if child.after is not None:
            await _first_of(child.after, self._stop, AFTER_TIMEOUT_S)
        while not self._stop.is_set():
            began, again = time.monotonic(), self._again
            on_trial = child.on_trial is not None and child.on_trial()
            code = await self._run_once(child, again)
            if self._stop.is_set():
                return
            if again.is_set():
                pause_s = 0.0
                continue
            if code == ExitCode.USAGE and not on_trial:
                self._refused = child.name
                self._stop.set()
                return
            pause_s = next_pause_s(pause_s, time.monotonic() - began)
            log.warning("process ended", extra={"child": child.name, "exit": code, "again_in_s": pause_s})
            await _first_of(again, self._stop, pause_s)
            if again.is_set():
                pause_s = 0.0

    async def _run_once(self, child: Child, again: asyncio.Event) -> int:
        """One life of a child, which ends when `again` is set: its exit status."""
        with SignsOfLife() if child.gives_signs else contextlib.nullcontext() as signs:
            return await self._live(child, signs, again)

    async def _live(self, child: Child, signs: SignsOfLife | None, again: asyncio.Event) -> int:
        heard = {} if signs is None else {NOTIFY_SOCKET: signs.address}
        given = child.environment() if child.environment else {}
        with _errors_of(child) as errors:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES_MAX,
                env={**os.environ, **given, SUPERVISED: "1", **heard},
            )
        if child.on_start is not None:
            child.on_start(process.pid)
        lines = asyncio.create_task(_read_lines(process, child.on_line), name=f"lines-{child.name}")
        ended = asyncio.create_task(process.wait(), name=f"wait-{child.name}")
        stopping = asyncio.create_task(self._stop.wait(), name=f"stop-{child.name}")
        leaving = asyncio.create_task(again.wait(), name=f"again-{child.name}")
        watching = asyncio.create_task(_watch(process, child, signs), name=f"watch-{child.name}")
        await asyncio.wait({ended, stopping, leaving}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        leaving.cancel()
        watching.cancel()
        if not ended.done():
            await _end(process, child.name)
        await lines
        return await ended


def _errors_of(child: Child) -> contextlib.AbstractContextManager[IO[bytes] | None]:
    return child.log.open("ab") if child.log else contextlib.nullcontext()


async def _watch(process: asyncio.subprocess.Process, child: Child, signs: SignsOfLife | None) -> None:
    """Kill the child when it has fallen silent; SIGKILL reaches also one that was stopped."""
    while signs is not None:
        await asyncio.sleep(LOOK_S)
        if signs.silent(process.pid, LOOK_S):
            log.error("process gives no sign of life: it is killed", extra={"child": child.name})
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return


async def _end(process: asyncio.subprocess.Process, name: str) -> None:
    """Ask the process to stop; after STOP_TIMEOUT_S make it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        log.error("process had to be killed", extra={"child": name})
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets; and, in a supervised child, the end of the supervisor."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if os.environ.get(SUPERVISED):
        _stop_when_orphaned(loop, stop)
    return stop


def _stop_when_orphaned(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The supervisor holds the other end of our standard input and never writes: readable means it is gone."""
    descriptor = sys.stdin.fileno()

    def gone() -> None:
        loop.remove_reader(descriptor)
        stop.set()

    loop.add_reader(descriptor, gone)


async def _read_lines(process: asyncio.subprocess.Process, on_line: Callable[[str], None] | None) -> None:
    assert process.stdout is not None
    while raw := await process.stdout.readline():
        if on_line is not None:
            on_line(raw.decode(errors="replace").rstrip("\n"))


async def _first_of(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in (one, other)]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
