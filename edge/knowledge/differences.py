"""Documents that say different things about the same: noted when a customer was shown both, listed for staff.

Functions of the database, for `Store.write` and `Store.read`. A row holds words of documents only, never of a customer;
it is listed as long as both documents still stand in these versions.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

# Far more than staff put right in a day; beyond it new ones wait until old ones are mended.
ROWS_MAX = 500

_STILL = (
    "EXISTS (SELECT 1 FROM documents WHERE id = first AND version = first_version AND state = 'approved')"
    " AND EXISTS (SELECT 1 FROM documents WHERE id = second AND version = second_version AND state = 'approved')"
)

_LIST = (
    "SELECT first, first_version, first_quote, second, second_version, second_quote, noted_ms"  # noqa: S608 - ours
    f" FROM differences WHERE {_STILL} ORDER BY noted_ms DESC, first, second"
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two documents, and what it says."""

    document: str
    version: int
    quote: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Two documents that differ; `noted_ms`: when a customer was last shown both."""

    first: Side
    second: Side
    noted_ms: int


def note(db: Database, one: Side, other: Side, at_ms: int) -> None:
    """Keep a pair, once, in whichever order it was met."""
    db.execute(f"DELETE FROM differences WHERE NOT ({_STILL})")  # noqa: S608 - ours
    first, second = sorted((one, other), key=lambda side: (side.document, side.quote))
    if int(db.execute("SELECT count(*) FROM differences").fetchone()[0]) >= ROWS_MAX:
        return
    db.execute(
        "INSERT OR REPLACE INTO differences(first, first_version, first_quote, second, second_version,"
        " second_quote, noted_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [first.document, first.version, first.quote, second.document, second.version, second.quote, at_ms],
    )


def count(db: Database) -> int:
    """How many pairs still differ."""
    return int(db.execute(f"SELECT count(*) FROM differences WHERE {_STILL}").fetchone()[0])  # noqa: S608 - ours


def listing(db: Database) -> list[Difference]:
    """Pairs that still differ, the latest first."""
    rows = db.execute(_LIST)
    return [Difference(Side(*row[0:3]), Side(*row[3:6]), row[6]) for row in rows]
