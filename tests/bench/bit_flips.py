"""Bit flips: one bit at a time, in thousands of places of all that a site keeps: does `postern doctor` notice each?

Positions are drawn evenly over the files, so that short ones are tried whole. What is left out holds nothing about a
person and is named with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests import bit_flips
from tests.bench import harness

POSITIONS = 2_000
SECONDS = 300.0


def main() -> int:
    """Run the bench."""
    parser = harness.arguments("bit_flips", SECONDS)
    parser.add_argument("--positions", type=int, default=POSITIONS, help="of each of two states of a site")
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> harness.Report:
    """Turn each bit and look, until all are tried or the time is over."""
    report = harness.Report("bit_flips", {"positions_wanted": options.positions})
    until_s, flipped = time.monotonic() + options.seconds, Counter[str]()
    missed: list[bit_flips.Flip] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        for site in asyncio.run(bit_flips.make(Path(folder))):
            if wrong := bit_flips.problems(site):
                raise harness.BenchRefused(f"The site is not whole to begin with: {wrong[0]}")
            for flip in bit_flips.sample(site, options.positions, harness.SEED):
                if time.monotonic() > until_s:
                    break
                flipped[flip.file] += 1
                missed += [] if bit_flips.noticed(site, flip) else [flip]
    report.results = {
        "positions": dict(flipped),
        "missed": [f"{flip.file}, byte {flip.at}, bit {flip.bit}" for flip in missed],
        "not_tried": bit_flips.NOTHING_PERSONAL,
    }
    report.judged = {"flips": flipped.total(), "flips_missed": len(missed)}
    return report


if __name__ == "__main__":
    sys.exit(main())
