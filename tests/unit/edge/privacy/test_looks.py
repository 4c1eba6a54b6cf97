"""Looks for what is due: a hold placed during one, one that the disk refuses, pages that are never written anew."""

from __future__ import annotations

import asyncio

import pytest
from sqlcipher3 import OperationalError

from edge import metrics
from edge.config import SitePaths
from edge.privacy import retaining
from edge.privacy.retaining import COMPACTED_WITHIN_MS, Purge
from edge.store import store as store_module
from edge.store.store import Store
from tests.aged_rows import START_MS, Clocks
from tests.raw_pages import log_of
from tests.unit.edge.privacy.retaining_rig import put, retaining_of

HELD, FREE = "patient-7", "patient-8"


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.mark.proves("legal-hold")
async def test_a_hold_that_is_placed_during_a_purge_is_kept_from_the_next_step_on(
    store: Store, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "STEP_ROWS", 1)
    for subject in (FREE, HELD):
        await put(store, "audit", 0, store.digests.label(subject))
    keeper = retaining_of(store, clocks)

    async def hold(_: float) -> None:
        await store.write_keys(
            lambda db: db.execute("INSERT OR IGNORE INTO holds VALUES (?, 'case 1', 'dpo', 0, NULL)", [HELD])
        )

    monkeypatch.setattr(keeper, "_pause", hold)
    assert (await keeper.look()).rows == {"audit": 1}
    assert await store.read(lambda db: db.execute("SELECT object FROM audit").fetchall()) == [
        (store.digests.label(HELD),)
    ]


async def test_a_look_that_the_disk_refuses_is_tried_again(
    store: Store, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, looks = retaining_of(store, clocks), 0
    look = keeper.look
    shown: list[bool] = []

    async def full_at_first() -> Purge:
        nonlocal looks
        looks += 1
        if looks <= 2:
            raise OperationalError("database or disk is full")
        return await look()

    async def pause(_: float) -> None:
        shown.append("retention:failed" in metrics.fallbacks())
        if len(shown) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(keeper, "look", full_at_first)
    monkeypatch.setattr(keeper, "_pause", pause)
    with pytest.raises(asyncio.CancelledError):
        await keeper.run()
    assert shown == [True, True, False]
    assert keeper.last is not None


@pytest.mark.parametrize(
    ("ms", "behind"), [(0, False), (COMPACTED_WITHIN_MS, False), (COMPACTED_WITHIN_MS + 1, True)]
)
async def test_a_store_that_is_never_written_anew_says_so(
    store: Store, paths: SitePaths, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, ms: int, behind: bool
) -> None:
    monkeypatch.setattr(store_module, "COMPACT_BYTES_MAX", 0)
    first = retaining_of(store, clocks)
    await first.look()
    assert first.anew_ms == START_MS
    clocks.run(ms)
    keeper = retaining_of(store, clocks)  # the node was started again
    await keeper.look()
    assert keeper.anew_ms == START_MS
    assert keeper._pages_behind() == ("not_written_anew" if behind else "")
    monkeypatch.undo()
    clocks.run(3_600_000)
    await keeper.look()
    assert (keeper.anew_ms, keeper._pages_behind()) == (clocks.wall_ms, "")
    assert log_of(paths.store).stat().st_size == 0
