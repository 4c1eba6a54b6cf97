"""Sync: how fast a full outbox drains, and whether every row arrives once and in order while everything breaks.

Drain: rows through the node's store, guard, courier, mutual TLS and the control plane, on SQLite and on PostgreSQL.
Flapping: rows come while node, courier and control plane are killed in turn and the link between them, with latency
and loss, is cut. The judge is a log that the writer keeps of what it committed, against the control plane's tables.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import harness
from tests.bench.harness import BenchRefused, Report, progress
from tests.bench.sync_rig import Found, Rig, flap, line, rig
from tests.postgres import postgres_server, programs

DRAIN_ROWS = 200_000
FLAP_SECONDS = 300.0
# So that five minutes have 60 kills and more: a cold start of the control plane takes two to three seconds.
KILL_EVERY_S = 4.0
# However slowly they start: it goes on until there were so many.
KILLS_MIN = 60
RATE = 100
# Each way; a lost packet costs what TCP waits before it sends again.
DELAY_S = 0.02
LOSS = 0.01
FLOOR_BATCHES = 100
BATCH_ROWS = 256


async def drain(folder: Path, database: str, rows: int) -> dict[str, Any]:
    async with rig(folder, database) as made:
        await line(filling := await made.start_writer("--fill", str(rows)), "filled")
        await filling.wait()
        progress(f"{rows} rows wait")
        sending = await made.start_writer()
        await line(sending, "connected")
        began = time.monotonic()
        await line(sending, "drained")
        seconds = time.monotonic() - began
        found = await made.judge()
        return {"rows": rows, "seconds": round(seconds, 2), "rows_per_s": round(rows / seconds)} | vars(found)


async def flapping(folder: Path, seconds: float, kills_min: int) -> tuple[Found, Rig]:
    async with rig(folder, delay_s=DELAY_S, loss=LOSS) as made:
        # A fixed seed: the same order of kills.
        await flap(made, seconds, RATE, KILL_EVERY_S, random.Random(harness.SEED), kills_min)
        progress("all rows have gone up; compared with what was committed")
        return await made.judge(), made


def fsync_floor(folder: Path) -> dict[str, float]:
    """What any receiver pays that acknowledges a batch only once it is durable: its bytes, appended and synced."""
    took: list[float] = []
    with (folder / "floor").open("wb", buffering=0) as file:
        for _ in range(FLOOR_BATCHES):
            began = time.monotonic()
            file.write(bytes(BATCH_ROWS * 150))
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    median = statistics.median(took)
    return {"fsync_ms": round(median * 1000, 3), "rows_per_s_one_fsync_a_batch": round(BATCH_ROWS / median)}


async def measure(options: argparse.Namespace, folder: Path) -> Report:
    share = min(1.0, options.seconds / FLAP_SECONDS)
    rows = max(1000, round(DRAIN_ROWS * share / 1000) * 1000)
    report = Report("sync", {"rows": rows, "rate": RATE, "delay_s": DELAY_S, "loss": LOSS})
    report.results["fsync_floor"] = fsync_floor(folder)
    drains: dict[str, dict[str, Any]] = {}
    if not options.only_flapping:
        progress(f"draining {rows} rows into SQLite")
        drains["sqlite"] = await drain(folder / "sqlite", "", rows)
        if (installed := programs()) is None:
            raise BenchRefused("No PostgreSQL is installed. Install one, as docs/scale.md says.")
        progress(f"{drains['sqlite']['rows_per_s']} rows/s; draining {rows} rows into PostgreSQL")
        with postgres_server(installed, durable=True) as server:
            drains["postgres"] = await drain(folder / "postgres", server.new_database(), rows)
        progress(f"{drains['postgres']['rows_per_s']} rows/s")
    progress(f"flapping for {options.seconds:.0f} s")
    found, made = await flapping(folder / "flapping", options.seconds, max(3, round(KILLS_MIN * share)))
    report.results |= {"drain": drains, "flapping": vars(found) | {"kills": dict(made.kills)}}
    judged = [*drains.values(), vars(found)]
    report.judged = {
        **{f"drain_rows_per_s_{name}": drained["rows_per_s"] for name, drained in drains.items()},
        "drain_rows_per_s": min((drained["rows_per_s"] for drained in drains.values()), default=None),
        "floor_rows_per_s": report.results["fsync_floor"]["rows_per_s_one_fsync_a_batch"],
        **{key: sum(part[key] for part in judged) for key in ("lost", "doubled", "misordered")},
        "kills": sum(made.kills.values()),
    }
    return report


def bench(options: argparse.Namespace) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="postern-sync-"))
    try:
        return asyncio.run(measure(options, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = harness.arguments("sync", FLAP_SECONDS)
    parser.add_argument("--only-flapping", action="store_true", help="no drains: for the soak")
    sys.exit(harness.run(parser, bench))
