"""The rows of conversations: functions of the database, run inside `Store.write` and `Store.read`."""

from __future__ import annotations

import time
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from edge.knowledge import versions
from edge.store import consents, lan_uses, pseudonym_rows, text_uses
from edge.store.consents import Consent, Purpose

# Rows that one sweep looks at; what is left over is taken by the next.
SWEPT_ROWS_MAX = 500
_COLUMNS = "id, subject, channel, locale, expires_ms, token_hash, notice_version, overflow_consent, audience"


class SessionNotFound(PosternError):
    """No such conversation, or not with this token; the two are told apart by nobody."""

    code = "session_not_found"
    title = "This conversation has ended"
    remedy = "Start a new conversation."
    status = 401


def now_ms() -> int:
    """Wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def insert(db: Database, row: dict[str, Any]) -> None:
    """A conversation begins. `row`: the table's columns by name."""
    db.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?)", [row["subject"], row["created_ms"]])
    names = ", ".join(row)
    db.execute(f"INSERT INTO sessions({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608 - names of ours


def select(db: Database, session_id: str) -> tuple[Any, ...] | None:
    """One conversation's row."""
    row: tuple[Any, ...] | None = db.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE id = ?",  # noqa: S608 - names of ours
        [session_id],
    ).fetchone()
    return row


def consent(
    db: Database,
    session_id: str,
    notice_version: str,
    overflow: bool | None,
    at_ms: int,
    digest: bytes | None,
) -> None:
    """The notice was read, and overflow permitted, refused or (None) not spoken of. Raises SessionNotFound.

    `digest`: whose; what is new is noted for them in the same transaction. None: nobody spoke for themselves.
    """
    row = db.execute(
        "SELECT notice_version, overflow_consent FROM sessions WHERE id = ?", [session_id]
    ).fetchone()
    if row is None:
        raise SessionNotFound
    before = None if row[1] is None else bool(row[1])
    permitted = _permitted(before, overflow)
    db.execute(
        "UPDATE sessions SET notice_version=?, overflow_consent=?, consented_ms=? WHERE id=?",
        [notice_version, permitted, at_ms, session_id],
    )
    if digest is None:
        return
    if row[0] != notice_version:
        consents.add(db, digest, Consent(Purpose.NOTICE, notice_version, given=True, at_ms=at_ms))
    if permitted is not None and permitted != before:
        consents.add(db, digest, Consent(Purpose.OVERFLOW, notice_version, permitted, at_ms))


def _permitted(before: bool | None, said: bool | None) -> bool | None:
    """What holds now; what was given and is not given again is withdrawn."""
    if said is None:
        return False if before else before
    return said


def require_open(db: Database, session_id: str) -> None:
    """For the transaction of a turn: nothing is kept of a conversation that was wiped meanwhile.

    Raises SessionNotFound.
    """
    if db.execute("SELECT 1 FROM sessions WHERE id = ?", [session_id]).fetchone() is None:
        raise SessionNotFound


def ended(db: Database, at_ms: int) -> list[str]:
    """Conversations whose time is over by the wall clock."""
    query = "SELECT id FROM sessions WHERE expires_ms <= ? LIMIT ?"
    return [row[0] for row in db.execute(query, [at_ms, SWEPT_ROWS_MAX])]


def identifiers(db: Database) -> list[str]:
    """Every conversation."""
    return [row[0] for row in db.execute("SELECT id FROM sessions")]


def delete(db: Database, session_id: str, subject: str) -> None:
    """Forget a conversation's rows. A ticket that was handed over stays, without its conversation."""
    db.execute("DELETE FROM feedback WHERE turn IN (SELECT id FROM turns WHERE session = ?)", [session_id])
    versions.forget_session(db, session_id, now_ms())
    db.execute("DELETE FROM turns WHERE session = ?", [session_id])
    db.execute("UPDATE handoffs SET session = '' WHERE session = ?", [session_id])
    lan_uses.forget_session(db, session_id)
    pseudonym_rows.forget_session(db, session_id)
    text_uses.forget_session(db, session_id)
    db.execute("DELETE FROM sessions WHERE id = ?", [session_id])
    db.execute("DELETE FROM subjects WHERE id = ?", [subject])
