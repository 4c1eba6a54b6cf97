"""What was handed to servers of the site's own network: a row before the first byte, completed at the end. No text.

A conversation's rows name it for its receipt; when it is forgotten the rows stay, about no one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

# Of one conversation, shown on its receipt.
SHOWN_MAX = 1000
# Outcome: the server took all of it, and answered.
WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class LanUse:
    """One request. `outcome`: "begun" until it ended."""

    at_ms: int
    service: str
    host: str
    bytes: int
    outcome: str


def begin(db: Database, service: str, host: str, size: int, session: str, at_ms: int) -> int:
    """Note that `size` bytes are about to go to `host`; `session` "" where none is concerned.

    Returns the row's id. A conversation that was forgotten meanwhile is not named.
    """
    row = db.execute(
        "INSERT INTO lan_uses(at_ms, service, host, bytes, session, outcome) "
        " VALUES (?, ?, ?, ?, coalesce((SELECT id FROM sessions WHERE id = ?), ''), 'begun') RETURNING id",
        [at_ms, service, host, size, session],
    ).fetchone()
    return int(row[0])


def end(db: Database, use: int, outcome: str) -> None:
    """How it ended: a word of the program."""
    db.execute("UPDATE lan_uses SET outcome = ? WHERE id = ?", [outcome, use])


def of_session(db: Database, session: str) -> list[LanUse]:
    """What a conversation caused, oldest first."""
    query = "SELECT at_ms, service, host, bytes, outcome FROM lan_uses WHERE session = ? ORDER BY id LIMIT ?"
    return [LanUse(*row) for row in db.execute(query, [session, SHOWN_MAX])]
