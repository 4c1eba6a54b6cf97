"""What is kept how long, which keys there are, which backups: for the data-protection officer and technicians."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from core.webshell.shell import WebShell
from edge.store.schema import KEY_TABLES, TABLES
from edge.web.console.calls import Calls
from edge.web.console.site import Page

DAY_MS: Final = 86_400_000


class KeepingPages:
    """Handlers of these pages."""

    def __init__(self, shell: WebShell, calls: Calls, backup_days: int) -> None:
        """`backup_days`: the newest backup may be as old."""
        self._shell = shell
        self._calls = calls
        self._backup_days = backup_days

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"retention.view": self.retention, "keys.view": self.keys, "backups.view": self.backups}

    async def retention(self, request: web.Request) -> web.StreamResponse:
        """How long what stays, how much there is, and what goes next."""
        rows, now_ms = await self._calls("privacy.retention"), time.time_ns() // 1_000_000
        context: dict[str, Any] = {
            "rows": in_order(rows),
            "next": due_next(rows),
            "titles": titles(),
            "now_ms": now_ms,
        }
        return self._shell.render(request, "retention.html", **context)

    async def keys(self, request: web.Request) -> web.StreamResponse:
        """Every key, who holds it, and what to do when it is lost or stolen."""
        return self._shell.render(request, "keys.html", keys=await self._calls("keys.list"))

    async def backups(self, request: web.Request) -> web.StreamResponse:
        """The backups that are known, newest first, and whether the newest is too old."""
        found, now_ms = await self._calls("backup.list"), time.time_ns() // 1_000_000
        old = bool(found) and now_ms - found[0]["made_ms"] > self._backup_days * DAY_MS
        return self._shell.render(request, "backups.html", backups=found, old=old)


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What goes soonest first; then what goes by no clock, as it was."""
    return sorted(rows, key=lambda row: (row["due_ms"] is None, row["due_ms"] or 0))


def due_next(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The table of which something goes soonest."""
    return next((row for row in in_order(rows) if row["due_ms"] is not None), None)


def titles() -> dict[str, str]:
    """Tables as people call them."""
    return {name: table.title for name, table in (TABLES | KEY_TABLES).items()}
