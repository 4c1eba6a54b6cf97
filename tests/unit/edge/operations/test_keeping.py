"""`privacy.retention`: every table with its term."""

from __future__ import annotations

from typing import Any

from core.clock_trust import DAY_MS
from edge.config import RetentionSection
from edge.operations.keeping import KeepingOperations
from edge.store.schema import KEY_TABLES, TABLES
from edge.store.store import Store


async def call(store: Store, name: str, arguments: dict[str, object]) -> Any:
    operations = KeepingOperations(store, RetentionSection()).table()
    return await operations[name](arguments, lambda _: None)


async def test_every_table_is_told_with_its_term(store: Store) -> None:
    await store.write(
        lambda db: db.execute(
            "INSERT INTO unanswered(created_ms, text, vector, state) VALUES (7, '', x'', 'open')"
        )
    )
    await store.write(lambda db: db.execute("INSERT INTO daily_counts VALUES (19000, 'turns', 'answer', 3)"))
    await store.write_keys(lambda db: db.execute("INSERT INTO subject_keys VALUES ('session:1', x'00', 9)"))
    found = {row["table"]: row for row in await call(store, "privacy.retention", {})}
    assert found.keys() == {*TABLES, *KEY_TABLES}
    assert found["unanswered"] == {
        "table": "unanswered",
        "kept": "30 days",
        "rule": "after it was asked",
        "rows": 1,
        "oldest_ms": 7,
        "due_ms": 7 + 30 * DAY_MS,
    }
    assert found["daily_counts"]["oldest_ms"] == 19_000 * DAY_MS
    assert found["daily_counts"]["due_ms"] == 19_031 * DAY_MS
    assert found["subject_keys"]["rows"] == 1
    assert found["subject_keys"]["due_ms"] is None
    assert found["audit"] == {
        **found["audit"],
        "kept": "6 years",
        "rows": 0,
        "oldest_ms": None,
        "due_ms": None,
    }
