"""What the store has of conversations that move between nodes: functions of the database."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from sqlite_utils import Database

from edge.chat import session_rows, turn_rows
from edge.chat.continuation import TURNS_MAX, Continuation, ContinuationRefused, Turn
from edge.chat.session import Session
from edge.privacy.policy import Purpose
from edge.store import text_uses
from models.detect.label import Label, highest

NOT_MOVED: Final = 0


def moves(db: Database, conversation: str) -> int | None:
    """How often it had moved when it came here; None for one that this node never had, or had long ago."""
    row = db.execute(
        "SELECT moves FROM continuations WHERE conversation = ?", [_digest(conversation)]
    ).fetchone()
    return int(row[0]) if row else None


def begin(db: Database, conversation: str, expires_ms: int) -> None:
    """From here on tokens of it go out: none of them is taken by this node itself."""
    db.execute(
        "INSERT OR IGNORE INTO continuations VALUES (?, ?, ?)", [_digest(conversation), NOT_MOVED, expires_ms]
    )


def refuse_taken(db: Database, told: Continuation) -> None:
    """Raises ContinuationRefused: taken before, newer ones too, or this node gave it out itself."""
    here = moves(db, told.conversation)
    if here is not None and told.moves <= here:
        raise ContinuationRefused("It goes on already.")


def take(db: Database, told: Continuation) -> None:
    """Once. Raises ContinuationRefused."""
    refuse_taken(db, told)
    values = [_digest(told.conversation), told.moves + 1, told.expires_ms]
    db.execute("INSERT OR REPLACE INTO continuations VALUES (?, ?, ?)", values)


def erased_since(keys: Database, digest: bytes, at_ms: int) -> bool:
    """Whether this node has erased the person since. A function of the file of keys."""
    return (
        keys.execute("SELECT 1 FROM erasures WHERE digest = ? AND erased_ms >= ?", [digest, at_ms]).fetchone()
        is not None
    )


def label(db: Database, session_id: str) -> Label:
    """The most sensitive of the conversation's texts; what nobody can read counts as that."""
    known = text_uses.conversation(db, session_id)
    return highest(known.labels if known else ())


def newest(db: Database, session: Session) -> tuple[Turn, ...]:
    """The conversation's newest turns, oldest first."""
    rows = db.execute(
        "SELECT id, created_ms, route, label, redactions, body FROM turns WHERE session = ? "
        "ORDER BY created_ms DESC, rowid DESC LIMIT ?",
        [session.id, TURNS_MAX],
    ).fetchall()
    return tuple(
        Turn(row[0], row[1], row[2], row[3], json.loads(row[4]), _body(session, row[0], bytes(row[5])))
        for row in reversed(rows)
    )


def restore(db: Database, session: Session, told: Continuation) -> None:
    """The turns that came along, under the key of the person here, and what sticks to the conversation."""
    for turn in told.turns:
        turn_rows.put(db, session, turn)
    for purpose, size in told.spent.items():
        text_uses.add(db, purpose, session.id, told.label, size, session_rows.now_ms())
    if told.label != label(db, session.id):  # that of a turn which did not come along
        text_uses.add(db, Purpose.OVERFLOW, session.id, told.label, 0, session_rows.now_ms())


def _body(session: Session, turn_id: str, sealed: bytes) -> dict[str, object]:
    body: dict[str, object] = json.loads(session.key.open("turns", turn_id, "body", sealed))
    return body


def _digest(conversation: str) -> bytes:
    return hashlib.sha256(conversation.encode()).digest()
