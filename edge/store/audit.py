"""Who saw, changed, took out or was refused what: rows that are only ever added.

Functions of the database, for `Store.write` and `Store.read`, so that a row commits together with the change that it
tells of. Actions and outcomes are words of the program, objects are identifiers; no text of a customer comes here.
A refusal that is repeated counts on in its row for a minute: whoever tries all day must not fill the disk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlite_utils import Database

# Longest identifier that a row keeps, in characters: a document's name can be a path.
OBJECT_CHARS_MAX = 200
# Longest name of who acts, in characters: names of logins and programs are shorter.
ACTOR_CHARS_MAX = 80

REFUSALS_TOGETHER_MS: Final = 60_000
"""How long a repeated refusal counts on in the row of the first: a person sees an attempt within the minute."""

REFUSAL_ROWS_MAX: Final = 100
"""Different refusals of one actor in that time that get a row each: more than the console has pages that one role may
be refused. Whoever tries everything at once leaves some 10 MB a day, and the count is whole all the same. Each actor
has their own: nobody's flood hides what another is refused. Only those whom nobody knows share one."""

Refusal = tuple[str, str, str]
"""Actor, action and object."""

LOGINS: Final = "login."
"""Beginning of the actions that have a row past REFUSAL_ROWS_MAX too: of somebody's password being guessed. They are
few, as the program itself names their objects."""


class Kind(StrEnum):
    """What somebody did, as an auditor asks for it."""

    VIEW = "view"
    EXPORT = "export"
    CHANGE = "change"
    DELETE = "delete"
    NONE = "none"
    """Nothing that is written down; the rule says why."""


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
    count: int
    """How often, of a refusal that was repeated; else 1."""


@dataclass(frozen=True)
class AuditFilter:
    """Which rows: an empty field takes all. `action` is a beginning ("documents" finds "documents.add")."""

    actor: str = ""
    action: str = ""
    object: str = ""
    outcome: str = ""
    since_ms: int = 0
    """From this moment on; 0 from the first row."""
    until_ms: int = 0
    """Before this moment; 0 to the last row."""
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
) -> int:
    """Add a row inside the caller's transaction; its number. `subject` identifies what was seen or changed."""
    when = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    done = db.execute(
        "INSERT INTO audit(at_ms, actor, action, object, outcome) VALUES (?, ?, ?, ?, ?)",
        [when, actor[:ACTOR_CHARS_MAX], action, subject[:OBJECT_CHARS_MAX], str(outcome)],
    )
    return int(done.lastrowid or 0)


def refused(
    db: Database, actor: str, action: str, subject: str = "", at_ms: int | None = None, *, times: int = 1
) -> None:
    """Write down that something was refused, in the row of the same refusal where that is not a minute old.

    Past REFUSAL_ROWS_MAX different ones in a minute the row `rest_of` the actor counts.
    """
    all_refused(db, {(actor, action, subject): times}, at_ms)


def all_refused(db: Database, refusals: Mapping[Refusal, int], at_ms: int | None = None) -> None:
    """As `refused`, how often by what: one look at the last minute for all of them."""
    when = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    rows = _refused_lately(db, when)
    of_actor = Counter(actor for actor, *rest in rows if (actor, *rest) != rest_of(actor))
    for (actor, action, subject), times in refusals.items():
        what = (actor[:ACTOR_CHARS_MAX], action, subject[:OBJECT_CHARS_MAX])
        if what not in rows and not action.startswith(LOGINS) and of_actor[what[0]] >= REFUSAL_ROWS_MAX:
            what = rest_of(actor)
        if what in rows:
            db.execute("UPDATE audit SET count = count + ? WHERE id = ?", [times, rows[what]])
        else:
            done = db.execute(
                "INSERT INTO audit(at_ms, actor, action, object, outcome, count) VALUES (?, ?, ?, ?, ?, ?)",
                [when, *what, str(Outcome.REFUSED), times],
            )
            rows[what] = int(done.lastrowid or 0)
            of_actor[what[0]] += what != rest_of(actor)


def rest_of(actor: str) -> Refusal:
    """Actor, action and object of the row that counts what one actor is refused past REFUSAL_ROWS_MAX."""
    return (actor[:ACTOR_CHARS_MAX], "refused", "")


def _refused_lately(db: Database, when: int) -> dict[Refusal, int]:
    """Numbers of the rows that count on, found by the index on time."""
    rows = db.execute(
        "SELECT actor, action, object, id FROM audit INDEXED BY audit_at "
        "WHERE at_ms > ? AND at_ms <= ? AND outcome = ?",
        [when - REFUSALS_TOGETHER_MS, when, str(Outcome.REFUSED)],
    )
    return {(actor, action, subject): number for actor, action, subject, number in rows}


def search(db: Database, wanted: AuditFilter, rows_max: int) -> list[AuditRow]:
    """The newest rows that fit, newest first."""
    where, values = _where(wanted)
    rows = db.execute(f"{_SELECT} WHERE {where} ORDER BY id DESC LIMIT ?", [*values, rows_max])
    return [AuditRow(*row) for row in rows]


def forward(db: Database, wanted: AuditFilter, after_id: int, up_to_id: int, rows_max: int) -> list[AuditRow]:
    """Rows that fit, the oldest first: those after one number, up to another."""
    where, values = _where(wanted)
    rows = db.execute(
        f"{_SELECT} WHERE id > ? AND id <= ? AND {where} ORDER BY id LIMIT ?",
        [after_id, up_to_id, *values, rows_max],
    )
    return [AuditRow(*row) for row in rows]


def count(db: Database, wanted: AuditFilter, count_max: int) -> int:
    """How many rows fit; it stops counting at `count_max`."""
    where, values = _where(wanted)
    some = f"SELECT 1 FROM audit WHERE {where} LIMIT ?"  # noqa: S608 - the tests are constants
    found = db.execute(f"SELECT count(*) FROM ({some})", [*values, count_max])  # noqa: S608 - as above
    return int(found.fetchone()[0])


def of_subject(db: Database, label: str, tickets: Sequence[str], rows_max: int) -> list[AuditRow]:
    """Who saw or changed what of one person, newest first: rows of `label` (`SubjectDigests.label`), and of the
    tickets that are theirs, by number.
    """
    marks = ", ".join("?" * (1 + len(tickets)))
    rows = db.execute(
        f"{_SELECT} WHERE object IN ({marks}) ORDER BY id DESC LIMIT ?",
        [label, *tickets, rows_max],
    )
    return [AuditRow(*row) for row in rows]


_SELECT: Final = "SELECT id, at_ms, actor, action, object, outcome, count FROM audit"


def _where(wanted: AuditFilter) -> tuple[str, list[str | int]]:
    """SQL of constants, and the values for its places."""
    tests = (
        ("actor = ?", wanted.actor),
        ("object = ?", wanted.object),
        ("outcome = ?", wanted.outcome),
        ("substr(action, 1, length(?)) = ?", wanted.action),
        ("at_ms >= ?", wanted.since_ms),
        ("at_ms < ?", wanted.until_ms),
        ("id < ?", wanted.before_id),
    )
    parts, values = ["1"], list[str | int]()
    for test, value in tests:
        if value:
            parts.append(test)
            values += [value] * test.count("?")
    return " AND ".join(parts), values
