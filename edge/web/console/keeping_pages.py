"""What is kept how long, and which keys there are: for the data-protection officer and technicians."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from core.webshell.shell import WebShell
from edge.store.schema import KEY_TABLES, TABLES
from edge.web.console.calls import Calls
from edge.web.console.site import Page


class KeepingPages:
    """Handlers of these pages."""

    def __init__(self, shell: WebShell, calls: Calls) -> None:
        self._shell = shell
        self._calls = calls

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"retention.view": self.retention, "keys.view": self.keys}

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


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What goes soonest first; then what goes by no clock, as it was."""
    return sorted(rows, key=lambda row: (row["due_ms"] is None, row["due_ms"] or 0))


def due_next(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The table of which something goes soonest."""
    return next((row for row in in_order(rows) if row["due_ms"] is not None), None)


def titles() -> dict[str, str]:
    """Tables as people call them."""
    return {name: table.title for name, table in (TABLES | KEY_TABLES).items()}
