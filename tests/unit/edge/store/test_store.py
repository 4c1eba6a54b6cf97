"""The store: durable in groups, one failure undoes only itself, one process at a time, nothing readable on disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlcipher3
from cryptography.exceptions import InvalidTag
from sqlite_utils import Database

from edge.config import site_paths
from edge.keys import KeysUnusable
from edge.store import outbox, store
from edge.store.connection import (
    StoreInUse,
    StoreUnusable,
    connect_to_read,
)
from edge.store.outbox import OutboxClass, acknowledge, append, read_epoch
from edge.store.safe_sqlite import SAFE_SQLITE, refuse_unsafe_sqlite
from edge.store.schema import KEY_TABLES, TABLES
from edge.store.store import SPACE_BYTES_MIN, Store, StoreBusy, StoreClosed
from edge.store.subjects import create_key, load_key, shred_key

CANARY = b"zebra-canary-4711"


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    yield opened
    await opened.close()


def add_row(db: Database) -> int:
    return outbox.append(db, OutboxClass.STATE, "test", {"n": 1})


def add_row_and_fail(db: Database) -> int:
    add_row(db)
    raise ValueError("after the row")


async def test_a_failed_write_undoes_only_itself(opened: Store) -> None:
    results = await asyncio.gather(
        opened.write(add_row), opened.write(add_row_and_fail), opened.write(add_row), return_exceptions=True
    )
    assert results[0] == 1
    assert isinstance(results[1], ValueError)
    assert results[2] == 2
    assert (await opened.read(outbox.stats)).rows == 2


async def test_a_write_whose_caller_has_gone_is_whole_and_holds_up_nobody(opened: Store) -> None:
    """A client may leave at any moment: a turn is recorded with all its rows, or not at all."""
    leaving = asyncio.create_task(opened.write(lambda db: [add_row(db), add_row(db)]))
    await asyncio.sleep(0)  # up to where it waits for the commit
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await opened.write(add_row) == 3
    assert (await opened.read(outbox.stats)).rows == 3


@pytest.mark.proves("durability")
async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    first = Store.open(site_paths(tmp_path))
    await first.write(add_row)
    epoch = (await first.read(outbox.stats)).epoch
    await first.close()
    second = Store.open(site_paths(tmp_path))
    stats = await second.read(outbox.stats)
    await second.close()
    assert (stats.rows, stats.epoch) == (1, epoch)


async def test_a_second_process_is_refused(opened: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreInUse):
        Store.open(site_paths(tmp_path))


async def test_after_close_nothing_is_written(tmp_path: Path) -> None:
    closed = Store.open(site_paths(tmp_path))
    await closed.close()
    with pytest.raises(StoreClosed):
        await closed.write(add_row)


async def test_more_writes_than_may_wait_are_refused_at_once(opened: Store) -> None:
    release, started = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(db: Database) -> None:
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    holding = asyncio.create_task(opened.write(hold))
    await started.wait()
    waiting = [asyncio.create_task(opened.write(add_row)) for _ in range(store.WRITES_WAITING_MAX)]
    await asyncio.sleep(0)  # one turn of the loop: every task has put its write into the queue
    with pytest.raises(StoreBusy):
        await opened.write(add_row)
    release.set()
    await holding
    assert len(await asyncio.gather(*waiting)) == store.WRITES_WAITING_MAX


@pytest.mark.proves("encryption-at-rest")
async def test_no_text_is_readable_in_any_file(tmp_path: Path) -> None:
    opened = Store.open(site_paths(tmp_path))
    await opened.write(lambda db: db.execute("INSERT INTO meta VALUES ('canary', ?)", [CANARY]))
    while_open = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    await opened.close()
    after = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(while_open) >= 5
    assert not any(CANARY in content for content in while_open + after)


@pytest.mark.proves("encryption-at-rest")
async def test_another_key_does_not_open_the_store(tmp_path: Path) -> None:
    paths = site_paths(tmp_path)
    await Store.open(paths).close()
    other = site_paths(tmp_path / "other")
    await Store.open(other).close()
    paths.store.write_bytes(other.store.read_bytes())
    with pytest.raises(StoreUnusable, match="key"):
        Store.open(paths)


async def test_a_reader_beside_the_store_sees_what_is_committed_and_changes_nothing(
    opened: Store, tmp_path: Path
) -> None:
    paths = site_paths(tmp_path)
    await opened.write(add_row)
    reader = connect_to_read(paths.store, opened.keys.store)
    try:
        count = "SELECT count(*) FROM outbox"
        before = reader.execute(count).fetchone()[0]
        await opened.write(add_row)
        assert reader.execute(count).fetchone()[0] == before + 1
        with pytest.raises(sqlcipher3.OperationalError):
            reader.execute("DELETE FROM outbox")
        assert await opened.read(lambda db: db.execute(count).fetchone()[0]) == before + 1
    finally:
        reader.conn.close()
    with pytest.raises(StoreUnusable):
        connect_to_read(paths.store, bytes(32))


@pytest.mark.proves("keys")
async def test_without_its_keys_a_store_stays_closed_and_as_it_is(tmp_path: Path) -> None:
    paths = site_paths(tmp_path)
    await Store.open(paths).close()
    before = paths.store.read_bytes()
    shutil.rmtree(paths.keys)
    for _ in range(2):
        with pytest.raises(KeysUnusable, match=r"site\.db"):
            Store.open(paths)
    assert paths.store.read_bytes() == before


@pytest.mark.proves("durability")
@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 2)])
def test_sqlite_with_the_wal_reset_bug_is_refused(version: tuple[int, ...]) -> None:
    with pytest.raises(StoreUnusable):
        refuse_unsafe_sqlite(version)


def test_sqlite_without_the_wal_reset_bug_is_taken() -> None:
    refuse_unsafe_sqlite(SAFE_SQLITE)
    refuse_unsafe_sqlite()


@pytest.mark.proves("tested-releases")
async def test_every_column_of_the_files_has_a_privacy_tag(opened: Store) -> None:
    def columns(db: Database) -> dict[str, set[str]]:
        own = ("sqlite_", "_sqlite")
        return {t.name: {c.name for c in t.columns} for t in db.tables if not t.name.startswith(own)}

    assert await opened.read(columns) == {name: set(table.columns) for name, table in TABLES.items()}
    assert await opened.read_keys(columns) == {name: set(table.columns) for name, table in KEY_TABLES.items()}


@pytest.mark.proves("encryption-at-rest")
async def test_a_shredded_key_is_gone(opened: Store) -> None:
    key = await opened.write_keys(lambda keys: create_key(keys, "anna"))
    sealed = key.seal("turns", "1", "body", b"secret")
    found = await opened.read_keys(lambda keys: load_key(keys, "anna"))
    assert found is not None
    assert found.open("turns", "1", "body", sealed) == b"secret"
    await opened.write_keys(lambda keys: shred_key(keys, "anna"))
    assert await opened.read_keys(lambda keys: load_key(keys, "anna")) is None


@pytest.mark.proves("encryption-at-rest", "integrity")
async def test_a_sealed_value_is_bound_to_its_row(opened: Store) -> None:
    key = await opened.write_keys(lambda keys: create_key(keys, "anna"))
    sealed = key.seal("turns", "1", "body", b"secret")
    with pytest.raises(InvalidTag):
        key.open("turns", "2", "body", sealed)


async def test_outbox_rows_come_in_order_within_both_limits(opened: Store) -> None:
    for _ in range(5):
        await opened.write(add_row)
    by_count = await opened.read(lambda db: outbox.rows_after(db, 1, rows_max=2, bytes_max=10_000))
    assert [row.sequence for row in by_count] == [2, 3]
    by_size = await opened.read(lambda db: outbox.rows_after(db, 0, rows_max=9, bytes_max=1))
    assert [row.sequence for row in by_size] == [1]


async def test_an_acknowledgement_of_another_epoch_deletes_nothing(opened: Store) -> None:
    await opened.write(add_row)
    assert await opened.write(lambda db: outbox.acknowledge(db, b"other", 1)) == 0
    epoch = (await opened.read(outbox.stats)).epoch
    assert await opened.write(lambda db: outbox.acknowledge(db, epoch, 1)) == 1
    stats = await opened.read(outbox.stats)
    assert (stats.rows, stats.newest_sequence) == (0, 1)


# --- outside transactions ---


async def test_what_runs_alone_is_in_no_transaction_and_comes_after_what_waits(opened: Store) -> None:
    def insert(db: Database) -> None:
        db.execute("INSERT INTO meta(name, value) VALUES ('before', x'')")

    def look(db: Database) -> tuple[bool, int]:
        (count,) = db.execute("SELECT count(*) FROM meta WHERE name = 'before'").fetchone()
        return db.conn.in_transaction, count

    _, found = await asyncio.gather(opened.write(insert), opened._site.alone(look))
    assert found == (False, 1)


async def test_a_fault_of_what_runs_alone_is_its_callers(opened: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        await opened._site.alone(lambda _: 1 // 0)
    assert await opened.write(lambda _: "still writing") == "still writing"


async def test_a_store_that_is_too_large_keeps_its_pages(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await opened.tidy(all_pages=True)
    size = await opened.read(lambda db: int(db.execute("PRAGMA page_count").fetchone()[0]) * 4096)
    monkeypatch.setattr(store, "COMPACT_BYTES_MAX", size)
    assert await opened.tidy(all_pages=True)
    monkeypatch.setattr(store, "COMPACT_BYTES_MAX", size - 1)
    assert not await opened.tidy(all_pages=True)
    assert await opened.tidy(all_pages=False)


async def test_without_room_for_a_copy_a_file_stays_as_it_is(opened: Store) -> None:
    def compact(db: Database) -> bool:
        db.execute("BEGIN")
        try:
            return store._compact(db)  # SQLite refuses it here, as on a full disk
        finally:
            db.execute("ROLLBACK")

    assert not await opened._site.alone(compact)


async def test_space_that_a_drain_has_freed_goes_back_to_the_disk(opened: Store, tmp_path: Path) -> None:
    path = site_paths(tmp_path).store

    def fill(db: Database) -> None:
        for _ in range(1000):
            append(db, OutboxClass.STATE, "a.kind", {"text": "x" * 10_000})

    await opened.write(fill)
    await opened.give_back_space()
    filled = path.stat().st_size + path.with_name(f"{path.name}-wal").stat().st_size
    assert filled > 10_000_000
    await opened.write(lambda db: acknowledge(db, read_epoch(db), 1000))
    given = 0
    while more := await opened.give_back_space():
        given += more
    left = path.stat().st_size + path.with_name(f"{path.name}-wal").stat().st_size
    assert given > 5_000_000
    assert left < filled - given + SPACE_BYTES_MIN
    assert await opened.read(lambda db: db.execute("SELECT count(*) FROM outbox").fetchone()[0]) == 0
