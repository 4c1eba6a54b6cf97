"""What a customer thinks of an answer: useful or not, and why. The last word counts; the words are sealed."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat import improvement
from edge.chat.handoff import own_turn
from edge.chat.session import Session
from edge.chat.session_rows import now_ms
from edge.store import counters
from edge.store.store import Store
from models.detect.detector import Finding

log = logging.getLogger(__name__)

REASON_CHARS_MAX = 1000


class Reason(StrEnum):
    """Why an answer did not help, as the page offers it."""

    WRONG = "wrong"
    NOT_MY_QUESTION = "not_my_question"
    INCOMPLETE = "incomplete"
    OUTDATED = "outdated"
    UNCLEAR = "unclear"
    OTHER = "other"


async def give(
    store: Store,
    session: Session,
    turn_id: str,
    useful: bool,
    *,
    reason: Reason | None = None,
    words: str | None = None,
    scan: Callable[[str], Awaitable[Finding]],
) -> None:
    """Keep what the customer thinks; "not useful" also becomes an example to learn from, once, redacted by `scan`.

    Raises TurnNotFound.
    """
    redacted = None if useful else await _redacted(store, session, turn_id, scan)

    def insert(db: Database) -> None:
        turn = own_turn(db, session, turn_id)
        before = _before(db, session, turn_id)
        now = _Given(useful, reason)
        sealed = (
            session.key.seal("feedback", turn_id, "reason", _packed(reason, words))
            if reason or words
            else None
        )
        db.execute(
            "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?)", [turn_id, int(useful), sealed, now_ms()]
        )
        if before is None or before.useful is not useful:
            counters.count(db, "feedback", "useful" if useful else "not_useful")
        if redacted is not None and now != before:
            _learn(db, turn, redacted, before, reason)

    await store.write(insert)


async def _redacted(
    store: Store, session: Session, turn_id: str, scan: Callable[[str], Awaitable[Finding]]
) -> str | None:
    """The turn's question without what is personal; None where that cannot be told now. Raises TurnNotFound."""
    turn = await store.read(lambda db: own_turn(db, session, turn_id))
    question = str(turn["question"])
    try:
        finding = await scan(question)
    except PosternError as error:
        # The customer is heard all the same; there is no example without a scan.
        log.warning("nothing is learnt from an answer that did not help", extra={"code": error.code})
        return None
    return finding.redacted(question) if finding.complete else None


@dataclass(frozen=True, slots=True)
class _Given:
    useful: bool
    reason: Reason | None


def _before(db: Database, session: Session, turn_id: str) -> _Given | None:
    """What the customer said last time."""
    row = db.execute("SELECT useful, reason FROM feedback WHERE turn = ?", [turn_id]).fetchone()
    if row is None:
        return None
    if row[1] is None:
        return _Given(bool(row[0]), None)
    told = json.loads(session.key.open("feedback", turn_id, "reason", bytes(row[1])))["reason"]
    return _Given(bool(row[0]), Reason(told) if told else None)


def _learn(
    db: Database, turn: Mapping[str, Any], text: str, before: _Given | None, reason: Reason | None
) -> None:
    """One example an answer: a reason that is given later replaces the one without."""
    documents = [str(citation["doc"]) for citation in turn["citations"]]
    replaces = None if before is None or before.useful else improvement.label(documents, before.reason)
    improvement.note_not_helpful(db, text, improvement.label(documents, reason), replaces, now_ms())


def _packed(reason: Reason | None, words: str | None) -> bytes:
    return json.dumps({"reason": reason, "words": words}, ensure_ascii=False).encode()
