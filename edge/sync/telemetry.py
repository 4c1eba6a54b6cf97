"""From counters to one outbox row a bucket, in which nothing points at a single turn.

What is told is itself a bucket that may have been: one in which nothing happened beside it. So whoever reads it, and
knows these rules and how counters add up, cannot show that a turn was there which is not told (ADR 65).

Runs inside `Store.write`; reads no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlite_utils import Database

from edge.store import daily_counts
from edge.store.counters import CELLS, SMALLEST_CELL
from edge.store.outbox import OutboxClass, append

KIND = "telemetry.bucket"
# After months offline: at most so many buckets a transaction, so that a turn never waits long behind it.
BUCKETS_MAX = 48

_ROUTES = CELLS["turns"]
_WRITTEN = frozenset({"generate", "overflow"})
# Cells of the other counters, and the routes of which they are a part: every turn has its seconds; what a model wrote
# was shown (`grounded`), or the answer is in the documents' words.
_PARTS: tuple[tuple[str, Collection[str], Collection[str]], ...] = (
    ("turn_seconds", CELLS["turn_seconds"], _ROUTES),
    ("generated", {"grounded"}, _WRITTEN),
    ("generated", CELLS["generated"] - {"grounded"}, {"answer"}),
    ("feedback", CELLS["feedback"], _ROUTES),
    ("handoffs", CELLS["handoffs"], _ROUTES),
)

Counts = Mapping[str, Mapping[str, int]]


def told(counts: Counts) -> dict[str, dict[str, int]]:
    """What goes up of a bucket's counts. Pure.

    Turns by route: cells of SMALLEST_CELL and more, exactly; smaller ones not at all, as if they were none. Every other
    counter: in steps of SMALLEST_CELL, and in sum no more than is told of the turns that it is a part of.
    """
    turns = {cell: counted for cell, counted in counts.get("turns", {}).items() if counted >= SMALLEST_CELL}
    found = {"turns": turns}
    for name, cells, routes in _PARTS:
        whole = sum(counted for route, counted in turns.items() if route in routes)
        part = {cell: counted for cell, counted in counts.get(name, {}).items() if cell in cells}
        found.setdefault(name, {}).update(_at_most(part, whole))
    return {name: cells for name, cells in found.items() if cells}


def _at_most(cells: Mapping[str, int], whole: int) -> dict[str, int]:
    """The cells in steps, the largest made smaller until the sum is no more than `whole`."""
    found = {cell: counted - counted % SMALLEST_CELL for cell, counted in cells.items()}
    while sum(found.values()) > whole:
        largest = max(found, key=lambda cell: (found[cell], cell))
        found[largest] -= SMALLEST_CELL
    return {cell: counted for cell, counted in found.items() if counted}


def close_buckets(db: Database, now_s: int, length_s: int) -> int:
    """Turn each finished bucket into an outbox row, unless there is nothing to tell, and delete its counters.

    Returns how many buckets were closed, BUCKETS_MAX at most.
    """
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
    counted: dict[str, dict[str, int]] = {}
    for name, cell, number in db.execute(
        'SELECT name, cell, sum("count") FROM counters WHERE bucket_s >= ? AND bucket_s < ? GROUP BY name, cell',
        window,
    ):
        counted.setdefault(name, {})[cell] = number
    if counts := told(counted):
        append(db, OutboxClass.METRICS, KIND, {"start_s": start_s, "length_s": length_s, "counts": counts})
    daily_counts.keep(db, *window)
    db.execute("DELETE FROM counters WHERE bucket_s >= ? AND bucket_s < ?", window)
