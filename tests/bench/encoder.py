"""The encoder behind its scheduler, against the bare runtime and at three times its capacity.

In process, on ONNX Runtime's int8 file on both sides, tokenising counted on both: 64 callers against the bare runtime
in its best way (slices of a second alternate), one caller against a bare call (calls alternate), then programs and
stand-alone scans that arrive at three times what the scheduler can do. Beside it an idle node's CPU, and the memory of
ten minutes of texts of any length, in processes of their own; and its HTTP against a peer's (`encoder_http`).
Texts are unique and the cache is off.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import uvloop

from edge.config import site_paths
from edge.inference.embedding import Embeddings
from edge.inference.scheduler import Line, QueueFull, Scheduler
from edge.inference.waiting import Rules, Work, about_tokens
from edge.site_setup import create_site
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder
from tests.bench import harness
from tests.bench.bare import Bare, NeverEnding, fastest_bare
from tests.bench.chat import set_free_port, start_node
from tests.bench.encoder_http import http_over_peer
from tests.bench.encoder_load import closed_loop, mixed_texts, open_loop, sentences

CONCURRENCY = 64
SINGLE_CALLS = 600
WARM_CALLS = 60
WAITING_MAX = 4096
API_DEADLINE_S = 1.0
SCAN_DEADLINE_S = 0.05
OVERLOAD = 3.0
OVERLOAD_S = 30.0
# Stand-alone scans' part of the load, as a share of capacity: below the 30 % that they may have.
SCAN_LOAD = 0.25
SCAN_CALLERS = 16
IDLE_S = 20.0
# A node that has just started still measures its placement and reads its documents' sentences ahead; then it is idle.
SETTLE_S_MAX = 180.0
SETTLED_SHARE = 0.05
SETTLED_S = 5.0
# With the rest within ten minutes, as every bench by default; `--memory-seconds 600` for the figure of ten.
MEMORY_S = 150.0
MEMORY_CALLERS = 8
MEMORY_TOKENS_MAX = 512
# Resident memory is read each second; a window's median leaves out the peak of one batch.
WINDOW_S = 30


class Rig:
    """The scheduler with its classes, on the encoder that the bare side has too."""

    def __init__(self) -> None:
        self.encoder: Encoder = open_encoder(models_dir(), "onnxruntime")
        self.scheduler = Scheduler(_cores())
        self.api = Embeddings(
            self.scheduler, self.encoder, waiting_max=WAITING_MAX, wait_s_max=API_DEADLINE_S, keep_s=0
        )
        self.scans: Line[str, object] = self.scheduler.line(
            Work.SCAN,
            lambda texts: [*self.encoder.encode(texts).token_states],
            Rules(32, WAITING_MAX, API_DEADLINE_S, tokens_max=256, lanes=self.scheduler.lanes),
            tokens_of=about_tokens,
        )

    async def embed(self, text: str) -> object:
        """A program's text."""
        return await self.api.embed([text])

    async def embed_in_time(self, text: str) -> object:
        """A program's text, worthless after its deadline."""
        return await self.api.embed([text], deadline_s=API_DEADLINE_S)

    async def scan(self, text: str) -> object:
        """A stand-alone scan's pass of the encoder."""
        return await self.scans.submit(text, deadline_s=SCAN_DEADLINE_S)

    async def close(self) -> None:
        await self.scheduler.close()
        self.encoder.close()


def _cores() -> int:
    """Cores that this process may use."""
    return len(psutil.Process().cpu_affinity())


async def compare(rig: Rig, seconds: float, report: harness.Report) -> None:
    """`batched_over_bare`."""
    bare_texts, texts = NeverEnding(mixed_texts(1), "bare"), NeverEnding(mixed_texts(2), "ours")
    bare, batch, ways = fastest_bare(bare_texts)
    await closed_loop(rig.embed, texts, CONCURRENCY, 2.0)
    ratios, ours, theirs = [], [], []
    pairs = max(harness.PAIRS_MIN, int(seconds / (2 * harness.SLICE_S)))
    for pair in range(pairs):
        if pair % 2:
            theirs.append(bare.rate(bare_texts, batch, harness.SLICE_S))
        ours.append(await closed_loop(rig.embed, texts, CONCURRENCY, harness.SLICE_S))
        if not pair % 2:
            theirs.append(bare.rate(bare_texts, batch, harness.SLICE_S))
        ratios.append(ours[-1] / theirs[-1])
        if pair % 10 == 9:
            harness.progress(f"pair {pair + 1} of {pairs}: {ours[-1]:.0f} texts/s, bare {theirs[-1]:.0f}/s")
    report.config |= {
        "concurrency": CONCURRENCY,
        "pairs": pairs,
        "bare_batch": batch,
        "bare_lanes": bare.lanes,
    }
    report.results |= {
        "bare_per_s_by_way": ways,
        "texts_per_s": round(statistics.median(ours), 1),
        "bare_per_s": round(statistics.median(theirs), 1),
    }
    report.judged |= harness.ratio_of(ratios).judged("batched_over_bare")
    await single(rig, bare, texts, report)


