"""Feedback: the last word counts, words are sealed, and what did not help becomes one redacted example."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge.chat import feedback, improvement
from edge.chat.feedback import Reason
from edge.chat.handoff import TurnNotFound
from edge.chat.session import Session
from edge.inference.scheduler import QueueFull
from models.detect import patterns
from models.detect.detector import Finding
from tests.unit.edge.chat.desk_rig import Rig, rig, scan_forms, scan_without_names

QUESTION = "Where can I park? Call me on 617-555-0123."
REDACTED = "Where can I park? Call me on [PHONE]."
CITED = [
    {"doc": "parking.md", "version": 1},
    {"doc": "fees.md", "version": 2},
    {"doc": "parking.md", "version": 1},
]


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


async def examples(desk: Rig) -> list[tuple[str, Any]]:
    rows = await desk.store.read(
        lambda db: db.execute("SELECT text, label FROM examples ORDER BY id").fetchall()
    )
    return [(text, json.loads(label)["reason"]) for text, label in rows]


async def counts(desk: Rig) -> dict[str, int]:
    query = "SELECT cell, \"count\" FROM counters WHERE name = 'feedback'"
    rows = await desk.store.read(lambda db: db.execute(query).fetchall())
    found: dict[str, int] = {}
    for cell, number in rows:  # of one or two buckets
        found[cell] = found.get(cell, 0) + number
    return found


async def give(desk: Rig, session: Session, turn: str, useful: bool, **more: Any) -> None:
    await feedback.give(desk.store, session, turn, useful, **{"scan": scan_forms} | more)


async def test_not_useful_becomes_one_redacted_example_tied_to_nobody(desk: Rig) -> None:
    session = await desk.arrive()
    turn = await desk.turn(session, QUESTION, citations=CITED)
    await give(desk, session, turn, False)
    await give(desk, session, turn, False)
    await give(desk, session, turn, False, reason=Reason.OUTDATED, words="the car park moved")
    assert await examples(desk) == [(REDACTED, "outdated")]
    (label,) = await desk.store.read(lambda db: db.execute("SELECT label FROM examples").fetchone())
    assert json.loads(label) == {"documents": ["fees.md", "parking.md"], "reason": "outdated"}
    assert await counts(desk) == {"not_useful": 1}
    await desk.sessions.wipe(session.id)
    assert await examples(desk) == [(REDACTED, "outdated")]
    assert await desk.count("feedback") == 0


async def test_the_last_word_counts(desk: Rig) -> None:
    session = await desk.arrive()
    turn = await desk.turn(session, QUESTION, citations=CITED)
    await give(desk, session, turn, True)
    assert await examples(desk) == []
    await give(desk, session, turn, False, reason=Reason.WRONG)
    useful, sealed = await desk.store.read(
        lambda db: db.execute("SELECT useful, reason FROM feedback").fetchone()
    )
    assert (useful, b"wrong" in sealed) == (0, False)
    told = json.loads(session.key.open("feedback", turn, "reason", sealed))
    assert told == {"reason": "wrong", "words": None}
    assert await counts(desk) == {"useful": 1, "not_useful": 1}


async def test_feedback_on_another_conversations_answer_is_none(desk: Rig) -> None:
    turn = await desk.turn(await desk.arrive())
    with pytest.raises(TurnNotFound):
        await give(desk, await desk.arrive(), turn, True)


async def test_unanswered_questions_are_redacted(desk: Rig) -> None:
    spans = patterns.scan(QUESTION)
    await desk.store.write(lambda db: improvement.note_unanswered(db, QUESTION, spans, 1000))
    row = await desk.store.read(
        lambda db: db.execute("SELECT text, state, vector FROM unanswered").fetchone()
    )
    assert row == (REDACTED, "open", improvement.NO_VECTOR)


async def test_the_oldest_give_way(desk: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(improvement, "UNANSWERED_MAX", 3)
    for number in range(5):
        await desk.store.write(lambda db, n=number: improvement.note_unanswered(db, f"q{n}", [], n))
    rows = await desk.store.read(lambda db: db.execute("SELECT text FROM unanswered ORDER BY id").fetchall())
    assert rows == [("q2",), ("q3",), ("q4",)]


async def test_without_a_scan_the_customer_is_heard_and_nothing_is_learnt(desk: Rig) -> None:
    async def fails(_: str) -> Finding:
        raise QueueFull(0.0)

    session = await desk.arrive()
    turn = await desk.turn(session, QUESTION, citations=CITED)
    await give(desk, session, turn, False, scan=fails)
    assert await counts(desk) == {"not_useful": 1}
    assert await examples(desk) == []


async def test_where_names_were_not_looked_for_nothing_is_learnt(desk: Rig) -> None:
    session = await desk.arrive()
    turn = await desk.turn(session, "May Zacharias come?", citations=CITED)
    await give(desk, session, turn, False, scan=scan_without_names)
    assert (await examples(desk), await counts(desk)) == ([], {"not_useful": 1})
