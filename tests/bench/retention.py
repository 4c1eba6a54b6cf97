"""Retention: a year in one-day steps. Is every row purged on its day, none early, and what is left of it in the bytes?

A real store, filled with rows of every table that goes by its age, some of which are due on each day of the year. The
clocks are set on by a day at a time; each look of the product is followed by one of the bench: at the rows, at every
page of both files (decrypted, free pages and gaps too), and at the logs. Nothing that is purged by age is in an index
in memory, so there is none to look at (a unit test holds that).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from core.clock_trust import DAY_MS
from edge.chat.session import Sessions
from edge.config import LimitsSection, RetentionSection, SitePaths, site_paths
from edge.privacy.retaining import Retaining
from edge.store.schema import KEY_TABLES
from edge.store.store import Store
from tests import aged_rows
from tests.aged_rows import MARK, ROWS, AgedRow, Clocks
from tests.bench import harness
from tests.raw_pages import log_of

DAYS = 365
ROWS_A_DAY = 3
HOUR_MS = 3_600_000


class Faults:
    """What should not be, counted over the whole year."""

    def __init__(self) -> None:
        self.early = self.late = self.in_pages = self.log_bytes = 0
        self.looks_s: list[float] = []


def main() -> int:
    """Run the bench."""
    parser = harness.arguments("retention", 60.0)
    parser.add_argument("--days", type=int, default=DAYS)
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> harness.Report:
    """Every day of the year; `--seconds` has no say, for a year is a year."""
    report = harness.Report("retention", {"days": options.days, "rows_a_day_and_table": ROWS_A_DAY})
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        rows = aged_rows.year(options.days, ROWS_A_DAY)
        faults = asyncio.run(walk(site_paths(Path(folder)), rows, options.days))
    report.results = {
        "tables": sorted(ROWS),
        "rows": len(rows),
        "look_ms_median": round(1000 * statistics.median(faults.looks_s), 1),
        "look_ms_max": round(1000 * max(faults.looks_s), 1),
    }
    report.judged = {
        "purged_early": faults.early,
        "purged_late": faults.late,
        "left_in_pages": faults.in_pages,
        "log_bytes_after_a_purge": faults.log_bytes,
    }
    return report


async def walk(paths: SitePaths, rows: list[AgedRow], days: int) -> Faults:
    """A look each day, from the day on which the first are due until the last are gone."""
    store, clocks, faults = Store.open(paths), Clocks(), Faults()
    sessions = Sessions(store, LimitsSection())
    keeper = Retaining(
        store, RetentionSection(), "in force", lambda: len(sessions) == 0, sessions.forget_idle, clocks=clocks
    )
    try:
        await aged_rows.put(store, rows)
        clocks.run(HOUR_MS)
        for _ in range(days + 1):
            began = time.perf_counter()
            await keeper.look()
            faults.looks_s.append(time.perf_counter() - began)
            await count(store, paths, rows, clocks.wall_ms, faults)
            clocks.run(DAY_MS)
    finally:
        await store.close()
    return faults


async def count(store: Store, paths: SitePaths, rows: list[AgedRow], now_ms: int, faults: Faults) -> None:
    """What is there that should not be, and the other way round."""
    wanted = {row.mark for row in rows if row.due_ms > now_ms}
    kept = await marks(store)
    faults.early += len(wanted - kept)
    faults.late += len(kept - wanted)
    faults.in_pages += len(aged_rows.found_in_files(store, paths) - wanted)
    faults.log_bytes += sum(log_of(path).stat().st_size for path in (paths.store, paths.subject_keys))


async def marks(store: Store) -> set[str]:
    """Of the rows that a query sees."""
    found: set[str] = set()
    for table in ROWS:
        read = store.read_keys if table in KEY_TABLES else store.read
        rows = await read(lambda db, table=table: db.execute(f"SELECT * FROM {table}").fetchall())  # type: ignore[misc]
        found |= {mark.decode() for row in rows for mark in MARK.findall(repr(row).encode())}
    return found


if __name__ == "__main__":
    raise SystemExit(main())
