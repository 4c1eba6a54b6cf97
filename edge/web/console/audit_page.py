"""The audit page: who saw, changed or was refused what, and the same rows as a file."""

from __future__ import annotations

import contextlib
import logging
from datetime import date, timedelta
from typing import Any, Final

from aiohttp import web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell
from edge.store.audit import Outcome
from edge.web import audit_rules
from edge.web.console.calls import Calls
from edge.web.console.site import Page

log = logging.getLogger(__name__)

# Rows that no route and no operation makes: the first operator, and what logins were refused.
MORE_AREAS = {"account", "login"}
FIELDS: Final = ("actor", "action", "object", "outcome", "since", "until")
FORMATS: Final = {"rfc5424": ("audit.log", "text/plain"), "json": ("audit.jsonl", "application/x-ndjson")}
"""Name and type of the file, by format."""


class AuditPages:
    """Handlers of the audit page."""

    def __init__(self, shell: WebShell, calls: Calls, kept: str) -> None:
        """`kept`: how long rows are, in words."""
        self._shell = shell
        self._calls = calls
        self._kept = kept

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"audit.view": self.view, "audit.export": self.export}

    async def view(self, request: web.Request) -> web.StreamResponse:
        """The newest rows that fit; a filter that cannot be read is said beside the form."""
        wanted, before = _filter(request), request.query.get("before", "")
        begin = int(before) if before.isdecimal() and len(before) < 19 else 0
        fault: PosternError | None = None
        try:
            found = await self._calls("audit.list", **_given(wanted), before=begin)
        except PosternError as error:
            fault, found = error, {"rows": [], "older": None, "count": 0, "more": False, "missing": None}
        return self._shell.render(
            request,
            "audit.html",
            status=fault.status if fault else 200,
            fault=fault,
            found=found,
            wanted=wanted,
            kept=self._kept,
            areas=sorted({action.partition(".")[0] for action in audit_rules.actions()} | MORE_AREAS),
            outcomes=list(Outcome),
        )

    async def export(self, request: web.Request) -> web.StreamResponse:
        """Every row that fits, oldest first, as a file. It comes page by page; one that breaks off is cut off."""
        format = request.query.get("format", "rfc5424")
        arguments: dict[str, Any] = {
            **_given(_filter(request)),
            "format": format,
            "actor": request[ACCOUNT].name,
        }
        page = await self._calls("audit.export", **arguments)
        name, kind = FORMATS[format]
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        response.content_type, response.charset = kind, "utf-8"
        await response.prepare(request)
        try:
            while True:
                await response.write("".join(f"{line}\n" for line in page["lines"]).encode())
                if page["done"]:
                    break
                more: dict[str, Any] = {"export": page["export"], "after": page["after"]}
                page = await self._calls("audit.export", **arguments, **more)
            await response.write_eof()
        except PosternError as error:  # the browser says that the download failed
            log.error("an export of the audit broke off", extra={"code": error.code})
            if request.transport:
                request.transport.abort()
        return response


def _filter(request: web.Request) -> dict[str, str]:
    """The fields of the form."""
    return {name: request.query.get(name, "").strip() for name in FIELDS}


def _given(wanted: dict[str, str]) -> dict[str, Any]:
    """As the operation takes them: its `actor` is who asks. Days are those of the page, whose times are UTC."""
    given = {"who" if name == "actor" else name: value for name, value in wanted.items() if value}
    for name, days in (("since", 0), ("until", 1)):
        with contextlib.suppress(
            KeyError, ValueError, OverflowError
        ):  # the operation says what cannot be read
            day = date.fromisoformat(given[name]) + timedelta(days=days)
            given[name] = f"{day}T00:00+00:00"
    return given
