"""What every bench shares: the machine in words, paired comparison, one JSON document on stdout.

Not a load generator and not an oracle; those belong to each bench. Shared machines lose time to others, so two sides
are compared only in short interleaved slices, and a ratio comes with its 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
# Vectors and sites that benches keep between runs, by content hash.
CACHE = REPOSITORY / "build" / "bench"

_T = TypeVar("_T")

# The contract's floor for a comparison.
PAIRS_MIN = 30
SLICE_S = 1.0
# Resamples of the bootstrap: the ends of the interval move by less than a hundredth between seeds.
RESAMPLES = 2_000
INTERVAL = 0.95
# A fixed seed: the same measurements give the same interval.
SEED = 20_260_101


class BenchRefused(Exception):
    """The bench cannot run; the message is a sentence that a person can act on."""


@dataclass(frozen=True)
class Ratio:
    """Median of paired ratios with its 95 % interval."""

    median: float
    low: float
    high: float
    pairs: int

    def judged(self, key: str) -> dict[str, float]:
        """`key`, `key_low` and `key_high`, as the contract names them."""
        return {
            key: round(self.median, 4),
            f"{key}_low": round(self.low, 4),
            f"{key}_high": round(self.high, 4),
        }


@dataclass
class Report:
    """The bench's document while it is being filled."""

    bench: str
    config: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    judged: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Parts without a figure, or with one that says little, and why: the document is written all the same."""

    def document(self) -> dict[str, Any]:
        return {
            "bench": self.bench,
            "machine": machine(),
            "config": self.config,
            "results": self.results,
            "judged": self.judged,
            **({"failed": self.failed} if self.failed else {}),
        }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "flags": sorted(_cpu_flags() & {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1min_at_end": round(os.getloadavg()[0], 2),
    }


def _cpu_name() -> str:
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cpu_flags() -> set[str]:
    for line in _cpuinfo():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def paired(
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    pairs: int = PAIRS_MIN,
    on_pair: Callable[[int, float], None] | None = None,
) -> Ratio:
    """Ratio ours ÷ theirs over interleaved slices; each callable runs one slice (about SLICE_S) and gives its rate.

    Which side goes first alternates, so that a drift of the machine favours neither.
    """
    ratios: list[float] = []
    for number in range(pairs):
        if number % 2:
            their_rate, our_rate = theirs(), ours()
        else:
            our_rate, their_rate = ours(), theirs()
        ratios.append(our_rate / their_rate)
        if on_pair:
            on_pair(number + 1, ratios[-1])
    return ratio_of(ratios)


def ratio_of(ratios: Sequence[float]) -> Ratio:
    """Median and 95 % interval (percentile bootstrap of the median) of ratios that were measured in pairs."""
    low, high = bootstrap(ratios, statistics.median)
    return Ratio(statistics.median(ratios), low, high, len(ratios))


def bootstrap(values: Sequence[_T], statistic: Callable[[Sequence[_T]], float]) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of a statistic."""
    chance = random.Random(SEED)
    found = sorted(statistic(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = (1 - INTERVAL) / 2
    return found[int(tail * RESAMPLES)], found[min(RESAMPLES - 1, int((1 - tail) * RESAMPLES))]


def share_interval(hits: int, of: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share (E. B. Wilson, 1927)."""
    z = 1.959964
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * ((share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5)
    return middle - half, middle + half


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile; `percent` from 0 to 100."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered)) - 1))]


def rss_mb(pids: Sequence[int]) -> float:
    """Resident memory of the processes together, MB (10^6 bytes); shared pages count once for each."""
    return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 1e6


def data_file(*parts: str) -> Path:
    """A file of the development data: under $POSTERN_DATA, else in ../shared/data beside the checkout.

    Raises BenchRefused, naming every place where it looked.
    """
    roots = [Path(os.environ["POSTERN_DATA"])] if os.environ.get("POSTERN_DATA") else []
    roots.append(REPOSITORY.parent / "shared" / "data")
    tried = [root.joinpath(*parts) for root in roots]
    for path in tried:
        if path.is_file():
            return path
    places = " and ".join(str(path) for path in tried)
    raise BenchRefused(
        f"The data for this bench is missing. Looked at {places}. Set POSTERN_DATA to its folder."
    )


def progress(text: str) -> None:
    """One line on stderr, with the time."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def arguments(bench: str, seconds: float) -> argparse.ArgumentParser:
    """The options that every bench takes; `seconds` is the default of how long it measures."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{bench}")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument(
        "--seconds", type=float, default=seconds, help="time for measuring, set-up not included"
    )
    return parser


def run(parser: argparse.ArgumentParser, bench: Callable[[argparse.Namespace], Report]) -> int:
    """Run a bench and write its document: exit status 0, or 1 with a sentence on stderr; 1 also where a part failed."""
    options = parser.parse_args()
    try:
        document = bench(options).document()
    except BenchRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    sys.stdout.write(json.dumps(document, indent=None if options.json else 2, sort_keys=False) + "\n")
    for part, reason in document.get("failed", {}).items():
        sys.stderr.write(f"{part} failed: {reason}\n")
    return 1 if "failed" in document else 0


def as_table(judged: Mapping[str, Any]) -> str:
    """`judged` as lines for a person."""
    width = max((len(key) for key in judged), default=0)
    return "\n".join(f"{key:<{width}}  {value}" for key, value in judged.items())
