"""After an answer: what the customer thinks of it, and asking for a human.

A ticket is durable before its number is told.
"""

from __future__ import annotations

import secrets

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat.session import Session
from edge.chat.session_rows import now_ms
from edge.store import counters
from edge.store.store import Store

# Without letters and digits that are mistaken for one another when read aloud.
TICKET_LETTERS = "ACDEFGHJKLMNPQRTUVWXY34679"
TICKET_LENGTH = 6
REASON_CHARS_MAX = 1000


class TurnNotFound(PosternError):
    """The turn is not one of this conversation."""

    code = "turn_not_found"
    title = "There is no such answer in this conversation"
    remedy = "Ask again, then use the new answer's identifier."
    status = 404


async def request_handoff(store: Store, session: Session, turn_id: str) -> str:
    """Ask for a human about a turn; returns the ticket's number, the same one when asked twice. Raises TurnNotFound."""

    def insert(db: Database) -> str:
        _own_turn(db, session, turn_id)
        ticket = "".join(secrets.choice(TICKET_LETTERS) for _ in range(TICKET_LENGTH))
        db.execute(
            "INSERT OR IGNORE INTO handoffs(ticket, turn, session, state, created_ms) VALUES (?, ?, ?, 'waiting', ?)",
            [ticket, turn_id, session.id, now_ms()],
        )
        if db.execute("SELECT changes()").fetchone()[0]:
            counters.count(db, "handoffs", "opened")
        return str(db.execute("SELECT ticket FROM handoffs WHERE turn = ?", [turn_id]).fetchone()[0])

    return await store.write(insert)


async def give_feedback(
    store: Store, session: Session, turn_id: str, useful: bool, reason: str | None
) -> None:
    """Keep what the customer thinks of an answer; the last word counts. Raises TurnNotFound."""

    def insert(db: Database) -> None:
        _own_turn(db, session, turn_id)
        sealed = session.key.seal("feedback", turn_id, "reason", reason.encode()) if reason else None
        db.execute(
            "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)", [turn_id, int(useful), sealed, now_ms()]
        )
        counters.count(db, "feedback", "useful" if useful else "not_useful")

    await store.write(insert)


def _own_turn(db: Database, session: Session, turn_id: str) -> None:
    if (
        db.execute("SELECT 1 FROM turns WHERE id = ? AND session = ?", [turn_id, session.id]).fetchone()
        is None
    ):
        raise TurnNotFound
