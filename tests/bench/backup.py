"""What a backup costs the customers of a node with a store of a gigabyte, how fast it is, and whether all comes back.

Turns: a running node on the sample clinic, its store filled with synthetic conversations; customers ask and pause for
thought. Slices of a second while a backup is written and slices without one, as many of each, in blocks that alternate:
a block is one whole backup, because its snapshot holds the store's log from beginning to end. The latency is that of
the customers' side. Speed: one more backup at no pace. Restore: in the place of the stopped site; then one person is
erased, and the others' exports must be the same bytes, the erased one's empty.

    python -m tests.bench.backup --json [--seconds N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database

from edge.config import SitePaths, site_paths
from edge.keys import recovery
from edge.privacy.backup import keys_file
from edge.privacy.backup.restoring import Wanted, restore
from edge.privacy.export import canonical, data_of
from edge.store.store import Store
from edge.store.subject_rows import Person
from edge.store.subjects import create_key
from edge.web import admin
from models.progress import silent
from tests.bench import harness
from tests.bench.chat import Customer, Node, set_free_port, start_node, unique_questions
from tests.bench.harness import Report, progress
from tests.bench.ingest import Turns, p99_ratio
from tests.unit.edge.privacy import people_rig

STORE_BYTES = 10**9
# A turn's sealed body is a few kilobytes with its citations; larger ones fill faster, and cost a backup the same.
BODY_BYTES = 16 * 1024
GROUP_ROWS = 500
# Synthetic people, each with a key and as many turns as it takes.
CROWD = 50
PEOPLE = ("person-a", "person-b", "person-c")
ERASED = "person-b"
# A conversation of the crowd ends long after the bench.
STAYS_S = 30 * 86_400
CUSTOMERS = 4
THINKING_S = 0.1
SLICE_S = 1.0
NO_PACE_MB_S = 10_000


def bench(options: argparse.Namespace) -> Report:
    """The whole bench."""
    report = Report("backup")
    # Beside the cache: a temporary folder may be memory, and a backup is about the disk.
    harness.CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="backup-", dir=harness.CACHE))
    try:
        _measure(folder, options.seconds, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report


def _measure(folder: Path, seconds: float, report: Report) -> None:
    paths = site_paths(folder / "clinic")
    init = [sys.executable, "-m", "edge.cli", "init", "--template", "clinic", "--site", str(paths.root)]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    set_free_port(paths.root)
    progress("filling the store")
    asyncio.run(_fill(paths))
    report.config |= {"store_mb": round(paths.store.stat().st_size / 1e6), "customers": CUSTOMERS}
    (folder / "vault").mkdir()
    file = folder / "vault" / "backup.age"
    node = start_node(paths.root)
    try:
        asyncio.run(_turns(node, paths, file, seconds, report))
        _set_pace(paths, NO_PACE_MB_S)
        took_s = asyncio.run(_timed(paths, file))
        report.results["backup_no_pace_s"] = round(took_s, 2)
        report.judged["backup_mb_per_s"] = round(file.stat().st_size / 1e6 / took_s, 1)
    finally:
        node.stop()
    _restore(paths, file, report)


async def _fill(paths: SitePaths) -> None:
    """People whose exports are compared, and a crowd up to STORE_BYTES."""
    store = Store.open(paths)
    try:
        people_rig.AT_MS = (
            time.time_ns() // 1_000_000
        )  # what is older would be purged meanwhile, as it should
        for person in PEOPLE:
            await people_rig.seed(store, person, f"conversation-{person}", f"Where does {person} park?")
        for number in range(CROWD):
            await store.write_keys(lambda db, who=f"crowd-{number}": create_key(db, who))
        await store.write(_crowd)
        turn, kept = 0, os.urandom(BODY_BYTES)
        while turn * BODY_BYTES < STORE_BYTES:
            rows = [(turn + more, kept[more % 64 :] + os.urandom(64)) for more in range(GROUP_ROWS)]
            await store.write(lambda db, rows=rows: _add_turns(db, rows))
            turn += GROUP_ROWS
    finally:
        await store.close()


def _crowd(db: Database) -> None:
    now_ms = time.time_ns() // 1_000_000
    for number in range(CROWD):
        who = f"crowd-{number}"
        db.execute("INSERT INTO subjects VALUES (?, ?)", [who, now_ms])
        db["sessions"].insert(
            {
                "id": who, "subject": who, "token_hash": os.urandom(32), "channel": "api", "locale": "en",
                "created_ms": now_ms, "expires_ms": now_ms + STAYS_S * 1000,
            }
        )  # fmt: skip


def _add_turns(db: Database, rows: list[tuple[int, bytes]]) -> None:
    now_ms = time.time_ns() // 1_000_000
    db.conn.executemany(
        "INSERT INTO turns(id, session, created_ms, route, label, redactions, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (f"t{number}", f"crowd-{number % CROWD}", now_ms, "answer", "public", "[]", body)
            for number, body in rows
        ],
    )


async def _turns(node: Node, paths: SitePaths, file: Path, seconds: float, report: Report) -> None:
    """Blocks of a whole backup and of as many slices without one, until the time and the pairs are reached."""
    turns, texts, paced = Turns(), iter(unique_questions()), list[float]()
    customers = [await Customer.arrive(node) for _ in range(CUSTOMERS)]
    await _slice(customers, texts)  # the first turns fill caches
    ends = time.monotonic() + seconds
    while len(turns.busy) < harness.PAIRS_MIN or time.monotonic() < ends:
        backup = asyncio.create_task(_timed(paths, file))
        before = len(turns.busy)
        while not backup.done():
            turns.busy.append(await _slice(customers, texts))
        paced.append(await backup)
        turns.busy.pop()  # the backup ended in its midst
        for _ in range(len(turns.busy) - before):
            turns.quiet.append(await _slice(customers, texts))
        progress(f"{len(turns.busy)} pairs; a backup takes {paced[-1]:.0f} s beside turns")
    report.judged |= p99_ratio(turns)
    report.results |= {"backup_paced_s": [round(one, 1) for one in paced], **_told(turns)}


def _told(turns: Turns) -> dict[str, float]:
    sides = {"quiet": turns.quiet, "busy": turns.busy}
    found = {name: [one for slice_ in slices for one in slice_] for name, slices in sides.items()}
    return {
        "slices": len(turns.quiet),
        **{f"turns_{name}": len(one) for name, one in found.items()},
        **{
            f"turn_{name}_p{percent}_ms": round(harness.percentile(one, percent) * 1e3, 1)
            for name, one in found.items()
            for percent in (50, 99)
        },
    }


async def _slice(customers: list[Customer], texts: Iterator[str]) -> list[float]:
    """Latencies of a second's turns."""
    until, latencies = time.perf_counter() + SLICE_S, list[float]()

    async def keep_asking(customer: Customer) -> None:
        while (asked := time.perf_counter()) < until:
            status, body = await customer.ask(next(texts))
            if status != 200:
                raise harness.BenchRefused(f"A turn failed: {body[:200]!r}")
            latencies.append(time.perf_counter() - asked)
            await asyncio.sleep(THINKING_S)

    await asyncio.gather(*map(keep_asking, customers))
    return latencies


