"""Overview, devices and figures: how the site is, in words and in counts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlite_utils import Database

from core.webshell.shell import WebShell
from edge.knowledge import differences
from edge.store import daily_counts, operators
from edge.store.daily_counts import DAY_S
from edge.store.store import Store
from edge.web.admin import Operation
from edge.web.console import charts, health
from edge.web.console.health import Facts
from edge.web.console.site import Page

# What "the last days" are on the figures page, today among them.
DAYS = 7
INTENTS_MAX = 20


@dataclass(frozen=True)
class NodeFacts:
    """What the pages ask of the running node."""

    root: Path
    questions_waiting_max: int
    not_ready: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Figures:
    """Counts of today and of the last DAYS days; no text, no person."""

    routes: tuple[charts.Bar, ...]
    days: tuple[charts.Bar, ...]
    latency: tuple[charts.Bar, ...]
    intents: tuple[charts.Bar, ...]
    generated: tuple[charts.Bar, ...]
    """Without those that did not happen."""
    within_promise: int | None
    turns: int
    handoffs: int
    useful: int
    not_useful: int


class OverviewPages:
    """Handlers of the pages that only show."""

    def __init__(self, shell: WebShell, store: Store, status: Operation, node: NodeFacts) -> None:
        self._shell = shell
        self._store = store
        self._status = status
        self._node = node

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "overview.view": self.overview,
            "overview.refresh": self.overview_live,
            "figures.view": self.figures,
            "devices.view": self.devices,
            "devices.refresh": self.devices_live,
        }

    async def overview(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "overview.html", **await self._overview())

    async def overview_live(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "overview_live.html", **await self._overview())

    async def devices(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "devices.html", **await self._devices())

    async def devices_live(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "devices_live.html", **await self._devices())

    async def figures(self, request: web.Request) -> web.StreamResponse:
        today = int(time.time()) // DAY_S
        found = await self._store.read(lambda db: read_figures(db, today))
        return self._shell.render(request, "figures.html", figures=found, days=DAYS)

    async def _overview(self) -> dict[str, Any]:
        status = await self._read_status()
        now_ms = time.time_ns() // 1_000_000
        facts = Facts(
            status=status,
            not_ready=self._node.not_ready(),
            questions_waiting_max=self._node.questions_waiting_max,
            disk_free_bytes=shutil.disk_usage(self._node.root).free,
            emergency=await self._store.read(lambda db: operators.emergency_in_use(db, now_ms)),
            seal=await self._store.read(operators.seal),
            now_ms=now_ms,
            documents_differ=await self._store.read(differences.count),
        )
        found = health.findings(facts)
        return {"findings": found, "worst": found[0].level, "node": status}

    async def _devices(self) -> dict[str, Any]:
        devices = [
            {**device, "last_seen": _instant(device["last_seen"])}
            for device in (await self._read_status()).get("devices", ())
        ]
        return {"devices": devices}

    async def _read_status(self) -> Mapping[str, Any]:
        found: Any = await self._status({}, lambda _: None)
        return dict(found)


def read_figures(db: Database, today: int) -> Figures:
    """Counts of `today` (days since the epoch, UTC) and of the DAYS up to it."""
    first = today - DAYS + 1
    now, span = daily_counts.since(db, today), daily_counts.since(db, first)
    by_day = {str(day): counted for day, counted in daily_counts.by_day(db, "turns", first, today)}
    intents: dict[str, int] = dict(
        db.execute(
            'SELECT intent, sum("count") FROM intent_counts WHERE day >= ? GROUP BY intent', [first]
        ).fetchall()
    )
    feedback = span.get("feedback", {})
    return Figures(
        routes=charts.bars(charts.ROUTES, now.get("turns", {}), span.get("turns", {})),
        days=charts.bars({day: _weekday(int(day)) for day in by_day}, {}, by_day),
        latency=charts.latency(span.get("turn_seconds", {})),
        intents=charts.most(intents, INTENTS_MAX),
        generated=_generated(now.get("generated", {}), span.get("generated", {})),
        within_promise=charts.within_promise(span.get("turn_seconds", {})),
        turns=sum(span.get("turns", {}).values()),
        handoffs=sum(span.get("handoffs", {}).values()),
        useful=feedback.get("useful", 0),
        not_useful=feedback.get("not_useful", 0),
    )


def _generated(today: Mapping[str, int], total: Mapping[str, int]) -> tuple[charts.Bar, ...]:
    return tuple(bar for bar in charts.bars(charts.GENERATED, today, total) if bar.total)


def _weekday(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).strftime("%a %d %b")


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
