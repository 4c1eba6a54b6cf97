"""What OpenVINO keeps in memory for the shapes that it meets on the processor, and what bounds that.

Texts of random length, in passes as large as the node's own, each way in a process of its own, one after the other: no
comparison of speed, so they do not take turns. `python -m tests.bench.shapes --json`
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from typing import Final

import numpy as np
import psutil

from models.catalog import encoder_entry, models_dir
from models.encoder import PASS_TOKENS_MAX
from models.loading import open_runtime
from models.machine import usable_cpus
from models.recipes.files import RUNTIME_FILES
from models.records import model_folder
from models.runtimes import openvino_runtime
from models.runtimes.buckets import LENGTHS, Buckets, up_to
from tests.bench.harness import Report, arguments, progress, run

TOKENS_MAX: Final = 512
ANY_ID: Final = 1000
KEPT_OF_ITS_OWN: Final = 5000
"""Prepared operations that OpenVINO keeps when nobody says otherwise."""

WAYS: Final = {
    "as they come": (False, KEPT_OF_ITS_OWN),
    "padded to steps": (True, KEPT_OF_ITS_OWN),
    "as they come, few kept": (False, openvino_runtime.SHAPES_KEPT),
    "padded to steps, few kept": (True, openvino_runtime.SHAPES_KEPT),
}
"""Whether lengths are padded, and how many prepared operations are kept; the last one is what serves."""


def main(options: argparse.Namespace) -> Report:
    each_s = options.seconds / len(WAYS)
    report = Report("shapes", {"seconds_each": each_s, "tokens_max": TOKENS_MAX})
    for way in WAYS:
        command = [sys.executable, "-m", "tests.bench.shapes", "--way", way, "--seconds", str(each_s)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        half, end, passes = (float(word) for word in done.stdout.split())
        report.results[way] = {"half_way_mb": half, "end_mb": end, "passes": passes}
        progress(f"{way}: {half:.0f} MB half way, {end:.0f} MB at the end")
    served = report.results[list(WAYS)[-1]]
    report.judged["openvino_end_mb"] = served["end_mb"]
    return report


def one_way(way: str, seconds: float) -> None:
    """The child: prints its resident memory half way and at the end, MB, and how many passes it made."""
    padded, openvino_runtime.SHAPES_KEPT = WAYS[way]  # type: ignore[misc]
    lengths = up_to(LENGTHS, TOKENS_MAX) if padded else tuple(range(1, TOKENS_MAX + 1))
    entry = encoder_entry()
    path = model_folder(models_dir(), entry.name) / RUNTIME_FILES["openvino"]
    runtime = open_runtime("openvino", path, threads=usable_cpus(), buckets=Buckets(lengths))
    chance = random.Random(6)
    passes = 0
    for until in (time.monotonic() + seconds / 2, time.monotonic() + seconds):
        while time.monotonic() < until:
            tokens = chance.randint(1, TOKENS_MAX)
            rows = chance.randint(1, max(1, PASS_TOKENS_MAX // tokens))
            ids = np.full((rows, tokens), ANY_ID)
            runtime.run(ids, np.ones_like(ids), want_states=False)
            passes += 1
        sys.stdout.write(f"{psutil.Process().memory_info().rss / 1e6:.1f} ")
    sys.stdout.write(f"{passes}\n")


if __name__ == "__main__":
    parser = arguments("shapes", 600.0)
    parser.add_argument("--way", choices=tuple(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        one_way(options.way, options.seconds)
    else:
        sys.exit(run(parser, main))
