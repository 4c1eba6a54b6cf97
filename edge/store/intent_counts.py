"""What people asked for on each day: counts for the site's own staff, about no single person; they never leave."""

from __future__ import annotations

import time

from sqlite_utils import Database

DAY_S = 86_400
# Questions of no known intent; the space keeps it apart from the names of intents.
OUT_OF_SCOPE = "out of scope"


def count(db: Database, intent: str, *, now_s: float | None = None) -> None:
    """Add one to an intent's count of today (UTC), inside the caller's transaction."""
    day = int((time.time() if now_s is None else now_s) // DAY_S)
    db.execute(
        'INSERT INTO intent_counts(day, intent, "count") VALUES (?, ?, 1) '
        'ON CONFLICT(day, intent) DO UPDATE SET "count" = "count" + 1',
        [day, intent],
    )


def since(db: Database, day: int) -> dict[str, int]:
    """Sums by intent from `day` (days since the epoch, UTC) on, most frequent first."""
    rows = db.execute(
        'SELECT intent, sum("count") FROM intent_counts WHERE day >= ? GROUP BY intent ORDER BY 2 DESC, 1',
        [day],
    )
    return {str(intent): int(number) for intent, number in rows}
