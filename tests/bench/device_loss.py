"""How long one pass takes when the device under it is lost, and what the watch over a device costs while it is not.

The device is the scripted one in a real worker process, the processor serves on: no model, so that the figure is the
moving alone. `python -m tests.bench.device_loss --json`
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from edge.inference.failover import PACE, FailoverRuntime, Placement
from models.placement import Shortfall
from models.runtimes.port import Runtime
from models.runtimes.scripted import ScriptedRuntime
from tests.bench.harness import Report, arguments, percentile, progress, run
from tests.contract.supervised_worker import DIM, Worker, supervised

ROUNDS = 5
"""Losses of each kind: each costs a restart of the worker, or a pause before the probe."""

IDS = np.arange(1000, 1128, dtype=np.int64).reshape(8, 16)
PASSES = 300
KINDS = ("error", "nan", "hang", "killed", "stopped")


def main(options: argparse.Namespace) -> Report:
    report = Report("device_loss", {"rounds": ROUNDS, "deadline_s_max": PACE.deadline_s_max})
    with tempfile.TemporaryDirectory() as folder, supervised(Path(folder)) as worker:
        report.results["added_us"] = _added(worker)
        worst = []
        for kind in KINDS:
            moved = [_move(worker, kind) for _ in range(ROUNDS)]
            progress(f"{kind}: a pass of {1000 * max(moved):.0f} ms at most")
            report.results[kind] = {"ms_median": 1000 * median(moved), "ms_max": 1000 * max(moved)}
            worst.append(max(moved))
    report.judged["moved_s_max"] = round(max(worst), 3)
    return report


def _move(worker: Worker, kind: str) -> float:
    """Seconds of the slowest pass from a healthy device to one that is lost and left."""
    served, left = threading.Event(), threading.Event()

    def on_change(loss: Shortfall | None) -> None:
        if loss is None:
            served.set()
        elif served.is_set():
            left.set()

    runtime = FailoverRuntime(_placements(worker), on_change=on_change)
    try:
        served.wait()
        _many(runtime)
        mended = _break(worker, kind)
        slowest = 0.0
        while not left.is_set():
            slowest = max(slowest, _seconds(runtime))
        mended()
        return slowest
    finally:
        runtime.close()


def _placements(worker: Worker) -> list[Placement]:
    return [Placement("GPU", worker.open), Placement("CPU", lambda: ScriptedRuntime(dim=DIM))]


def _break(worker: Worker, kind: str) -> Callable[[], object]:
    """Make the device fail; what is given back mends it."""
    pid = worker.health().pid
    match kind:
        case "killed":
            os.kill(pid, signal.SIGKILL)
            return lambda: None
        case "stopped":
            os.kill(pid, signal.SIGSTOP)
            return lambda: os.kill(pid, signal.SIGCONT)
        case "error" | "nan" | "hang":
            worker.met(kind)
    return lambda: worker.met("")


def _added(worker: Worker) -> dict[str, float]:
    """Microseconds that a pass takes longer, medians of interleaved calls: over the bare runtime."""
    served = threading.Event()
    bare: dict[str, Runtime] = {"processor": ScriptedRuntime(dim=DIM), "worker": worker.open()}
    runtimes: dict[str, Runtime] = {
        **bare,
        "processor, watched": FailoverRuntime([Placement("CPU", lambda: ScriptedRuntime(dim=DIM))]),
        "worker, watched": FailoverRuntime(
            _placements(worker), on_change=lambda loss: None if loss else served.set()
        ),
    }
    served.wait()
    took: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(PASSES):
        for name, runtime in runtimes.items():
            took[name].append(1e6 * _seconds(runtime))
    for runtime in runtimes.values():
        runtime.close()
    middle = {name: percentile(times, 50) for name, times in took.items()}
    return {
        "watch over the processor alone": round(middle["processor, watched"] - middle["processor"], 1),
        "watch over the worker": round(middle["worker, watched"] - middle["worker"], 1),
        "worker over processor": round(middle["worker"] - middle["processor"], 1),
    }


def _many(runtime: Runtime) -> None:
    for _ in range(20):
        _seconds(runtime)


def _seconds(runtime: Runtime) -> float:
    began = time.perf_counter()
    runtime.run(IDS, np.ones_like(IDS), want_states=False)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(run(arguments("device_loss", 30), main))
