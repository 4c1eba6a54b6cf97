"""Updates that are cut off anywhere: does a valid model serve after every start, and what does going on cost?

An update that is kept and one that goes back are carried out in a process of its own (`update_walk.py`): the real
updater, store, chunks and slots. Its writes are recorded (`recorded_writes.c`) and replayed up to random moments, with
what was not synced left out, torn, or there (`crash_images.py`); the same process is killed at random moments. After
each, what would serve is looked up here, by the files' own hashes and two small files, not by the code under test;
every so often the node goes on from there to its end. What going on costs is measured over the real courier
(`resuming.py`), how long a way back takes at an open site with real encoders (`way_back.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tests.bench import crash_images, harness, resuming, update_walk, way_back

SECONDS = 400.0
POINTS = 1_000
KILLS = 60
# Of the replayed moments, one in so many goes on to its end: that takes a second each.
GOES_ON_EVERY = 25
# Lines of progress: one in some ten seconds.
TOLD_EVERY, TOLD_KILLS_EVERY = 100, 10
SIZE = 600_000
ENDS = {"2.0": "kept", "3.0": "returned"}


@dataclass
class Measured:
    """What came out."""

    points: int = 0
    kills: int = 0
    invalid: list[str] = field(default_factory=list)
    went_on: int = 0
    wrong_ends: list[str] = field(default_factory=list)
    operations: int = 0
    walk_s: float = 0.0
    """How long the recorded walk took, once it had begun."""


def folder_hash(folder: Path, names: Sequence[str]) -> str:
    """Of a model's own files."""
    whole = sha256()
    for name in names:
        whole.update(sha256((folder / name).read_bytes()).digest())
    return whole.hexdigest()


class Oracle:
    """Which model would serve, and whether it is one that was published, whole."""

    NAMES = ("model.onnx", "model.toml", "tokenizer.json")

    def __init__(self, root: Path) -> None:
        known = {update_walk.BEFORE: root / "serving"}
        known |= {version: root / "published" / version for version in update_walk.VERSIONS}
        self._known = {folder_hash(folder, self.NAMES): version for version, folder in known.items()}

    def serves(self, site: Path, models: Path) -> str:
        """The version that would; "" with none that is whole."""
        try:
            name = tomllib.loads((site / "site.toml").read_text())["models"]["encoder"]
            pointer = json.loads((models / name / "current.json").read_text())
            return self._known.get(folder_hash(models / name / pointer["version"], self.NAMES), "")
        except (OSError, ValueError, KeyError):
            return ""


def walk(root: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A life of the node, begun."""
    command = [sys.executable, "-m", "tests.bench.update_walk", "run", str(root)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n", "the walk did not begin"
    return process


def ends_of(process: subprocess.Popen[str]) -> dict[str, str]:
    """How the updates ended."""
    out, _ = process.communicate(timeout=300)
    return dict(json.loads(out)) if process.returncode == 0 else {"exit": str(process.returncode)}


def prepared(folder: Path, size: int) -> Path:
    """A site of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    update_walk.prepare(folder, size)
    return folder


def replayed(work: Path, points: int, goes_on_every: int, seed: int, found: Measured) -> None:
    """Power cuts at `points` moments of one recorded walk."""
    harness.progress(f"{points} power cuts of a recorded walk, each {goes_on_every}th goes on to its end")
    root = prepared(work / "recorded", SIZE)
    start = Path(shutil.copytree(root, work / "start"))
    log = work / "log"
    process = walk(root, crash_images.environment(crash_images.recorder(work), log, root))
    began_s = time.monotonic()
    ends = ends_of(process)
    found.walk_s = time.monotonic() - began_s
    if ends != ENDS:
        found.wrong_ends.append(f"recorded: {ends}")
    operations = crash_images.read(log)
    found.operations = len(operations)
    shutil.rmtree(root)
    shutil.copytree(start, root)
    oracle, made = Oracle(root), crash_images.images(root, operations, points, work / "image", seed)
    for number, (moment, image) in enumerate(made):
        found.points += 1
        if found.points % TOLD_EVERY == 0:
            harness.progress(f"{found.points} power cuts, {len(found.invalid) + len(found.wrong_ends)} wrong")
        if not oracle.serves(image / "site", image / "models"):
            found.invalid.append(f"replayed after {moment} of {len(operations)} operations")
        if number % goes_on_every == 0:
            found.went_on += 1
            ends = _goes_on(image, root)
            serves = oracle.serves(image / "site", image / "models")
            if ends != ENDS or serves != "2.0":
                found.wrong_ends.append(f"replayed after {moment}: {ends}, {serves} serves")


def _goes_on(image: Path, root: Path) -> dict[str, str]:
    """To its end from an image, at the place of the site that was recorded: updates note where they staged."""
    aside = root.with_name("aside")
    root.rename(aside)
    image.rename(root)
    try:
        return ends_of(walk(root))
    finally:
        root.rename(image)
        aside.rename(root)


def killed(work: Path, kills: int, seed: int, found: Measured) -> None:
    """SIGKILLs at random moments of walks, each going on from where it was cut off."""
    choose, root = random.Random(seed), work / "killed"
    oracle, fresh = None, True
    while found.kills < kills:
        if fresh:
            oracle = Oracle(prepared(root, SIZE))
        assert oracle is not None
        process = walk(root)
        try:
            process.wait(choose.uniform(0.0, found.walk_s))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            found.kills += 1
            if found.kills % TOLD_KILLS_EVERY == 0:
                harness.progress(f"{found.kills} kills, {len(found.invalid) + len(found.wrong_ends)} wrong")
            if not oracle.serves(root / "site", root / "models"):
                found.invalid.append(f"killed, number {found.kills}")
            fresh = False
            continue
        ends, fresh = ends_of(process), True
        serves = oracle.serves(root / "site", root / "models")
        # A node that was killed too often while it watched goes back for that, as it should.
        if set(ends.values()) - {"kept", "returned", "refused"} or not serves:
            found.wrong_ends.append(f"killed: {ends}, {serves} serves")


def measure(work: Path, points: int, kills: int, seed: int = 1, every: int = GOES_ON_EVERY) -> Measured:
    """Both kinds of cuts; what is wrong is named."""
    found = Measured()
    replayed(work, points, every, seed, found)
    killed(work, kills, seed, found)
    return found


def judged(options: argparse.Namespace) -> harness.Report:
    """All of it; less than SECONDS make fewer points."""
    share = min(1.0, options.seconds / SECONDS)
    report = harness.Report("update", {"points": POINTS, "kills": KILLS, "size": SIZE})
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        work = Path(folder)
        found = measure(work, max(20, int(POINTS * share)), max(3, int(KILLS * share)))
        harness.progress("what going on costs")
        again = asyncio.run(resuming.measure(work))
        harness.progress("the way back")
        back = asyncio.run(way_back.measure(work / "site"))
    report.results = {
        "operations": found.operations,
        "kills": found.kills,
        "went_on": found.went_on,
        "invalid": found.invalid[:20],
        "wrong_ends": found.wrong_ends[:20],
        "resume": again,
        "way_back": {name: round(value, 2) for name, value in vars(back).items()},
    }
    report.judged = {
        "kill_points": found.points + found.kills,
        "without_valid_model": len(found.invalid) + len(found.wrong_ends),
        "return_s": round(back.whole_s, 2),
        "resume_overhead": round(again["overhead"], 4),
    }
    return report


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("update", SECONDS), judged))
