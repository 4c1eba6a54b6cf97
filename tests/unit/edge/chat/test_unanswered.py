"""Unanswered questions: grouped by vectors that are made once, dismissed and answered with a row of audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from edge.chat import improvement
from edge.chat.unanswered import NoSuchQuestion, Unanswered
from edge.config import site_paths
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store

ANGLES = {"parking": 0.0, "where to park": 10.0, "parrots": 90.0}


class Embedder:
    """Texts as directions in a plane; counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        radians = np.deg2rad(np.array([ANGLES[text] for text in texts], dtype=np.float32))
        return np.stack([np.cos(radians), np.sin(radians)], axis=1)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    for at_ms, text in enumerate(["parrots", "parking", "where to park", "parking"]):
        await opened.write(lambda db, t=text, at=at_ms: improvement.note_unanswered(db, t, [], at))  # type: ignore[misc]
    yield opened
    await opened.close()


async def test_similar_questions_stand_together_the_most_frequent_first(store: Store) -> None:
    embed = Embedder()
    found = await Unanswered(store, embed, lambda: 2).groups()
    assert [(group.ids, set(group.wordings), group.newest_ms) for group in found] == [
        ((2, 3, 4), {"parking", "where to park"}, 3),
        ((1,), {"parrots"}, 0),
    ]
    again = await Unanswered(store, embed, lambda: 2).groups()
    assert again == found
    assert sorted(embed.asked) == ["parking", "parking", "parrots", "where to park"]  # once a row, then kept


async def test_vectors_of_another_encoder_are_made_anew(store: Store) -> None:
    await store.write(lambda db: db.execute("UPDATE unanswered SET vector = ?", [b"\0" * 12]))
    embed = Embedder()
    assert len(await Unanswered(store, embed, lambda: 2).groups()) == 2
    assert len(embed.asked) == 4


async def test_what_is_dismissed_or_answered_is_gone_and_written_down(store: Store) -> None:
    unanswered = Unanswered(store, Embedder(), lambda: 2)
    assert await unanswered.dismiss([1], "mira") == 1
    assert await unanswered.answered([2, 3, 4], "mira", "answers/parking.md") == 3
    assert await unanswered.groups() == []
    for closed in (unanswered.dismiss([1], "mira"), unanswered.answered([99], "mira", "x")):
        with pytest.raises(NoSuchQuestion):
            await closed
    rows = await store.read(lambda db: audit.search(db, AuditFilter(action="unanswered."), 10))
    assert [(row.action, row.object) for row in reversed(rows)] == [
        ("unanswered.dismissed", "1 questions"),
        ("unanswered.answered", "answers/parking.md"),
    ]
