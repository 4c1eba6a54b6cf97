"""The audit page: who saw, changed or was refused what."""

from __future__ import annotations

from aiohttp import web

from core.webshell.shell import WebShell
from edge.store import audit
from edge.store.audit import AuditFilter, Outcome
from edge.store.store import Store
from edge.web import audit_rules
from edge.web.console.site import Page

ROWS = 100
# Rows that no route and no operation makes: the first operator.
MORE_AREAS = {"account"}


class AuditPages:
    """Handlers of the audit page."""

    def __init__(self, shell: WebShell, store: Store) -> None:
        self._shell = shell
        self._store = store

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"audit.view": self.view}

    async def view(self, request: web.Request) -> web.StreamResponse:
        wanted = _filter(request)
        rows = await self._store.read(lambda db: audit.search(db, wanted, ROWS + 1))
        older = rows[ROWS - 1].id if len(rows) > ROWS else None
        return self._shell.render(
            request,
            "audit.html",
            rows=rows[:ROWS],
            wanted=wanted,
            older=older,
            areas=sorted({action.partition(".")[0] for action in audit_rules.actions()} | MORE_AREAS),
            outcomes=list(Outcome),
        )


def _filter(request: web.Request) -> AuditFilter:
    """The fields of the form; what is not a number of a row is the newest."""
    query = request.query
    before = query.get("before", "")
    return AuditFilter(
        actor=query.get("actor", "").strip(),
        action=query.get("action", "").strip(),
        object=query.get("object", "").strip(),
        outcome=query.get("outcome", "").strip(),
        before_id=int(before) if before.isdecimal() and len(before) < 19 else 0,
    )
