"""The audit page: who changed or was refused what, and the same rows as a file."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict

from aiohttp import web

from cloud_sync.console.queries import AuditQuery, before_row
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.views import AuditView
from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell

log = logging.getLogger(__name__)

# A page of the screen, and a slice of a file: neither holds the database's only thread for long.
ROWS_A_PAGE = 100
ROWS_A_SLICE = 1_000


class AuditPages:
    """Handlers of the audit page."""

    def __init__(self, overview: Overview, shell: WebShell) -> None:
        self._overview = overview
        self._shell = shell

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [web.get("/audit", self.view), web.get("/audit/export", self.export)]

    async def view(self, request: web.Request) -> web.Response:
        """The newest rows that fit."""
        query, before = AuditQuery.read(request.query), before_row(request.query)
        found = await self._overview.search_audit(query.filter, before, ROWS_A_PAGE)
        return self._shell.render(request, "audit.html", found=found, query=query, before=before)

    async def export(self, request: web.Request) -> web.StreamResponse:
        """Every row that fits, newest first, one JSON document a line. A file that breaks off is cut off."""
        query = AuditQuery.read(request.query)
        # First, so that the row that says it is in the file too.
        await self._overview.audit_exported(request[ACCOUNT].name, query.address().removeprefix("?"))
        found = await self._overview.search_audit(query.filter, None, ROWS_A_SLICE)
        headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        response.content_type, response.charset = "application/x-ndjson", "utf-8"
        await response.prepare(request)
        try:
            await response.write(_lines(found.rows))
            while found.older is not None:
                found = await self._overview.search_audit(query.filter, found.older, ROWS_A_SLICE)
                await response.write(_lines(found.rows))
            await response.write_eof()
        except PosternError as error:  # the browser says that the download failed
            log.error("an export of the audit broke off", extra={"code": error.code})
            if request.transport:
                request.transport.abort()
        return response


def _lines(rows: tuple[AuditView, ...]) -> bytes:
    documents = (asdict(row) | {"at": row.at.isoformat().replace("+00:00", "Z")} for row in rows)
    return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in documents).encode()
