"""The page of the data protection report: what it says in short, and the whole of it as a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiohttp import web

from core.webshell.shell import WebShell
from edge.web.console.calls import Calls
from edge.web.console.site import Page

if TYPE_CHECKING:
    from edge.privacy.report.document import Document

FILE: Final = "data-protection-report"


class ReportsPages:
    """Handlers of the page. What makes a report is loaded when one is asked for."""

    def __init__(self, shell: WebShell, calls: Calls) -> None:
        self._shell = shell
        self._calls = calls

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"reports.view": self.view, "reports.html": self.html, "reports.pdf": self.pdf}

    async def view(self, request: web.Request) -> web.StreamResponse:
        """From what it is made, its parts, and how much of each is still to be said."""
        from edge.privacy.report.document import gaps_in

        document = await self._document()
        parts = [(section.title, gaps_in(section)) for section in document.sections]
        # The last week that is over.
        week = f"{datetime.now(UTC) - timedelta(days=7):%G-W%V}"
        return self._shell.render(request, "reports.html", document=document, parts=parts, week=week)

    async def html(self, request: web.Request) -> web.StreamResponse:
        """The whole report as one page to keep."""
        from edge.privacy.report.html import as_html

        return _file(as_html(await self._document()).encode(), "html", "text/html")

    async def pdf(self, request: web.Request) -> web.StreamResponse:
        """The whole report as pages. Raises ReportFailed."""
        from edge.privacy.report.pdf import as_pdf_meanwhile

        return _file(await as_pdf_meanwhile(await self._document()), "pdf", "application/pdf")

    async def _document(self) -> Document:
        from edge.privacy.report.document import Document

        return Document.model_validate(await self._calls("privacy.report"))


def _file(content: bytes, ending: str, kind: str) -> web.Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{FILE}.{ending}"',
        "Cache-Control": "no-store",
    }
    return web.Response(body=content, content_type=kind, headers=headers)