async def single(rig: Rig, bare: Bare, texts: Iterator[str], report: harness.Report) -> None:
    """`added_p50_ms`: one caller minus the bare call on the same text, which of them first in turn.

    The bare side is one thread in its own best way for one text, with no event loop.
    """
    one = min((Bare(1), Bare(_cores())), key=lambda way: _one_call_s(way, texts))
    added, alone = [], []
    for number in range(SINGLE_CALLS):
        text = next(texts)
        seconds = {}
        for ours in (True, False) if number % 2 else (False, True):
            began = time.perf_counter()
            if ours:
                await rig.embed(text)
            else:
                one.embed([text])
            seconds[ours] = time.perf_counter() - began
        added.append(seconds[True] - seconds[False])
        alone.append(seconds[False])
    low, high = harness.bootstrap(added, statistics.median)
    report.judged |= {
        "added_p50_ms": round(statistics.median(added) * 1e3, 3),
        "added_p50_ms_low": round(low * 1e3, 3),
        "added_p50_ms_high": round(high * 1e3, 3),
    }
    report.results["bare_c1_p50_ms"] = round(statistics.median(alone) * 1e3, 2)


def _one_call_s(bare: Bare, texts: Iterator[str]) -> float:
    """Median of a bare call, seconds."""
    times = []
    for _ in range(WARM_CALLS):
        began = time.perf_counter()
        bare.embed([next(texts)])
        times.append(time.perf_counter() - began)
    return statistics.median(times)


async def overload(rig: Rig, report: harness.Report) -> None:
    """`overload_goodput`, `scan_in_deadline`, `overload_reject_p99_ms` at three times capacity."""
    texts, scans = NeverEnding(mixed_texts(3), "load"), NeverEnding(sentences(4), "scan")
    # Each class alone, as fast as the scheduler can; what is offered and what is done are shares of these.
    capacity = statistics.median([await closed_loop(rig.embed, texts, CONCURRENCY, 3.0) for _ in range(3)])
    scans_alone = [await closed_loop(rig.scans.submit, scans, SCAN_CALLERS, 3.0) for _ in range(3)]
    scans_per_s = SCAN_LOAD * statistics.median(scans_alone)
    # Words, not texts: what is refused might else be the long ones.
    words_a_text = statistics.mean(text.count(" ") for text in mixed_texts(3))
    harness.progress(f"capacity {capacity:.0f} texts/s; {OVERLOAD:.0f} times that for {OVERLOAD_S:.0f} s")
    api, scanned = await asyncio.gather(
        open_loop(rig.embed_in_time, texts, capacity * (OVERLOAD - SCAN_LOAD), OVERLOAD_S, API_DEADLINE_S),
        open_loop(rig.scan, scans, scans_per_s, OVERLOAD_S, SCAN_DEADLINE_S, seed=5),
    )
    all_scans = len(scanned.answered_s) + len(scanned.refused_s)
    in_time = scanned.in_time(SCAN_DEADLINE_S)
    low, high = harness.share_interval(in_time, all_scans)
    good = api.words / OVERLOAD_S / (capacity * words_a_text)
    good += in_time / OVERLOAD_S / statistics.median(scans_alone)
    report.judged |= {
        "overload_goodput": round(good, 4),
        "overload_reject_p99_ms": round(harness.percentile(api.refused_s, 99) * 1e3, 2),
        "scan_in_deadline": round(in_time / all_scans, 5),
        "scan_in_deadline_low": round(low, 5),
        "scan_in_deadline_high": round(high, 5),
    }
    report.results["overload"] = {
        "capacity_per_s": round(capacity, 1),
        "scans_alone_per_s": round(statistics.median(scans_alone), 1),
        "offered_per_s": round(capacity * (OVERLOAD - SCAN_LOAD) + scans_per_s, 1),
        "api": {
            "answered": len(api.answered_s),
            "refused": len(api.refused_s),
            "late": len(api.answered_s) - api.in_time(API_DEADLINE_S),
        },
        "api_p99_ms": round(harness.percentile(api.answered_s, 99) * 1e3, 1),
        "scans": {
            "answered": len(scanned.answered_s),
            "refused": len(scanned.refused_s),
            "late": len(scanned.answered_s) - in_time,
        },
        "scan_p50_ms": round(harness.percentile(scanned.answered_s, 50) * 1e3, 2),
        "scan_p99_ms": round(harness.percentile(scanned.answered_s, 99) * 1e3, 2),
        "scan_p999_ms": round(harness.percentile(scanned.answered_s, 99.9) * 1e3, 2),
    }