async def _timed(paths: SitePaths, file: Path) -> float:
    """Seconds of one backup, as `postern backup` has the node make it."""
    began = time.perf_counter()
    arguments = {"file": str(file), "replace": True}
    await admin.call(paths.admin_socket, "backup.make", arguments, lambda _: None)
    return time.perf_counter() - began


def _set_pace(paths: SitePaths, mb_per_s: int) -> None:
    paths.config.write_text(paths.config.read_text() + f"\n[backup]\nmb_per_s = {mb_per_s}\n")


def _restore(paths: SitePaths, file: Path, report: Report) -> None:
    """In the place of the stopped site, after somebody was erased from it."""
    progress("restoring")
    before = asyncio.run(_exports(paths))
    erase = ["privacy", "erase", "--site", str(paths.root), "--subject", ERASED, "--json"]
    done = subprocess.run([sys.executable, "-m", "edge.cli", *erase], stdout=subprocess.PIPE, check=True)
    json.loads(done.stdout)
    identity = recovery.identity(paths.recovery_key.read_text().strip())
    began = time.perf_counter()
    restored = restore(paths, Wanted(file, [identity], keys_file.beside(file), True, "bench"), silent)
    report.judged["restore_s"] = round(time.perf_counter() - began, 1)
    report.results["rows_not_back"] = restored.removed
    after = asyncio.run(_exports(paths))
    others = [person for person in PEOPLE if person != ERASED]
    report.judged["exports_identical"] = sum(before[person] == after[person] for person in others) / len(
        others
    )
    report.judged["erased_is_back"] = int(b"Where does" in after[ERASED])


async def _exports(paths: SitePaths) -> dict[str, bytes]:
    """Each person's export, as bytes."""
    store = Store.open(paths)
    try:
        return {
            person: canonical(await data_of(store, Person(person, store.digests.of(person))))
            for person in PEOPLE
        }
    finally:
        await store.close()


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("backup", seconds=180), bench))
