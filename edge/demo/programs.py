"""The demo's programs: kept running, awaited until ready, and, where the demo misbehaves, killed and held down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.errors import PosternError
from core.supervision import Child, Supervisor

READY_TIMEOUT_S = 60.0


class DemoFailed(PosternError):
    """A program of the demo did not start."""

    code = "demo_failed"
    title = "The demo could not start"
    remedy = "Read the lines above; another program may hold the port (--http, --cloud-http)."


class Program:
    """A supervised program whose ready event is awaited. `run` it as a task."""

    def __init__(self, name: str, command: Sequence[str], log: Path, stop: asyncio.Event) -> None:
        """`stop`: of the whole demo."""
        self._stop = stop
        self._ready: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._child = Child(name, command, self._on_line, log, on_start=self._on_start)
        self._pid = 0
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._held = asyncio.Event()

    async def run(self) -> None:
        """Keep it running until the demo stops; while it is held down, keep it from running.

        Raises StartedWrongly, and has the demo stop.
        """
        while not self._stop.is_set():
            await first_of(self._may_run, self._stop)
            self._held.clear()
            over = asyncio.Event()
            keeping = asyncio.ensure_future(Supervisor([self._child], over).run())
            ending = asyncio.ensure_future(first_of(self._held, self._stop))
            await asyncio.wait({keeping, ending}, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            over.set()
            try:
                await keeping
            except PosternError:
                self._stop.set()
                if self._ready.done():  # else whoever awaits it says so
                    raise

    async def ready(self) -> dict[str, str]:
        """Its ready event. Raises DemoFailed when it does not come, or the demo is stopped before it does."""
        stopping = asyncio.create_task(self._stop.wait(), name="stopping")
        both: set[asyncio.Future[Any]] = {self._ready, stopping}
        await asyncio.wait(both, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not self._ready.done():
            stopped = self._stop.is_set()
            self._stop.set()
            ended = (
                "ended before it was ready" if stopped else f"was not ready within {READY_TIMEOUT_S:.0f} s"
            )
            raise DemoFailed(
                f"The {self._child.name} {ended}.",
                remedy=f"Read the end of {self._child.log}. Where another program holds a port, choose others with "
                "--http and --cloud-http; a new demo also takes the two ports after --cloud-http.",
            )
        return self._ready.result()

    def kill(self) -> None:
        """SIGKILL it and every process that it started, and hold it down until `release`."""
        self._may_run.clear()
        self._held.set()
        self._ready = asyncio.get_running_loop().create_future()
        for pid in [self._pid, *_descendants(self._pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def release(self) -> None:
        """Let it run again; `ready` awaits its new life."""
        self._may_run.set()

    def _on_start(self, pid: int) -> None:
        self._pid = pid

    def _on_line(self, line: str) -> None:
        if self._ready.done():
            return
        try:
            event: Any = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict) and event.get("event") == "ready":
            self._ready.set_result(event)


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def free_port() -> int:
    """A TCP port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def call(command: Sequence[str]) -> str:
    """Run a command to its end; its standard output. Raises DemoFailed."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise DemoFailed(f"{' '.join(command[2:5])} ended with status {process.returncode}.")
    return output.decode()


def _descendants(pid: int) -> Iterator[int]:
    """Processes below one, the nearest first; from proc(5), which tells each process's parent."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything; state and parent come behind its last bracket.
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        children = [child for child, above in parents.items() if above == parent]
        found += children
        yield from children
