"""Callers of SQLite who wait together are committed together, and a fault of one is nobody else's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.store import database as stores
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import (
    SqliteDatabase,
    StoreUnavailable,
    Work,
)
from cloud_sync.store.schema import audit
from tests.cloud_store import opened_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with opened_store(tmp_path) as opened:
        assert isinstance(opened, SqliteDatabase)
        yield opened


def _note(number: int) -> Work[int]:
    def write(connection: sa.Connection) -> int:
        add_audit(connection, AuditRow(NOW, "ada", "note", str(number)))
        return number

    return write


async def _noted(store: SqliteDatabase) -> list[int]:
    query = sa.select(audit.c.subject).order_by(audit.c.id)
    return [int(subject) for subject in await store.run(lambda c: list(c.execute(query).scalars()))]


async def _held(store: SqliteDatabase, calls: list[Work[int]]) -> list[int | BaseException]:
    """The calls, all in line before the first of them is served."""
    gate = threading.Event()
    first = asyncio.create_task(store.run(lambda _: gate.wait(10)))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(store.run(call)) for call in calls]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait({first})
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_those_who_wait_together_share_a_commit_and_keep_their_order(
    store: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "GROUP_S", 60.0)
    commits = 0

    def count(_: sa.Connection) -> None:
        nonlocal commits
        commits += 1

    sa.event.listen(store._engine, "commit", count)
    more = stores.GROUP_CALLERS_MAX + 5
    assert await _held(store, [_note(number) for number in range(more)]) == list(range(more))
    assert commits == 2  # the first caller takes GROUP_CALLERS_MAX - 1 along
    assert await _noted(store) == list(range(more))


async def test_a_fault_of_one_is_nobody_elses(store: SqliteDatabase) -> None:
    def broken(connection: sa.Connection) -> int:
        _note(99)(connection)
        raise ValueError("fault")

    found = await _held(store, [_note(1), broken, _note(2)])
    assert (found[0], found[2]) == (1, 2)
    assert isinstance(found[1], ValueError)
    assert await _noted(store) == [1, 2]


async def test_what_takes_the_transaction_with_it_is_told_to_all_who_were_in_it(
    store: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "GROUP_S", 60.0)

    def full(connection: sa.Connection) -> int:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself on a full disk
        raise StoreUnavailable("full")

    found = await _held(store, [_note(1), full, _note(2)])
    assert isinstance(found[0], StoreUnavailable)
    assert isinstance(found[1], StoreUnavailable)
    assert found[2] == 2  # behind it in line, and in a transaction of its own
    assert await _noted(store) == [2]


async def test_who_went_away_while_waiting_is_left_out(store: SqliteDatabase) -> None:
    gate = threading.Event()
    first = asyncio.create_task(store.run(lambda _: gate.wait(10)))
    await asyncio.sleep(0)
    gone, stays = asyncio.create_task(store.run(_note(1))), asyncio.create_task(store.run(_note(2)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    gate.set()
    await asyncio.gather(first, stays)
    assert await _noted(store) == [2]


async def test_nobody_waits_for_ever_when_no_transaction_can_be_begun(
    store: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(store._engine, "begin", away)
    found = await asyncio.wait_for(
        asyncio.gather(*(store.run(_note(n)) for n in range(3)), return_exceptions=True), 10
    )
    assert all(isinstance(each, StoreUnavailable) for each in found)
