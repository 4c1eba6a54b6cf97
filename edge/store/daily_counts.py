"""What happened how often on each day, kept at the site for its own staff; about no single person, never sent.

`counters` are rolled up and deleted as they go up; their sums stay here for as long as the site keeps them.
"""

from __future__ import annotations

from sqlite_utils import Database

DAY_S = 86_400


def keep(db: Database, start_s: int, end_s: int) -> None:
    """Add the counters of a bucket, from `start_s` to before `end_s`, to their day, inside the caller's transaction."""
    day = start_s // DAY_S
    db.execute(
        'INSERT INTO daily_counts(day, name, cell, "count") '
        'SELECT ?, name, cell, sum("count") FROM counters WHERE bucket_s >= ? AND bucket_s < ? GROUP BY name, cell '
        'ON CONFLICT(day, name, cell) DO UPDATE SET "count" = "count" + excluded."count"',
        [day, start_s, end_s],
    )


def by_day(db: Database, name: str, first_day: int, last_day: int) -> list[tuple[int, int]]:
    """(day, sum of all cells) for every day of the span, those without a count as 0."""
    sums: dict[int, int] = dict.fromkeys(range(first_day, last_day + 1), 0)
    rows = db.execute(
        'SELECT day, sum("count") FROM ('
        'SELECT day, "count" FROM daily_counts WHERE name = ? UNION ALL '
        'SELECT bucket_s / ?, "count" FROM counters WHERE name = ?) WHERE day BETWEEN ? AND ? GROUP BY day',
        [name, DAY_S, name, first_day, last_day],
    )
    sums.update((day, counted) for day, counted in rows)
    return sorted(sums.items())


def since(db: Database, day: int) -> dict[str, dict[str, int]]:
    """Sums from `day` (days since the epoch, UTC) on, by name and cell, with what is not yet rolled up."""
    found: dict[str, dict[str, int]] = {}
    rows = db.execute(
        'SELECT name, cell, sum("count") FROM ('
        'SELECT name, cell, "count" FROM daily_counts WHERE day >= ? UNION ALL '
        'SELECT name, cell, "count" FROM counters WHERE bucket_s >= ?) GROUP BY name, cell',
        [day, day * DAY_S],
    )
    for name, cell, counted in rows:
        found.setdefault(name, {})[cell] = counted
    return found
