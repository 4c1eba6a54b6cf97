"""What text was let out: each question that is asked before a text goes is answered from an index."""

from __future__ import annotations

import random

import pytest
import sqlcipher3
from sqlite_utils import Database

from edge.privacy import forgetting
from edge.store import migrations, text_uses


class Watched(Database):
    """Remembers each statement about the table."""

    def __init__(self) -> None:
        super().__init__(sqlcipher3.connect(":memory:", isolation_level=None))
        self.asked: list[tuple[str, object]] = []

    def execute(self, sql: str, parameters: object = None) -> object:  # type: ignore[override]
        if "text_uses" in sql and not sql.startswith(("INSERT", "EXPLAIN")):
            self.asked.append((sql, parameters))
        return super().execute(sql, parameters)  # type: ignore[arg-type]


def test_no_question_reads_the_whole_table() -> None:
    db = Watched()
    migrations.site.apply(db)
    db.asked.clear()
    text_uses.add(db, "overflow", "s", "public", 1, 0)
    text_uses.spent(db, "overflow", "s", 0)
    text_uses.spent_at_most(db, "overflow", "s", text_uses.SpentBefore(0, 0, 0, 0))
    forgetting.forget_conversation(db, "s")
    assert len(db.asked) == 5
    for sql, parameters in db.asked:
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()]  # type: ignore[attr-defined]
        assert any(step.startswith("SEARCH text_uses USING") for step in steps), steps
        assert not any(step.startswith("SCAN") for step in steps), steps


@pytest.mark.parametrize("purpose", ["overflow", "lan_llm"])
def test_what_a_conversation_used_is_found_by_both_its_name_and_the_purpose(purpose: str) -> None:
    db = Watched()
    migrations.site.apply(db)
    text_uses.spent(db, purpose, "s", 0)
    sql, parameters = db.asked[-1]
    (step,) = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()]  # type: ignore[attr-defined]
    assert "session=? AND purpose=?" in step


def test_what_was_spent_before_and_since_is_no_less_than_what_is_spent() -> None:
    """And exactly that while no row leaves the hour or the day."""
    db, chance, hour = Watched(), random.Random(1), 3_600_000
    migrations.site.apply(db)
    now, same = 30 * hour, 0
    for _ in range(200):
        before = text_uses.SpentBefore(
            int(db.execute("SELECT coalesce(max(id), 0) FROM text_uses").fetchone()[0]),  # type: ignore[attr-defined]
            now,
            *text_uses.spent(db, "overflow", "", now)[:2],
        )
        for _ in range(3):
            purpose = chance.choice(("overflow", "lan_llm"))
            text_uses.add(db, purpose, chance.choice("ab"), "public", chance.randint(0, 9), now)
            now += chance.choice((0, 1, hour // 2))
        most, spent = (
            text_uses.spent_at_most(db, "overflow", "a", before),
            text_uses.spent(db, "overflow", "a", now),
        )
        assert all(at_most >= exactly for at_most, exactly in zip(most, spent, strict=True))
        same += most == spent
    assert same > 5
