"""Webhooks on a real store and a real server, which checks signatures with the scheme's own library."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook as Verifier

from cloud_sync.config import WebhookSettings
from cloud_sync.fleet.alerts.deliveries import (
    GIVEN_UP_KEPT_FOR,
    WAITING_MAX,
    Deliveries,
    Webhook,
    read_webhooks,
)
from cloud_sync.fleet.alerts.messages import JITTER, PAUSES
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.store.alerts import AlertRow
from cloud_sync.store.database import Database
from cloud_sync.store.schema import webhook_messages
from tests.cloud_store import opened_store

NEW, OLD = ("whsec_" + letter * 32 for letter in "AB")


@dataclass
class Desk:
    """The other side: what it answers, and what it took."""

    statuses: list[int] = field(default_factory=list)
    taken: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    calls: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.calls += 1
        status = self.statuses.pop(0) if self.statuses else 204
        headers, body = dict(request.headers), await request.read()
        if status == 204:
            for secret in (NEW, OLD):
                self.taken.append((headers, Verifier(secret).verify(body, headers)))
        return web.Response(status=status, headers={"location": "/elsewhere"} if status == 302 else {})


@dataclass
class Rig:
    """Deliveries with a clock that is moved on."""

    database: Database
    webhook: Webhook
    later: timedelta = timedelta()
    metrics: FleetMetrics = field(default_factory=FleetMetrics)

    def __post_init__(self) -> None:
        self.deliveries = Deliveries(self.database, "Acme", [self.webhook], self.metrics, self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def put(self) -> None:
        now = self.now()
        alert = AlertRow(
            id=7, kind="disk", subject="node-1", site="Harbour", group_name="", severity="critical",
            detail="", evidence="", open_key="disk node-1", opened_at=now, last_true_at=now,
            resolved_at=None, acknowledged_at=None, acknowledged_by="", note="", told_at=None,
        )  # fmt: skip
        await self.database.run(lambda connection: self.deliveries.put(connection, (alert,), (), now))

    def outcomes(self, outcome: str) -> float:
        return (
            self.metrics.registry.get_sample_value("postern_cloud_webhooks_total", {"outcome": outcome}) or 0
        )

    async def rows(self) -> list[Any]:
        query = sa.select(webhook_messages)
        return await self.database.run(lambda connection: list(connection.execute(query)))


@pytest.fixture
async def desk() -> AsyncIterator[tuple[Desk, str]]:
    found, app = Desk(), web.Application()
    app.router.add_post("/alerts", found.take)
    async with TestServer(app) as server:
        yield found, str(server.make_url("/alerts"))


@pytest.fixture
async def rig(tmp_path: Path, desk: tuple[Desk, str]) -> AsyncIterator[Rig]:
    for name, secret in (("new", NEW), ("old", OLD)):
        (tmp_path / name).write_text(secret + "\n")
    settings = WebhookSettings(name="desk", url=desk[1], secret_files=(tmp_path / "new", tmp_path / "old"))
    async with opened_store(tmp_path) as database:
        yield Rig(database, *read_webhooks([settings]))


async def test_a_message_arrives_signed_with_both_secrets_and_is_gone(
    rig: Rig, desk: tuple[Desk, str]
) -> None:
    await rig.put()
    await rig.deliveries.deliver()
    assert [body["data"]["raised"][0]["subject"] for _, body in desk[0].taken] == ["node-1"] * 2
    assert await rig.rows() == []
    await rig.deliveries.deliver()
    assert desk[0].calls == 1
    assert await rig.deliveries.try_out() == (("desk", ""),)
    assert desk[0].taken[-1][1]["type"] == "alerts.test"


@pytest.mark.parametrize("status", [302, 400, 410, 500, 503])
async def test_what_is_not_taken_is_tried_again_with_the_same_identifier(
    rig: Rig, desk: tuple[Desk, str], status: int
) -> None:
    desk[0].statuses = [status]
    await rig.put()
    await rig.deliveries.deliver()
    (row,) = await rig.rows()
    assert (row.attempts, row.last_error) == (1, f"It answered {status}.")
    await rig.deliveries.deliver()
    assert desk[0].calls == 1  # not yet
    rig.later += PAUSES[0] * (1 + JITTER)
    await rig.deliveries.deliver()
    assert desk[0].taken[0][0]["webhook-id"] == row.id
    assert (rig.outcomes("failed"), rig.outcomes("told"), await rig.rows()) == (1, 1, [])


async def test_a_side_that_never_takes_it_is_given_up_and_not_overrun(
    rig: Rig, desk: tuple[Desk, str]
) -> None:
    desk[0].statuses = [500] * 100
    await rig.put()
    await rig.put()
    await rig.deliveries.deliver()
    assert desk[0].calls == 1  # one failure at a look, however many wait
    await rig.deliveries.deliver()
    for pause in PAUSES:
        rig.later += pause * (1 + JITTER)
        await rig.deliveries.deliver()
        await rig.deliveries.deliver()
    assert desk[0].calls == 2 * (len(PAUSES) + 1)
    assert rig.outcomes("given_up") == 2
    assert [row.next_at for row in await rig.rows()] == [None, None]
    rig.later += GIVEN_UP_KEPT_FOR
    await rig.deliveries.deliver()
    assert await rig.rows() == []


async def test_beyond_the_limit_the_oldest_give_way(rig: Rig, desk: tuple[Desk, str]) -> None:
    for _ in range(WAITING_MAX):
        await rig.put()
    first = min(await rig.rows(), key=lambda row: row.created_at)
    assert rig.outcomes("dropped") == 0
    await rig.put()
    rows = await rig.rows()
    assert (len(rows), rig.outcomes("dropped")) == (WAITING_MAX, 1)
    assert first.id not in {row.id for row in rows}


async def test_a_side_that_is_not_there_is_a_failure_like_any_other(rig: Rig) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        gone = replace(rig.webhook, name="gone", url=f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        both = Deliveries(rig.database, "Acme", [rig.webhook, gone], rig.metrics, rig.now)
        answers = dict(await both.try_out())
    assert answers["desk"] == ""
    assert answers["gone"].startswith("It cannot be reached")
