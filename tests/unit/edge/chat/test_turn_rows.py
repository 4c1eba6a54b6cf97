"""What a turn leaves beside its own row: a question that the documents do not answer, redacted, or nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.chat import turn_rows
from edge.chat.turn import NO_ANSWER
from models.detect.detector import Detector
from tests.unit.edge.chat.desk_rig import rig

QUESTION = "May Zacharias call 617-555-0123?"


@pytest.mark.parametrize("complete", [True, False])
async def test_an_unanswered_question_is_kept_where_names_were_looked_for(
    tmp_path: Path, complete: bool
) -> None:
    finding = replace(Detector("US").of_forms(QUESTION), complete=complete)
    async with rig(tmp_path) as desk:
        session = await desk.arrive()
        await desk.store.write(
            lambda db: turn_rows.insert(db, session, "t", QUESTION, NO_ANSWER, finding, 0.1)
        )
        rows = await desk.store.read(lambda db: db.execute("SELECT text FROM unanswered").fetchall())
        told = await desk.store.read(
            lambda db: db.execute("SELECT cell, \"count\" FROM counters WHERE name = 'turns'").fetchall()
        )
    assert rows == ([("May Zacharias call [PHONE]?",)] if complete else [])
    assert told == [("handoff", 1)]  # counted either way
