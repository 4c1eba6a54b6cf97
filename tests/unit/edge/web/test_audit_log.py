"""Refusals become rows before they are answered; a flood is few writes; a store that cannot write is loud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from edge import metrics
from edge.chat.session_rows import SessionNotFound
from edge.config import site_paths
from edge.store import audit
from edge.store.allowance import USUAL
from edge.store.api_keys import Scope
from edge.store.audit import AuditFilter, Outcome, rest_of
from edge.store.store import Store, StoreBusy
from edge.web.audit_log import COMPONENT, WAITING_MAX, AuditLog
from edge.web.key_ring import KeyRing, Use
from edge.web.problems import problem_response
from edge.web.program_requests import opened_by
from edge.web.server import customer_application


class CountingStore:
    """A real store whose writes are counted, held up, or refused."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writes = 0
        self.error: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def write(self, run: Callable[[Any], Any]) -> Any:
        self.writes += 1
        await self.go.wait()
        if self.error:
            raise self.error
        return await self.store.write(run)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    yield opened
    metrics.recover(COMPONENT)
    await opened.close()


async def found(store: Store) -> list[tuple[str, str, str, str, int]]:
    rows = await store.read(lambda db: audit.search(db, AuditFilter(), 1000))
    return [(row.actor, row.action, row.object, row.outcome, row.count) for row in reversed(rows)]


def fallen_back() -> str:
    return next((found for found in metrics.fallbacks() if found.startswith(COMPONENT)), "")


@pytest.mark.proves("audit")
async def test_a_refusal_is_durable_when_it_is_answered(store: Store) -> None:
    await AuditLog(store).refused("eve", "audit.view", "")
    assert await found(store) == [("eve", "audit.view", "", "refused", 1)]


@pytest.mark.proves("audit")
async def test_a_flood_is_two_writes_and_every_refusal_counts(store: Store) -> None:
    counting = CountingStore(store)
    rows, refusals = AuditLog(counting), 1000  # type: ignore[arg-type]
    counting.go.clear()
    flood = [asyncio.create_task(rows.refused("eve", "a", f"{number % 3}")) for number in range(refusals)]
    await asyncio.sleep(0)
    counting.go.set()
    await asyncio.gather(*flood)
    assert counting.writes <= 2
    assert [row[-1] for row in await found(store)] == [334, 333, 333]


async def test_a_flood_that_goes_on_is_a_write_a_round_and_nobody_waits_for_more_than_two(
    store: Store,
) -> None:
    counting = CountingStore(store)
    rows, rounds = AuditLog(counting), 5  # type: ignore[arg-type]

    async def attacker(number: int) -> None:
        for _ in range(rounds):
            before = counting.writes
            await rows.refused("eve", "a", str(number))
            assert counting.writes <= before + 2

    await asyncio.gather(*map(attacker, range(20)))
    assert counting.writes <= 2 * rounds
    assert sum(row[-1] for row in await found(store)) == 20 * rounds


async def test_those_that_come_while_a_write_fails_are_answered_and_counted(store: Store) -> None:
    counting = CountingStore(store)
    counting.error = StoreBusy()
    counting.go.clear()
    rows = AuditLog(counting)  # type: ignore[arg-type]
    first = asyncio.create_task(rows.refused("eve", "a", "1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(rows.refused("eve", "a", "2"))
    await asyncio.sleep(0)
    counting.go.set()
    await asyncio.gather(first, second)
    assert (counting.writes, await found(store)) == (1, [])
    counting.error = None
    await rows.refused("eve", "a", "1")
    assert [row[2:] for row in await found(store)] == [("1", "refused", 2), ("2", "refused", 1)]


@pytest.mark.parametrize("different", [WAITING_MAX - 1, WAITING_MAX, WAITING_MAX + 1])
async def test_what_waits_is_bounded(store: Store, different: int) -> None:
    counting = CountingStore(store)
    counting.error = StoreBusy()
    rows = AuditLog(counting)  # type: ignore[arg-type]
    for number in range(different):
        await rows.refused("eve", "a", str(number))
    await rows.refused("bob", "inbox.show", "T-7")  # whom no flood of another's hides
    waiting = rows._batch.counts
    assert (len(waiting), waiting[rest_of("eve")]) == (
        min(different, WAITING_MAX + 1) + 1,
        max(0, different - WAITING_MAX),
    )
    counting.error = None
    await rows.refused("eve", "a", "0")
    assert sum(row[-1] for row in await found(store)) == different + 2
    assert ("bob", "inbox.show", "T-7", "refused", 1) in await found(store)


async def test_a_store_that_cannot_write_is_loud_and_nothing_is_forgotten(store: Store) -> None:
    counting = CountingStore(store)
    counting.error = OSError("disk full")
    rows = AuditLog(counting)  # type: ignore[arg-type]
    await rows.refused("eve", "a", "")
    assert fallen_back() == "audit:cannot_write"
    with pytest.raises(OSError):
        await rows.append("ada", "audit.view", "", Outcome.DONE)
    counting.error = None
    await rows.refused("eve", "a", "")
    assert fallen_back() == ""
    assert await found(store) == [("eve", "a", "", "refused", 2)]


async def test_refusals_of_routes_name_the_route_and_the_reason_and_nothing_of_the_path(store: Store) -> None:
    keys = KeyRing(store)
    key, secret = await keys.new("ada", "till", [Scope.EMBEDDINGS], USUAL, None)

    async def ended(_: web.Request) -> web.StreamResponse:
        raise SessionNotFound

    async def work(_: web.Request, use: Use) -> web.StreamResponse:
        return web.Response()

    routes = [
        web.post("/api/v1/sessions/{id}/turns", ended),
        web.post("/v1/embeddings", opened_by(keys, Scope.EMBEDDINGS, problem_response, work)),
        web.post("/v1/chat/completions", opened_by(keys, Scope.CHAT, problem_response, work)),
    ]
    before = len(await found(store))
    async with TestClient(TestServer(customer_application(routes, AuditLog(store)))) as client:
        headers = {"Authorization": f"Bearer {secret}"}
        for path, sent, status in (
            ("/api/v1/sessions/secret-words/turns", {}, 401),
            ("/v1/embeddings", headers, 200),
            ("/v1/embeddings", {"Authorization": "Bearer pstn_wrong"}, 401),
            ("/v1/chat/completions", headers, 403),
            ("/nothing-here", {}, 404),
        ):
            assert (await client.post(path, headers=sent)).status == status, path
    assert (await found(store))[before:] == [
        ("customer", "turns.ask", "session_not_found", "refused", 1),
        ("unknown", "embeddings.make", "invalid_api_key", "refused", 1),
        (key.actor, "chat.ask", "scope_missing", "refused", 1),
    ]
