"""Leases on either engine: one replica works at a time, and another goes on when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa

from cloud_sync.fleet.leases import Lease, LeaseLost, Leases, LeaseTerms
from cloud_sync.store import leases as leases_module
from cloud_sync.store.database import Database, StoreUnavailable, Work
from cloud_sync.store.leases import give_back, take
from cloud_sync.store.schema import leases as table
from tests.cloud_store import opened_store

T = TypeVar("T")
WAIT_S = 30.0
# Looks often; long enough for a machine that does much else meanwhile.
TERMS = LeaseTerms(length_s=20, renew_s=0.05, retry_s=0.05, stop_s=1)
# Ends soon.
SHORT = LeaseTerms(length_s=1.2, renew_s=0.05, retry_s=0.05, stop_s=0.6)
LONG = timedelta(hours=1)


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path, engine) as opened:
        yield opened


class Worker:
    """Notes whether it works."""

    def __init__(self) -> None:
        self.works = asyncio.Event()
        self.stopped = asyncio.Event()
        self.lease: Lease | None = None

    async def work(self, lease: Lease) -> None:
        self.lease = lease
        self.works.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.works.clear()
            self.stopped.set()


@asynccontextmanager
async def kept(leases: Leases, worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(leases.keep("rollouts", worker.work))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _renewed(store: Database) -> None:
    until = await store.run(_expires)
    async with asyncio.timeout(WAIT_S):
        while await store.run(_expires) == until:
            await asyncio.sleep(0.01)


def _expires(connection: sa.Connection) -> object:
    return connection.execute(sa.select(table.c.expires_at)).scalar_one()


async def _soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(WAIT_S):
        await event.wait()


async def test_one_works_and_the_other_goes_on_when_it_stops(store: Database) -> None:
    first, second = Worker(), Worker()
    async with kept(Leases(store, TERMS), first) as task:
        await _soon(first.works)
        async with kept(Leases(store, TERMS), second):
            for _ in range(3):
                await _renewed(store)
                assert first.works.is_set()
                assert not second.works.is_set()
            task.cancel()
            await _soon(second.works)
            assert first.stopped.is_set()


async def test_work_ends_with_the_lease_and_cannot_write_after_it(store: Database) -> None:
    worker = Worker()
    async with kept(Leases(store, TERMS), worker):
        await _soon(worker.works)
        lease = worker.lease
        assert lease is not None
        await store.run(lease.check)

        def taken_over(connection: sa.Connection) -> bool:
            give_back(connection, lease.name, lease.holder)
            return take(connection, lease.name, "another", timedelta(seconds=TERMS.length_s))

        assert await store.run(taken_over)
        with pytest.raises(LeaseLost):
            await store.run(lease.check)
        await _soon(worker.stopped)
        await store.run(lambda connection: give_back(connection, lease.name, "another"))
        await _soon(worker.works)


async def test_a_lease_that_cannot_be_renewed_is_let_go_in_time(store: Database) -> None:
    worker, broken = Worker(), Broken(store)
    async with kept(Leases(broken, SHORT), worker):
        await _soon(worker.works)
        broken.away = True
        await _soon(worker.stopped)
        broken.away = False
        await _soon(worker.works)


class Broken:
    """A database that is away at times."""

    def __init__(self, store: Database) -> None:
        self.away = False
        self._store = store
        self.notices, self.close = store.notices, store.close

    async def run(self, work: Work[T]) -> T:
        if self.away:
            raise StoreUnavailable("Away.")
        return await self._store.run(work)


async def test_failed_work_begins_again(store: Database) -> None:
    begun = 0

    async def work(_: Lease) -> None:
        nonlocal begun
        begun += 1
        raise RuntimeError("fault")

    task = asyncio.create_task(Leases(store, TERMS).keep("alerts", work))
    async with asyncio.timeout(WAIT_S):
        while begun < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.parametrize(
    ("holder", "length", "taken"),
    [
        ("me", timedelta(seconds=10), True),
        ("other", timedelta(seconds=10), False),
        ("other", timedelta(seconds=0), True),
        # Written before a clock was put back: nobody may hold one for longer than its length.
        ("other", LONG, True),
    ],
)
async def test_who_may_take_a_lease(store: Database, holder: str, length: timedelta, taken: bool) -> None:
    assert await store.run(lambda connection: take(connection, "rollouts", holder, length))
    mine = await store.run(lambda connection: take(connection, "rollouts", "me", timedelta(seconds=20)))
    assert mine is taken


async def test_a_lease_has_its_length_when_summer_time_ends(store: Database) -> None:
    def now(connection: sa.Connection) -> datetime:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL TIME ZONE 'America/New_York'"))
        return leases_module._now(connection)

    assert (await store.run(now)).tzinfo is UTC  # in any other zone a sum is one of the clock on the wall


async def test_of_many_at_once_one_takes_it(store: Database) -> None:
    def attempt(holder: str) -> Work[bool]:
        return lambda connection: take(connection, "rollouts", holder, LONG)

    taken = await asyncio.gather(*(store.run(attempt(f"replica-{number}")) for number in range(12)))
    assert sum(taken) == 1
