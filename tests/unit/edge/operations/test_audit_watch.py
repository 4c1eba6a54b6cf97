"""Rows of audit that are missing are said within the hour, until they are explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import metrics
from edge.config import site_paths
from edge.operations import audit_watch
from edge.store import audit, audit_check
from edge.store.store import Store

KEPT_DAYS = 2192


async def test_missing_rows_are_a_loud_fallback_until_they_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_watch, "PART_ROWS", 2)
    store = Store.open(site_paths(tmp_path))
    told: list[bool] = []
    steps = iter(("", "DELETE FROM audit WHERE id = 3", "", "stop"))

    async def pause(seconds: float) -> None:
        assert seconds == audit_watch.EVERY_S
        told.append("audit_rows:missing" in metrics.fallbacks())
        step = next(steps)
        if step == "stop":
            raise StopAsyncIteration
        if step:
            await store.write(lambda db: db.execute(step))
        elif len(told) == 3:
            await store.write(lambda db: audit_check.note_purged(db, 1))

    for _ in range(5):
        await store.write(lambda db: audit.append(db, "ada", "audit.view"))
    with pytest.raises(StopAsyncIteration):
        await audit_watch.watch(store, KEPT_DAYS, pause=pause)
    assert told == [False, False, True, False]
    await store.close()
