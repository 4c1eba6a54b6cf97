"""Who of the staff saw, changed or was refused what: rows that are only ever added.

Functions of the database, for `Store.write` and `Store.read`, so that a row commits together with the change that it
tells of. Actions and outcomes are words of the program, objects are identifiers; no text of a customer comes here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from sqlite_utils import Database

# Longest identifier that a row keeps, in characters: a document's name can be a path.
OBJECT_CHARS_MAX = 200


class Outcome(StrEnum):
    """How it ended. What runs outside one transaction is written down as begun before, and as done or failed after."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class AuditRow:
    """One row as it is shown."""

    id: int
    at_ms: int
    actor: str
    action: str
    object: str
    outcome: str


@dataclass(frozen=True)
class AuditFilter:
    """Which rows: an empty field takes all. `action` is a beginning ("documents" finds "documents.add")."""

    actor: str = ""
    action: str = ""
    object: str = ""
    outcome: str = ""
    before_id: int = 0
    """Rows older than this one; 0 for the newest."""


def append(
    db: Database,
    actor: str,
    action: str,
    subject: str = "",
    outcome: Outcome = Outcome.DONE,
    *,
    at_ms: int | None = None,
) -> None:
    """Add a row inside the caller's transaction. `subject` is the identifier of what was seen or changed."""
    when = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    db.execute(
        "INSERT INTO audit(at_ms, actor, action, object, outcome) VALUES (?, ?, ?, ?, ?)",
        [when, actor, action, subject[:OBJECT_CHARS_MAX], str(outcome)],
    )


def search(db: Database, wanted: AuditFilter, rows_max: int) -> list[AuditRow]:
    """The newest rows that fit, newest first."""
    tests, values = ["1"], list[str | int]()
    for column, value in (("actor", wanted.actor), ("object", wanted.object), ("outcome", wanted.outcome)):
        if value:
            tests.append(f"{column} = ?")
            values.append(value)
    if wanted.action:
        tests.append("substr(action, 1, ?) = ?")
        values += [len(wanted.action), wanted.action]
    if wanted.before_id:
        tests.append("id < ?")
        values.append(wanted.before_id)
    where = " AND ".join(tests)
    rows = db.execute(
        f"SELECT id, at_ms, actor, action, object, outcome FROM audit WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - the tests are the constants above
        [*values, rows_max],
    )
    return [AuditRow(*row) for row in rows]
