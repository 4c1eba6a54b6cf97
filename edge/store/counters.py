"""Counting inside a turn's own transaction: what happened how often, about no single person.

Counts are kept per COUNT_WIDTH_S, the shortest bucket that a site can choose, and rolled up later
(edge/sync/telemetry.py). Names and cells are fixed here, so that no text can become a counter.
"""

from __future__ import annotations

import time

from sqlite_utils import Database

# Width of a stored counter, seconds: every bucket that config.TelemetrySection allows is a multiple of it.
COUNT_WIDTH_S = 10

# Upper bounds of the latency cells, seconds: 1 s is the promise to a customer, 30 s the longest that anyone waits.
SECONDS_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OVER_ALL_BOUNDS = "more"
_SECONDS_CELLS = tuple((bound, f"{bound:g}") for bound in SECONDS_BOUNDS)

CELLS: dict[str, frozenset[str]] = {
    "turns": frozenset({"answer", "generate", "overflow", "clarify", "handoff", "refuse", "safety"}),
    "turn_seconds": frozenset({*(name for _, name in _SECONDS_CELLS), OVER_ALL_BOUNDS}),
    # Answers that the language model began: shown, or why quotes took their place (edge/chat/generating.py).
    "generated": frozenset(
        {
            *("grounded", "declined", "words", "values", "names", "denial", "condition", "meaning"),
            *("busy", "late", "empty", "too_long", "steering", "refused", "failed"),
        }
    ),
    "feedback": frozenset({"useful", "not_useful"}),
    "handoffs": frozenset({"opened"}),
}
# Below this many, a count at a named site could point at a person (DESIGN.md, invariant 10).
SMALLEST_CELL = 5

_ADD = (
    'INSERT INTO counters(bucket_s, name, cell, "count") VALUES (?, ?, ?, 1) '
    'ON CONFLICT(bucket_s, name, cell) DO UPDATE SET "count" = "count" + 1'
)


def count(db: Database, name: str, cell: str, *, now_s: float | None = None) -> None:
    """Add one to a cell, inside the caller's transaction. Raises ValueError for a counter that is not in CELLS."""
    if cell not in CELLS.get(name, ()):
        raise ValueError(f"no such counter: {name}")
    at = int(time.time() if now_s is None else now_s)
    db.conn.execute(_ADD, (at - at % COUNT_WIDTH_S, name, cell))


def observe(db: Database, name: str, seconds: float, *, now_s: float | None = None) -> None:
    """Add one to the cell of a histogram that `seconds` falls into."""
    cell = next((text for bound, text in _SECONDS_CELLS if seconds <= bound), OVER_ALL_BOUNDS)
    count(db, name, cell, now_s=now_s)
