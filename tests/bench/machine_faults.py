"""Faults by name: what is done to the processes of a node and of the control plane, and to what is between them.

Each is a context manager: while it is open the fault is there. Processes are killed and stopped by their ids; the disk
is full by a limit on the size of files; the clock and the disk's pace are changed by `faulty_machine.c` in the node's
processes, where there is a C compiler.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.link_proxy import LinkProxy
from tests.bench.spike_site import Cloud, Provider
from tests.running import RunningNode

SOURCE = Path(__file__).with_name("faulty_machine.c")
# Past the end of every term of the desk, so that everything that goes by the wall clock is over at once.
CLOCK_JUMP_S = 3 * 24 * 3600
# As of an old disk that is being copied from.
SYNC_MS = 300
# What the node's own files may have beyond this nobody can write: as a full disk says it.
FULL_BYTES = 1


class Machine:
    """The clock and the disk of the node's processes."""

    def __init__(self, folder: Path) -> None:
        self.available = shutil.which("cc") is not None
        self._told = folder / "machine"
        self._library = folder / "faulty_machine.so"
        self._tell(0, 0)
        if self.available:
            command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE), "-ldl"]
            subprocess.run(command, check=True)

    @contextmanager
    def loaded(self) -> Iterator[None]:
        """Processes that begin meanwhile run on this machine."""
        ours = {"LD_PRELOAD": str(self._library), "POSTERN_BENCH_MACHINE": str(self._told)}
        if self.available:
            os.environ.update(ours)
        try:
            yield
        finally:
            for name in ours:
                os.environ.pop(name, None)

    @contextmanager
    def wrong(self, *, clock_s: int = 0, sync_ms: int = 0) -> Iterator[None]:
        """The clock is off, syncs take longer."""
        self._tell(clock_s, sync_ms)
        try:
            yield
        finally:
            self._tell(0, 0)

    def _tell(self, clock_s: int, sync_ms: int) -> None:
        with self._told.open("r+b" if self._told.exists() else "wb") as file:
            file.write(struct.pack("qq", clock_s, sync_ms))


@dataclass(frozen=True)
class Rig:
    """What there is to break. `node`: the one of the two that faults happen to."""

    node: RunningNode
    cloud: Cloud
    provider: Provider
    link: LinkProxy
    machine: Machine


def faults(rig: Rig) -> dict[str, Callable[[], AbstractContextManager[None]]]:
    """All that can be done here, by name."""
    found: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "worker_kill": lambda: _killed(rig.node, "worker"),
        "worker_hang": lambda: _hung(rig.node.pid_of("worker")),
        "node_kill": lambda: _killed(rig.node, "node"),
        "node_hang": lambda: _hung(rig.node.pid_of("node")),
        "courier_kill": lambda: _killed(rig.node, "courier"),
        "cloud_kill": rig.cloud.down,
        "cloud_hang": lambda: _hung(rig.cloud.process.pid),
        "provider_500": lambda: rig.provider.fault("500"),
        "provider_slow": lambda: rig.provider.fault("slow"),
        "provider_cut": lambda: rig.provider.fault("cut"),
        "link_cut": rig.link.cut,
        "disk_full": lambda: _full(rig.node),
    }
    if rig.machine.available:
        found["clock_jump"] = lambda: rig.machine.wrong(clock_s=CLOCK_JUMP_S)
        found["slow_disk"] = lambda: rig.machine.wrong(sync_ms=SYNC_MS)
    return found


@contextmanager
def _killed(node: RunningNode, name: str) -> Iterator[None]:
    """Once, and again as soon as it has come back; the supervisor starts it after each."""
    for _ in range(2):
        with contextlib.suppress(LookupError, ProcessLookupError):
            node.kill(name)
        time.sleep(1.0)
    yield


@contextmanager
def _hung(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def _full(node: RunningNode) -> Iterator[None]:
    """Nothing of the node's can grow: files stay as long as they are."""
    process = psutil.Process(node.pid_of("node"))
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_FSIZE, before)
