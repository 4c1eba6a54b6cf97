"""From counters to one outbox row a bucket, small cells suppressed. Runs inside `Store.write`; reads no clock."""

from __future__ import annotations

from sqlite_utils import Database

from edge.store import daily_counts
from edge.store.counters import HISTOGRAMS
from edge.store.outbox import OutboxClass, append

# Below this many a cell could point at a person at a named site (DESIGN.md, invariant 10).
SMALLEST_CELL = 5
KIND = "telemetry.bucket"
# After months offline: at most so many buckets a transaction, so that a turn never waits long behind it.
BUCKETS_MAX = 48


def suppress(name: str, counted: int) -> int | None:
    """What may be told of a cell: None for 1 to 4; cells of a histogram in steps of five.

    A histogram's cells add up to the number of turns; exact ones would give a suppressed route by subtraction.
    """
    if counted < SMALLEST_CELL:
        return None
    return counted - counted % SMALLEST_CELL if name in HISTOGRAMS else counted


def close_buckets(db: Database, now_s: int, length_s: int) -> int:
    """Turn each finished bucket into one outbox row and delete its counters; returns how many rows were written."""
    current = now_s - now_s % length_s
    starts = db.execute(
        "SELECT DISTINCT bucket_s - bucket_s % ? FROM counters WHERE bucket_s < ? ORDER BY 1 LIMIT ?",
        [length_s, current, BUCKETS_MAX],
    ).fetchall()
    for (start,) in starts:
        _close_bucket(db, start, length_s)
    return len(starts)


def _close_bucket(db: Database, start_s: int, length_s: int) -> None:
    window = [start_s, start_s + length_s]
    counts: dict[str, dict[str, int | None]] = {}
    for name, cell, counted in db.execute(
        'SELECT name, cell, sum("count") FROM counters WHERE bucket_s >= ? AND bucket_s < ? GROUP BY name, cell',
        window,
    ):
        counts.setdefault(name, {})[cell] = suppress(name, counted)
    append(db, OutboxClass.METRICS, KIND, {"start_s": start_s, "length_s": length_s, "counts": counts})
    daily_counts.keep(db, *window)
    db.execute("DELETE FROM counters WHERE bucket_s >= ? AND bucket_s < ?", window)
