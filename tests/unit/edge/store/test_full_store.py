"""A full disk (SQLITE_FULL, which SQLite raises for real at a limit of pages): a write is whole or not there at all.

A row that could not be written has used no sequence: what the control plane gets later has neither hole nor double.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlite_utils import Database

from edge.config import site_paths
from edge.store import outbox
from edge.store.outbox import OutboxClass
from edge.store.outbox_quotas import GAP_KIND, ROW_BYTES, set_quotas
from edge.store.store import Store
from edge.store.unwritable import StoreUnwritable

PAGES_MAX = 2**31 - 1
# Of pages: more than are free anywhere.
LARGE = "x" * 200_000


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    yield opened
    await opened.close()


async def limit(store: Store, more: int | None) -> None:
    """The file takes `more` pages from now on; None: as many as it wants."""

    def set_limit(db: Database) -> None:
        pages = int(db.execute("PRAGMA page_count").fetchone()[0])
        db.execute(f"PRAGMA max_page_count={PAGES_MAX if more is None else pages + more}")

    await store._site.alone(set_limit)


def business(db: Database, n: int, text: str) -> int:
    """A row of the business, and the one that tells the control plane of it."""
    db.execute("INSERT INTO meta(name, value) VALUES (?, ?)", [f"business {n}", text.encode()])
    return outbox.append(db, OutboxClass.STATE, "test", {"n": n})


async def told(store: Store) -> list[tuple[int, int]]:
    """(sequence, what it tells) of all that waits."""
    waiting = await store.read(lambda db: outbox.rows_after(db, 0, 10_000, 10**9))
    return [(row.sequence, json.loads(row.payload)["n"]) for row in waiting]


async def done(store: Store) -> list[int]:
    query = "SELECT name FROM meta WHERE name LIKE 'business %' ORDER BY rowid"
    return await store.read(lambda db: [int(name.split()[1]) for (name,) in db.execute(query)])


@pytest.mark.parametrize("first", ["business", "outbox"])
async def test_on_a_full_disk_neither_row_is_written_and_no_sequence_is_used(
    store: Store, first: str
) -> None:
    await store.write(lambda db: business(db, 1, "small"))

    def write(db: Database) -> None:
        if first == "outbox":  # the row that goes up fits, the other does not
            outbox.append(db, OutboxClass.STATE, "test", {"n": 2})
            db.execute("INSERT INTO meta(name, value) VALUES ('business 2', ?)", [LARGE.encode()])
        else:
            db.execute("INSERT INTO meta(name, value) VALUES ('business 2', x'')")
            outbox.append(db, OutboxClass.STATE, "test", {"n": 2, "text": LARGE})

    await limit(store, 2)
    with pytest.raises(StoreUnwritable):
        await store.write(write)
    assert (await done(store), await told(store)) == ([1], [(1, 1)])
    await limit(store, None)
    await store.write(write)
    assert await done(store) == [1, 2]
    assert await told(store) == [(1, 1), (2, 2)]


async def test_who_is_committed_with_others_is_told_the_truth(store: Store) -> None:
    """SQLite may undo the whole group for one that is too large: then nobody of it is told that it is durable."""
    await limit(store, 2)
    results = await asyncio.gather(
        *(store.write(lambda db, n=n: business(db, n, LARGE if n == 3 else "")) for n in range(1, 6)),  # type: ignore[misc]
        return_exceptions=True,
    )
    written = [n for n, result in enumerate(results, start=1) if not isinstance(result, BaseException)]
    assert isinstance(results[2], StoreUnwritable)
    assert await done(store) == written
    assert await told(store) == list(enumerate(written, start=1))
    assert [result for result in results if isinstance(result, int)] == list(range(1, len(written) + 1))


async def test_over_many_fillings_what_goes_up_has_neither_hole_nor_double(store: Store) -> None:
    """With quotas so small that rows make way for gap records meanwhile."""
    chance = random.Random(5)
    await store.write(lambda db: set_quotas(db, {OutboxClass.STATE: 40 * (ROW_BYTES + 10)}))
    written: list[int] = []
    refused = 0
    for n in range(300):
        if chance.random() < 0.1:
            await limit(store, chance.choice((0, 3, None)))
        try:
            sequence = await store.write(
                lambda db, n=n: business(db, n, "x" * chance.choice((1, 9_000, 90_000)))
            )  # type: ignore[misc]
        except StoreUnwritable:
            refused += 1
        else:
            written.append(n)
            assert sequence == len(written)
    assert refused > 20
    assert await done(store) == written
    due = 1
    for row in await store.read(lambda db: outbox.rows_after(db, 0, 10_000, 10**9)):
        said = json.loads(row.payload)
        assert due == (said["first"] if row.kind == GAP_KIND else row.sequence)
        assert row.kind == GAP_KIND or said["n"] == written[row.sequence - 1]
        due = row.sequence + 1
    assert due == len(written) + 1
    sizes = "SELECT sum(rows), sum(bytes) FROM outbox_sizes"
    counted = f"SELECT count(*), sum(length(payload) + {ROW_BYTES}) FROM outbox"
    assert await store.read(lambda db: db.execute(sizes).fetchone()) == await store.read(
        lambda db: db.execute(counted).fetchone()
    )
