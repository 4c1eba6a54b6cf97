"""The egress ledger: leaves made durable, how fast a verifier that knows nothing of us reads them, what it misses.

The exports are made by `tests/ledger_exports.py`, apart from the product. `verify_1e6_s` is the wall time of a process
of its own on one core. What is tampered with, and why each bit counts, is in `ledger_tampers.py`. Power cuts, and kills
of a process that writes leaves alone, are in `ledger_crashes.py`; kills of a courier at work in `ledger_kills.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.egress import verify
from tests import ledger_exports as exports
from tests import small_disk
from tests.bench import harness, ledger_append, ledger_crashes, ledger_kills, ledger_tampers
from tests.bench.ledger_tampers import Tamper

# Of appending; the rest takes as long as it takes.
SECONDS = 20.0
LEAVES = 1_000_000
TAMPERED_LEAVES = 10_000
CRASH_POINTS, KILLS = 2_000, 50
# Power cuts of one recorded run, which is then made anew with another seed; envelopes of a run.
POINTS_EACH, CRASH_ENVELOPES = 250, 400
# Whole runs of the verifier with one bit turned: so many places of each file, its first and last bytes beside them.
PLACES = 2


def main() -> int:
    """Run the bench."""
    parser = harness.arguments("ledger", SECONDS)
    parser.add_argument("--leaves", type=int, default=LEAVES, help="of the export that is verified")
    parser.add_argument(
        "--tampered", type=int, default=TAMPERED_LEAVES, help="leaves of the one tampered with"
    )
    parser.add_argument("--crash-points", type=int, default=CRASH_POINTS, help="power cuts that are replayed")
    parser.add_argument("--kills", type=int, default=KILLS, help="real ones of each")
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> harness.Report:
    """A large export against the clock, a small one against every change."""
    report = harness.Report("ledger", {"leaves": options.leaves, "tampered_leaves": options.tampered})
    # Beside the checkout, for a temporary folder may be in memory, where an fsync costs nothing.
    harness.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=harness.CACHE) as folder:
        harness.progress("appending")
        report.results["append"] = asyncio.run(ledger_append.append(Path(folder), options.seconds))
        report.results["fsync_floor_ms"] = ledger_append.fsync_floor_ms(Path(folder))
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        report.results["verify"] = _verify(Path(folder), options.leaves)
    report.results["crashes"] = _crashes(options.crash_points, options.kills)
    report.results["tampers"] = _tampers(options.tampered)
    crashes, kills = report.results["crashes"], _kills(options.kills, report)
    full = _kills_while_full(options.kills, report)
    report.judged = {
        "append_per_s": report.results["append"]["per_s"],
        "fsync_floor_ms": report.results["fsync_floor_ms"],
        "crash_points": crashes["replayed"],
        "kills": kills and kills.kills,
        "kills_under_way": kills and kills.under_way,
        # A ledger that does not hold after a crash shows nothing of what was sent: that counts too.
        "sent_unlogged": kills and kills.unlogged + full.unlogged + len(crashes["wrong"]),
        "lost": kills and kills.lost + full.lost,
        "cut_as_whole": kills and kills.cut_as_whole + full.cut_as_whole,
        "verify_1e6_s": report.results["verify"]["seconds"],
        "tampers": report.results["tampers"]["tried"],
        "tampers_missed": report.results["tampers"]["missed"],
    }
    return report


def _verify(folder: Path, leaves: int) -> dict[str, Any]:
    """Wall seconds on one core, and the most memory that the process had."""
    harness.progress(f"building an export of {leaves:,} leaves")
    exports.write(exports.export(exports.ordinary(leaves)), folder)
    harness.progress("verifying it on one core")
    core = min(os.sched_getaffinity(0))
    command = [sys.executable, "-I", verify.__file__, str(folder), "--log-key", exports.LOG_VKEY, "--json"]
    command = ["taskset", "-c", str(core), *command]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode or json.loads(done.stdout)["entries"] != leaves:
        raise harness.BenchRefused(f"The verifier ended with {done.returncode} on an export that is right.")
    return {
        "seconds": round(seconds, 2),
        "rss_mb": _peak_mb(command),
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }


def _peak_mb(command: list[str]) -> float:
    """The most memory of a second run, MB, seen by a small process: a child's peak includes its parent's."""
    watched = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
    watched += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", watched, *command], capture_output=True, check=True)
    return round(int(done.stdout) * 1024 / 1e6, 1)


def _crashes(points: int, kills: int) -> dict[str, Any]:
    """Recorded runs cut at many moments, and real kills."""
    found = ledger_crashes.Found()
    for run in range(-(-points // POINTS_EACH)):
        harness.progress(f"{found.replayed} power cuts, {len(found.wrong)} wrong")
        with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
            ledger_crashes.replay(Path(folder), CRASH_ENVELOPES, POINTS_EACH, harness.SEED + run, found)
    harness.progress(f"{found.replayed} power cuts, {len(found.wrong)} wrong; killing")
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        ledger_crashes.kill(Path(folder), kills, harness.SEED, found)
    return asdict(found)


def _kills(kills: int, report: harness.Report) -> ledger_kills.Found | None:
    """Of the courier at work. None where it failed: the other figures took long."""
    try:
        found = ledger_kills.run(kills)
    except Exception as error:
        traceback.print_exc()
        report.failed["kills"] = f"{type(error).__name__}: {error}"
        return None
    report.results["kills"] = found.told()
    if little := found.shows_little():
        report.failed["kills"] = little
    return found


def _kills_while_full(kills: int, report: harness.Report) -> ledger_kills.Found:
    """The same where its disk is really full. One that found nothing where that cannot be tried here."""
    if why_not := small_disk.missing():
        report.results["kills_while_full"] = {"not_tried": why_not}
        return ledger_kills.Found()
    try:
        found = ledger_kills.run_full(max(2, kills // ledger_kills.FULL_EVERY))
    except Exception as error:
        traceback.print_exc()
        report.failed["kills_while_full"] = f"{type(error).__name__}: {error}"
        return ledger_kills.Found()
    report.results["kills_while_full"] = found.told()
    return found


def _tampers(leaves: int) -> dict[str, Any]:
    """Every bit but those of tiles by its unit; samples of bits, and all the other ways, by whole runs."""
    entries = exports.ordinary(leaves)
    files = exports.export(entries, earlier=(leaves // 3, leaves // 2))
    if ledger_tampers.found_by_a_run(files):
        raise harness.BenchRefused("The verifier finds fault with an export that is right.")
    harness.progress(f"turning every bit of {sum(map(len, files.values())):,} bytes")
    units = ledger_tampers.Units(files)
    units.run()
    runs, missed = Counter[str](), Counter[str]()
    for kind, tampers, remembered in (
        ("bit", ledger_tampers.bits(files, PLACES), b""),
        ("truncation", ledger_tampers.truncations(files), b""),
        ("rewritten", ledger_tampers.rewritten(entries, files["checkpoint"]), b""),
        ("resigned", ledger_tampers.resigned(entries), files["checkpoint"]),
    ):
        harness.progress(f"whole runs: {kind}")
        _whole_runs(kind, tampers, remembered, runs, missed)
    return {
        "bits_by_unit": dict(units.turned),
        "bits_missed_by_unit": dict(units.missed),
        "bits_of_tiles_in_whole_runs_alone": units.not_turned,
        "whole_runs": dict(runs),
        "whole_runs_missed": dict(missed),
        "tried": units.turned.total() + runs.total(),
        "missed": units.missed.total() + missed.total(),
    }


def _whole_runs(
    kind: str, tampers: Iterable[Tamper], remembered: bytes, runs: Counter[str], missed: Counter[str]
) -> None:
    for name, files in tampers:
        runs[kind] += 1
        if not ledger_tampers.found_by_a_run(files, remembered):
            missed[kind] += 1
            harness.progress(f"missed: {name}")


if __name__ == "__main__":
    sys.exit(main())