def idle(report: harness.Report) -> None:
    """`idle_cpu_pct`: all processes of a node of the sample clinic that nobody asks anything."""
    folder = Path(tempfile.mkdtemp(prefix="postern-bench-"))
    try:
        create_site(site_paths(folder / "site"), "clinic")
        set_free_port(folder / "site")
        node = start_node(folder / "site")
        try:
            root = psutil.Process(node.process.pid)
            settling = time.perf_counter()
            while _busy(root, SETTLED_S) > SETTLED_SHARE:
                if time.perf_counter() - settling > SETTLE_S_MAX:
                    break  # then that is how idle it is
            report.results["settled_after_s"] = round(time.perf_counter() - settling, 1)
            report.judged["idle_cpu_pct"] = round(100 * _busy(root, IDLE_S), 3)
        finally:
            node.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _busy(root: psutil.Process, seconds: float) -> float:
    """The share of one core that a process and all that it started take."""
    before, began = _cpu_s(root), time.perf_counter()
    time.sleep(seconds)
    return (_cpu_s(root) - before) / (time.perf_counter() - began)


def _cpu_s(root: psutil.Process) -> float:
    """User and system, of what ended meanwhile too."""
    spent = 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:4])
    return spent


async def random_lengths(seconds: float) -> None:
    """The child of `memory`: texts of 1 to 512 tokens, in order of chance; prints its memory, MB, each second."""
    rig = Rig()
    chance = random.Random(6)
    until = time.perf_counter() + seconds

    async def caller() -> None:
        while time.perf_counter() < until:
            words = chance.randint(1, MEMORY_TOKENS_MAX)
            # A machine that has other things to do meanwhile makes callers come back, and no figure wrong.
            with contextlib.suppress(QueueFull):
                await rig.embed(" ".join(chance.choices(("lift", "door", "ward", "form"), k=words)))

    async def watch() -> None:
        while time.perf_counter() < until:
            await asyncio.sleep(1.0)
            sys.stdout.write(f"{psutil.Process().memory_info().rss / 1e6}\n")

    await asyncio.gather(watch(), *(caller() for _ in range(MEMORY_CALLERS)))
    await rig.close()


def memory(seconds: float, report: harness.Report) -> None:
    """`rss_growth_pct`: the farthest from the middle that the second half's windows come."""
    command = [sys.executable, "-m", "tests.bench.encoder", "--child", str(seconds)]
    harness.progress(f"memory: {seconds:.0f} s of texts of any length")
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    half = [float(line) for line in done.stdout.split()]
    half = half[len(half) // 2 :]
    window = min(WINDOW_S, max(1, len(half) // 4))
    medians = [statistics.median(half[at : at + window]) for at in range(0, len(half) - window + 1, window)]
    middle = (max(medians) + min(medians)) / 2
    report.judged["rss_growth_pct"] = round(100 * (max(medians) - middle) / middle, 2)
    report.results["memory"] = {
        "seconds": seconds,
        "first_mb": round(medians[0], 1),
        "last_mb": round(medians[-1], 1),
    }


async def in_process(seconds: float, report: harness.Report) -> None:
    rig = Rig()
    report.config["runtime"] = f"{rig.encoder.info.runtime} on {rig.encoder.info.device}"
    await compare(rig, seconds, report)
    await overload(rig, report)
    await rig.close()


def bench(options: argparse.Namespace) -> harness.Report:
    report = harness.Report("encoder")
    uvloop.run(in_process(options.seconds, report))
    http_over_peer(options.seconds, report)
    idle(report)
    memory(options.memory_seconds, report)
    return report


def main() -> int:
    parser = harness.arguments("encoder", 60.0)
    parser.add_argument("--memory-seconds", type=float, default=MEMORY_S, help="time for the memory figure")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        uvloop.run(random_lengths(options.child))
        return 0
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
