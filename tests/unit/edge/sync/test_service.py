"""When the node connects: its courier tells who the site is at each attachment, and that alone is no reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlite_utils import Database

from edge.config import SitePaths
from edge.egress.courier.client import CourierEvent, CourierNumbers, IdentityState, LedgerNumbers, LinkDown
from edge.egress.metrics import UNEXPLAINED
from edge.metrics import fallbacks
from edge.store.store import Store
from edge.sync.backoff import Backoff
from edge.sync.service import UNEXPLAINED_TOLD_MS, SyncService
from tests.contract.courier_process import until

WAIT_S = 30.0
# In which an attempt that does not wait is made.
ATTEMPT_S = 0.3
STATE = IdentityState(True, "node-1", "Clinic", "127.0.0.1:1")


class Courier:
    """Says that no link can be had; notes each that was asked for."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[CourierEvent] = asyncio.Queue()
        self.asked: asyncio.Queue[int] = asyncio.Queue()
        self.gone = False

    async def connect(self) -> Courier:
        return self

    async def attach(self) -> None:
        self.events.put_nowait(STATE)

    async def open_link(self, link: int) -> None:
        self.events.put_nowait(LinkDown(link, "closed"))
        self.asked.put_nowait(link)

    async def receive(self) -> CourierEvent | None:
        event = await self.events.get()
        return None if self.gone else event

    async def close(self) -> None:
        pass

    async def attempt(self, within_s: float) -> int:
        """The next attempt. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            return await self.asked.get()


@asynccontextmanager
async def running(store: Store, paths: SitePaths, courier: Any) -> AsyncIterator[SyncService]:
    async def nothing(_: object) -> None:
        pass

    patient = Backoff(base_s=1e9, ceiling_s=1e9)
    facts: Any = None
    sync = SyncService(store, paths, courier, facts, nothing, judge=nothing, backoff=patient)
    task = asyncio.create_task(sync.run())
    try:
        yield sync
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_only_another_identity_ends_the_pause(store: Store, paths: SitePaths) -> None:
    courier = Courier()
    async with running(store, paths, courier):
        assert await courier.attempt(WAIT_S) == 1
        courier.events.put_nowait(STATE)
        with pytest.raises(TimeoutError):
            await courier.attempt(ATTEMPT_S)
        courier.events.put_nowait(replace(STATE, expires_unix_s=1))
        assert await courier.attempt(WAIT_S) == 2


async def test_how_the_ledger_stands_is_known_while_there_is_a_courier(
    store: Store, paths: SitePaths
) -> None:
    ledger = LedgerNumbers(entries=7, compared_ms=5)
    courier = Courier()
    async with running(store, paths, courier) as sync:
        assert sync.status().ledger is None
        courier.events.put_nowait(CourierNumbers(b"a", {}, {}, ledger=ledger))
        await until(lambda: sync.status().ledger == ledger)
        courier.gone = True
        courier.events.put_nowait(STATE)
        await until(lambda: sync.status().ledger is None)


async def test_what_the_ledger_does_not_explain_is_told_for_a_day(store: Store, paths: SitePaths) -> None:
    def rows(db: Database) -> list[tuple[str, str, str, str]]:
        return list(db.execute("SELECT actor, action, object, outcome FROM audit"))

    async def told(db_rows: int) -> None:
        async def there() -> bool:
            return len(await store.read(rows)) >= db_rows

        await until(there)

    counted = UNEXPLAINED._value.get()
    now_ms = time.time_ns() // 1_000_000
    courier = Courier()
    async with running(store, paths, courier):
        courier.events.put_nowait(CourierNumbers(b"a", {}, {}, 0, now_ms - UNEXPLAINED_TOLD_MS - 1_000))
        courier.events.put_nowait(CourierNumbers(b"a", {}, {}, 700, now_ms))
        await told(1)
        courier.events.put_nowait(CourierNumbers(b"a", {}, {}, 1_000, now_ms))
        await told(2)
        assert [row for row in await store.read(rows) if row[1] == "egress.unexplained"] == [
            ("courier", "egress.unexplained", "700 bytes", "failed"),
            ("courier", "egress.unexplained", "300 bytes", "failed"),
        ]
        assert "ledger:unexplained" in fallbacks()
        assert UNEXPLAINED._value.get() - counted == 1_000
        courier.events.put_nowait(CourierNumbers(b"b", {}, {}, 0, now_ms - UNEXPLAINED_TOLD_MS - 1_000))
        await until(lambda: "ledger:unexplained" not in fallbacks())
