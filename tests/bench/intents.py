"""Does the node learn what customers want? BANKING77's train rows through the command line, judged on its other half.

Everything goes through `postern intents train` and `predict`: what is timed is what a person waits for. Out of scope
is measured by leaving out 20 of the 77 intents: a second site is trained without them, and no example of them helps
to fit the threshold. `false_accept` is the share of the left-out intents' questions that is taken for known.

    python -m tests.bench.intents --json
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.chat.intents import ngrams
from edge.chat.intents.model import from_bytes
from edge.config import site_paths
from edge.store import site_models
from edge.store.site_models import ModelKind
from edge.store.store import Store
from models.catalog import models_dir
from models.encoder import open_encoder
from tests.bench import harness
from tests.bench.harness import Report, progress

LEFT_OUT = 20
SEED = 77
COMMAND_TIMEOUT_S = 600
BATCHES = (1, 32)

Row = dict[str, str]


def main() -> int:
    return harness.run(harness.arguments("intents", seconds=5), bench)


def bench(options: argparse.Namespace) -> Report:
    """Two sites: one with all intents, one without those that are left out."""
    train = _csv(harness.data_file("intent", "banking77_train.csv"))
    dev = [
        json.loads(line)
        for line in harness.data_file("intent", "banking77_dev.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    names = sorted({row["intent"] for row in train})
    left_out = set(random.Random(SEED).sample(names, LEFT_OUT))
    report = Report("intents", config={"train": len(train), "dev": len(dev), "left_out": sorted(left_out)})
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        site = Path(folder) / "all"
        trained = _trained(site, train)
        report.judged["train_s"] = trained["wall_s"]
        report.results["train"] = {name: trained[name] for name in ("seconds", "accuracy", "in_scope_recall")}
        _accuracy(report, dev, _predicted(site, [row["text"] for row in dev]))
        _speed(report, site, [row["text"] for row in dev], options.seconds)
        _scope(
            report,
            Path(folder) / "some",
            [row for row in train if row["intent"] not in left_out],
            dev,
            left_out,
        )
    return report


def _accuracy(report: Report, dev: Sequence[Row], found: Sequence[dict[str, Any]]) -> None:
    right = [line["intent"] == row["intent"] for row, line in zip(dev, found, strict=True)]
    report.judged["accuracy"] = sum(right) / len(right)
    report.results["accuracy_95"] = harness.share_interval(sum(right), len(right))
    fresh = [hit for row, hit in zip(dev, right, strict=True) if not row["dup_of_train"]]
    report.results["accuracy_without_near_duplicates"] = sum(fresh) / len(fresh)
    report.results["mean_confidence"] = float(np.mean([line["confidence"] for line in found]))


def _scope(report: Report, site: Path, train: Sequence[Row], dev: Sequence[Row], left_out: set[str]) -> None:
    report.results["train_without_left_out"] = _trained(site, train)["wall_s"]
    found = _predicted(site, [row["text"] for row in dev])
    inside = [f["in_scope"] for row, f in zip(dev, found, strict=True) if row["intent"] not in left_out]
    outside = [f["in_scope"] for row, f in zip(dev, found, strict=True) if row["intent"] in left_out]
    report.judged["false_accept"] = sum(outside) / len(outside)
    report.results["false_accept_95"] = harness.share_interval(sum(outside), len(outside))
    report.judged["in_scope_recall"] = sum(inside) / len(inside)


def _speed(report: Report, site: Path, texts: Sequence[str], seconds: float) -> None:
    """CPU ms a question of the prediction alone, in this process; the embedding is retrieval's anyway."""
    model = _model(site)
    encoder = open_encoder(models_dir())
    embeddings = encoder.embed(texts)
    encoder.close()
    for batch in BATCHES:
        times, at, ends = [], 0, time.monotonic() + seconds / len(BATCHES)
        while time.monotonic() < ends:
            at = (at + batch) % (len(texts) - batch)
            began = time.thread_time()
            model.predict(texts[at : at + batch], embeddings[at : at + batch])
            times.append((time.thread_time() - began) * 1000 / batch)
        report.results[f"predict_cpu_ms_batch_{batch}"] = round(float(np.median(times)), 4)
    report.config["ngram_buckets"] = ngrams.BUCKETS


def _model(site: Path) -> Any:
    import asyncio

    async def read() -> bytes:
        store = Store.open(site_paths(site))
        try:
            found = await store.read(lambda db: site_models.active(db, ModelKind.INTENTS))
        finally:
            await store.close()
        if found is None:
            raise harness.BenchRefused("The trained model does not serve.")
        return found[1]

    return from_bytes(asyncio.run(read()))


def _trained(site: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """A fresh site, trained by the command line; its report with the seconds that a person waited."""
    _postern("init", "--template", "empty", "--site", str(site))
    table = site / "train.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "intent"])
        writer.writeheader()
        writer.writerows(rows)
    progress(f"training on {len(rows):,} examples")
    began = time.perf_counter()
    found: dict[str, Any] = json.loads(
        _postern("intents", "train", "--site", str(site), str(table), "--json")
    )
    found["wall_s"] = round(time.perf_counter() - began, 2)
    return found


def _predicted(site: Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    output = _postern("intents", "predict", "--site", str(site), stdin=lines)
    return [json.loads(line) for line in output.splitlines()]


def _postern(*words: str, stdin: str = "") -> str:
    run = subprocess.run(
        [sys.executable, "-m", "edge.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
    )
    if run.returncode:
        raise harness.BenchRefused(f"postern {words[0]} {words[1]} failed: {run.stderr[-500:]}")
    return run.stdout


def _csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "intent": row["category"]} for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main())
