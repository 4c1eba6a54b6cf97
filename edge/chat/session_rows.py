"""The rows of conversations: functions of the database, run inside `Store.write` and `Store.read`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat.conversation import Channel, Session
from edge.knowledge import versions
from edge.knowledge.document import Audience
from edge.privacy import forgetting
from edge.store import consents
from edge.store.consents import Consent, Purpose
from edge.store.subjects import SubjectKey

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


def insert(db: Database, row: Mapping[str, object]) -> None:
    """A conversation begins. `row`: the table's columns by name."""
    db.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?)", [row["subject"], row["created_ms"]])
    names = ", ".join(row)
    db.execute(f"INSERT INTO sessions({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608 - names of ours


def select(db: Database, session_id: str) -> tuple[Any, ...] | None:
    """One conversation's row, unless it has ended."""
    row: tuple[Any, ...] | None = db.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE id = ? AND ended_ms IS NULL",  # noqa: S608 - names of ours
        [session_id],
    ).fetchone()
    return row


def session_of(row: tuple[Any, ...], key: SubjectKey) -> Session:
    """What `select` has found, of somebody whose key is still there."""
    name, _, channel, locale, expires_ms, token_hash, notice_version, overflow_consent, audience = row
    told = (notice_version, bool(overflow_consent), Audience(audience))
    return Session(name, key, Channel(channel), locale, expires_ms, bytes(token_hash), *told)


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
        "SELECT notice_version, overflow_consent FROM sessions WHERE id = ? AND ended_ms IS NULL",
        [session_id],
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


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a conversation was told and agreed to. `text`: the notice's words; `overflow` None: nobody was asked."""

    version: str
    text: str | None
    overflow: bool | None
    at_ms: int


def agreed(db: Database, session_id: str) -> Agreed | None:
    """What holds now; None before the notice was accepted. Raises SessionNotFound."""
    row = db.execute(
        "SELECT notice_version, overflow_consent, consented_ms FROM sessions WHERE id = ?", [session_id]
    ).fetchone()
    if row is None:
        raise SessionNotFound
    version, overflow, at_ms = row
    if version is None:
        return None
    permitted = None if overflow is None else bool(overflow)
    return Agreed(version, consents.words(db, version), permitted, at_ms)


def require_open(db: Database, session_id: str) -> None:
    """For the transaction of a turn: nothing is kept of a conversation that has ended meanwhile.

    Raises SessionNotFound.
    """
    if not db.execute("SELECT 1 FROM sessions WHERE id = ? AND ended_ms IS NULL", [session_id]).fetchone():
        raise SessionNotFound


def ended(db: Database, at_ms: int) -> list[str]:
    """Conversations whose time is over by the wall clock."""
    query = "SELECT id FROM sessions WHERE expires_ms <= ? AND ended_ms IS NULL LIMIT ?"
    return [row[0] for row in db.execute(query, [at_ms, SWEPT_ROWS_MAX])]


def identifiers(db: Database) -> list[str]:
    """Every conversation that has not ended."""
    return [row[0] for row in db.execute("SELECT id FROM sessions WHERE ended_ms IS NULL")]


def owner(db: Database, session_id: str) -> str:
    """Whose conversation it is; "" when there is none."""
    row = db.execute("SELECT subject FROM sessions WHERE id = ?", [session_id]).fetchone()
    return str(row[0]) if row else ""


def of_subject(db: Database, subject: str) -> list[str]:
    """A person's conversations, also those that have ended."""
    return [row[0] for row in db.execute("SELECT id FROM sessions WHERE subject = ?", [subject])]


def forget_subject(db: Database, subject: str) -> None:
    """Nobody knows that they were ever here."""
    db.execute("DELETE FROM subjects WHERE id = ?", [subject])


def kept(db: Database) -> list[str]:
    """Whose conversations are over and kept, for a legal hold that they were under."""
    return [row[0] for row in db.execute("SELECT DISTINCT subject FROM sessions WHERE ended_ms IS NOT NULL")]


def end(db: Database, session_id: str, at_ms: int) -> None:
    """A conversation is over, and its rows stay."""
    db.execute("UPDATE sessions SET ended_ms = coalesce(ended_ms, ?) WHERE id = ?", [at_ms, session_id])


def delete(db: Database, session_id: str) -> None:
    """Forget a conversation's rows. A ticket that was handed over stays, without its conversation."""
    forgetting.forget_conversation(db, session_id)
    versions.prune(db, now_ms())
