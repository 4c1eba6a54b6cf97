"""Taking in documents: how near it comes to the encoder's own rate, what memory it takes, what it costs customers.

Rate: `KnowledgeBase.add` on Markdown files of MedQuAD's answers, read, cut, embedded, committed and indexed, against
ONNX Runtime alone on the chunks of the same group, group by group, each about a second. The product embeds documents
at the lowest priority, and so does the bare side here: what the machine's other programs take, they take from both.
Turns: a running node on the sample clinic; customers ask and pause for thought, without a folder being added and with
one, in turns. The latency is that of the customers' side.

    python -m tests.bench.ingest --json [--seconds N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from edge.config import site_paths
from edge.knowledge.ingest import KnowledgeBase, Progress
from edge.store.store import Store
from edge.web import admin
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder
from tests.bench import harness
from tests.bench.chat import Bare, Customer, Node, set_free_port, start_node, unique_questions
from tests.bench.harness import Report, progress

BARE_BATCHES = (1, 4, 8)
BARE_ROUNDS = 5
# Documents of the rate at least: enough groups for the pairs that the contract asks for.
DOCUMENTS_MIN = 1_500
# Texts on which the bare encoder's best way is found: about a second's worth.
BARE_TEXTS = 48
# Customers at the desk, and how long each thinks between answers, seconds: some 30 turns a second.
CUSTOMERS = 4
THINKING_S = 0.1
# Documents that are added in one slice beside the turns: about two seconds.
SLICE_DOCUMENTS = 24
SLICE_S = 2.0
RSS_EVERY_S = 0.2
PERCENTILE = 99
SEED = 11
# The bare side's, as the product's.
NICENESS = 19


def main() -> int:
    return harness.run(harness.arguments("ingest", seconds=240), bench)


def bench(options: argparse.Namespace) -> Report:
    """Rate first, then the turns; each gets half of the time."""
    report = Report("ingest", config={"customers": CUSTOMERS, "thinking_s": THINKING_S})
    answers = _answers()
    with tempfile.TemporaryDirectory(prefix="postern-ingest-") as name:
        folder = Path(name)
        asyncio.run(measure_rate(folder, answers, options.seconds / 2, report))
        measure_turns(folder, answers, options.seconds / 2, report)
    return report


def _answers() -> Iterator[str]:
    """MedQuAD's answers as Markdown, in a fixed random order; each once."""
    lines = harness.data_file("retrieval", "medquad_qa.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if (record["answer"] or "").strip()]
    random.Random(SEED).shuffle(records)
    return (f"# {record['focus'] or 'Untitled'}\n\n{record['answer']}\n" for record in records)


def write_files(folder: Path, texts: Sequence[str]) -> Path:
    """A folder of Markdown files."""
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{folder.name}-{number:05}.md").write_text(text, encoding="utf-8")
    return folder


class RecordingEmbedder:
    """The encoder, and the texts that it was last given: those that the bare side gets, too."""

    def __init__(self, encoder: Encoder) -> None:
        self.dim = encoder.dim
        self.texts: list[str] = []
        self._encoder = encoder

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.texts = list(texts)
        return self._encoder.embed(texts)


async def measure_rate(folder: Path, answers: Iterator[str], seconds: float, report: Report) -> None:
    """Groups of an `add`, each followed by the bare encoder on the same chunks."""
    encoder = open_encoder(models_dir())
    store = Store.open(site_paths(folder / "rate"))
    try:
        embedder = RecordingEmbedder(encoder.in_background())
        base = await KnowledgeBase.open(store, embedder, encoder.info.space)
        documents = max(DOCUMENTS_MIN, int(seconds * 12))
        files = write_files(folder / "documents", [next(answers) for _ in range(documents)])
        warm = write_files(folder / "warm", [next(answers) for _ in range(SLICE_DOCUMENTS)])
        await base.add([warm])
        bare, batch, rates = fastest_bare(embedder.texts[:BARE_TEXTS])
        report.results["bare_chunks_per_s_by_way"] = rates
        pairs = await _paired(base, embedder, files, (bare, batch), seconds)
    finally:
        await store.close()
        encoder.close()
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    report.judged |= harness.ratio_of([a / b for a, b in pairs]).judged("over_bare")
    report.config |= {
        "encoder": encoder.info.runtime,
        "pairs": len(pairs),
        "bare_batch": batch,
        "bare_niceness": NICENESS,
    }
    report.results |= {
        "chunks_per_s": round(float(np.median(ours)), 1),
        "bare_chunks_per_s": round(float(np.median(theirs)), 1),
    }


async def _paired(
    base: KnowledgeBase, embedder: RecordingEmbedder, files: Path, bare: tuple[Bare, int], seconds: float
) -> list[tuple[float, float]]:
    """(chunks a second of the group, of the bare encoder on the same) until time is up."""
    pairs: list[tuple[float, float]] = []
    began = ended = time.perf_counter()

    def on_group(now: Progress) -> None:
        nonlocal ended
        ours = time.perf_counter() - ended
        theirs = bare_seconds(*bare, embedder.texts)
        pairs.append((len(embedder.texts) / ours, len(embedder.texts) / theirs))
        if len(pairs) % 10 == 0:
            progress(
                f"{now.done} of {now.of} documents, {pairs[-1][0]:.0f} against {pairs[-1][1]:.0f} chunks/s"
            )
        ended = time.perf_counter()
        if ended - began > seconds and len(pairs) >= harness.PAIRS_MIN:
            raise TimeoutError

    with contextlib.suppress(TimeoutError):
        await base.add([files], progress=on_group)
    return pairs


def fastest_bare(texts: list[str]) -> tuple[Bare, int, dict[str, float]]:
    """The bare encoder in the way and with the batch at which it is fastest on these chunks."""
    # Threads take the priority of the thread that starts them: ONNX Runtime's, too.
    with ThreadPoolExecutor(1, initializer=lower_priority) as low:
        lanes = sorted({1, len(psutil.Process().cpu_affinity())})
        ways = list(low.map(lambda count: Bare(count, lower_priority), lanes))
    seen: dict[tuple[int, int], list[float]] = {
        (way, batch): [] for way in range(len(ways)) for batch in BARE_BATCHES
    }
    for _ in range(BARE_ROUNDS):
        for way, batch in seen:
            seen[way, batch].append(len(texts) / bare_seconds(ways[way], batch, texts))
    rates = {key: float(np.median(found)) for key, found in seen.items()}
    way, batch = max(rates, key=lambda key: rates[key])
    table = {f"{ways[w].lanes} lanes, batch {b}": round(rate, 1) for (w, b), rate in rates.items()}
    return ways[way], batch, table


def lower_priority() -> None:
    """The calling thread runs when no other wants to."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def bare_seconds(bare: Bare, batch: int, texts: Sequence[str]) -> float:
    """Time of the bare encoder for all texts, like lengths together."""
    ordered = sorted(texts, key=len)
    batches = [ordered[start : start + batch] for start in range(0, len(ordered), batch)]
    began = time.perf_counter()
    bare.embed_all(batches)
    return time.perf_counter() - began


@dataclass
class Turns:
    """Latencies of turns, seconds, by pair of slices."""

    quiet: list[list[float]] = field(default_factory=list)
    busy: list[list[float]] = field(default_factory=list)


def measure_turns(folder: Path, answers: Iterator[str], seconds: float, report: Report) -> None:
    """Turns on a running node with and without a folder being added, and its memory meanwhile."""
    site = folder / "clinic"
    init = [sys.executable, "-m", "edge.cli", "init", "--template", "clinic", "--site", str(site)]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    set_free_port(site)
    node = start_node(site)
    try:
        turns, rss_mb = asyncio.run(_turns(node, site, answers, seconds))
    finally:
        node.stop()
        shutil.rmtree(site)
    report.judged |= p99_ratio(turns)
    report.judged["rss_mb"] = round(rss_mb, 1)
    quiet = [one for found in turns.quiet for one in found]
    busy = [one for found in turns.busy for one in found]
    report.results |= {
        "turn_slices": len(turns.quiet),
        "turns_quiet": len(quiet),
        "turns_busy": len(busy),
        **{
            f"turn_{name}_p{percent}_ms": round(harness.percentile(found, percent) * 1e3, 1)
            for name, found in (("quiet", quiet), ("busy", busy))
            for percent in (50, 99)
        },
    }


async def _turns(node: Node, site: Path, answers: Iterator[str], seconds: float) -> tuple[Turns, float]:
    turns, peak = Turns(), [0.0]
    texts = iter(unique_questions())
    customers = [await Customer.arrive(node) for _ in range(CUSTOMERS)]
    watching = asyncio.create_task(_watch(node, peak))
    await _add(site, answers, "first")
    pairs = max(harness.PAIRS_MIN, int(seconds / (2 * SLICE_S)))
    added = 0.0
    for pair in range(pairs):
        turns.quiet.append(await _slice(customers, texts, asyncio.sleep(SLICE_S)))
        began = time.perf_counter()
        turns.busy.append(await _slice(customers, texts, _add(site, answers, f"slice{pair}")))
        added += time.perf_counter() - began
        if pair % 10 == 9:
            progress(f"pair {pair + 1} of {pairs}: a folder takes {added / (pair + 1):.1f} s beside turns")
    watching.cancel()
    return turns, peak[0]


async def _slice(customers: list[Customer], texts: Iterator[str], until: object) -> list[float]:
    """Latencies of the turns that were asked while `until` went on."""
    work = asyncio.ensure_future(until)  # type: ignore[arg-type]
    latencies: list[float] = []

    async def keep_asking(customer: Customer) -> None:
        while not work.done():
            asked = time.perf_counter()
            status, body = await customer.ask(next(texts))
            if status != 200:
                raise harness.BenchRefused(f"A turn failed: {body[:200]!r}")
            latencies.append(time.perf_counter() - asked)
            await asyncio.sleep(THINKING_S)

    await asyncio.gather(work, *(keep_asking(customer) for customer in customers))
    return latencies


async def _add(site: Path, answers: Iterator[str], name: str) -> None:
    """Add a folder of new documents to the running node, as `postern kb add` does."""
    files = write_files(site / "more" / name, [next(answers) for _ in range(SLICE_DOCUMENTS)])
    socket = site_paths(site).admin_socket
    found = await admin.call(socket, "kb.add", {"paths": [str(files)]}, lambda _: None)
    if not isinstance(found, dict) or found["added"] != SLICE_DOCUMENTS:
        raise harness.BenchRefused(f"Documents were not added: {found}")


async def _watch(node: Node, peak: list[float]) -> None:
    """Keep the highest memory of all the node's processes in `peak[0]`, MB."""
    while True:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak[0] = max(peak[0], node.rss_mb())
        await asyncio.sleep(RSS_EVERY_S)


def p99_ratio(turns: Turns) -> dict[str, float]:
    """p99 of all busy turns ÷ p99 of all quiet ones, its interval by resampling pairs of slices."""
    pairs = list(zip(turns.quiet, turns.busy, strict=True))

    def ratio(chosen: Sequence[tuple[list[float], list[float]]]) -> float:
        quiet = harness.percentile([one for pair in chosen for one in pair[0]], PERCENTILE)
        return harness.percentile([one for pair in chosen for one in pair[1]], PERCENTILE) / quiet

    chance = random.Random(SEED)
    found = sorted(ratio(chance.choices(pairs, k=len(pairs))) for _ in range(harness.RESAMPLES // 10))
    tail = int(len(found) * (1 - harness.INTERVAL) / 2)
    return {
        "turn_p99_ratio": round(ratio(pairs), 3),
        "turn_p99_ratio_low": round(found[tail], 3),
        "turn_p99_ratio_high": round(found[-1 - tail], 3),
    }


if __name__ == "__main__":
    sys.exit(main())
