"""A detector by script, in a process of its own, which can really be killed and stopped, and can go mad."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import psutil

from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.spans import Span
from tests.unit.edge.egress.text.guard_rig import ScriptedScans


def find(texts: Sequence[str]) -> list[Finding]:
    """In the detector's process."""
    scans = ScriptedScans()
    return [scans.finding(text) for text in texts]


def nonsense(texts: Sequence[str]) -> list[Finding]:
    """In the detector's process, gone mad: each kind of garbage in turn."""
    return [_GARBAGE[sum(map(ord, text)) % len(_GARBAGE)](text) for text in texts]


_GARBAGE: list[Callable[[str], Any]] = [
    lambda text: Finding((Span("PERSON", 0, len(text) + 1, 0.9),), Label.PERSONAL, complete=True),
    lambda text: Finding((Span("PERSON", -1, 3, 0.9),), Label.PERSONAL, complete=True),
    lambda text: Finding((Span("PERSON", 0, 3, float("nan")),), Label.PERSONAL, complete=True),
    lambda text: Finding((Span("PERSON", 0, 5, 0.9), Span("AGE", 2, 7, 0.9)), Label.PERSONAL, complete=True),
    lambda text: Finding((Span("WHO", 0, 3, 0.9),), Label.PERSONAL, complete=True),
    lambda text: Finding((), Label.PUBLIC, complete=True),  # it lost the telephone number
    lambda text: None,
    lambda text: text,
]


class ProcessScans:
    """The rig's detector in a process of its own."""

    def __init__(self) -> None:
        self.find = find
        self.asked = asyncio.Event()
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))

    async def scan_all(self, texts: Sequence[str], *, deadline_s: float | None) -> Sequence[Finding]:
        answer = asyncio.get_running_loop().run_in_executor(self._pool, self.find, tuple(texts))
        self.asked.set()
        return await answer

    async def warm(self) -> None:
        """Wait until its process has started, which a busy machine takes ten seconds for."""
        await self.scan_all(["warm"], deadline_s=None)

    def signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            os.kill(process.pid, number)

    def replace(self) -> None:
        """Another process, as a supervisor starts one."""
        self.close()
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))

    def close(self) -> None:
        for process in self._processes():
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _processes(self) -> list[psutil.Process]:
        known = getattr(self._pool, "_processes", None) or {}
        return [psutil.Process(pid) for pid in known if psutil.pid_exists(pid)]
