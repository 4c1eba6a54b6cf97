"""People, for the data-protection officer: search, what is stored, export, hold, release, erase, receipts, who looked.

No address, title or row of audit names anybody: a page stands under a handle of its operator's, names travel in forms.
Each view and each change is written down by its operation.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import hdrs, web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.privacy.export_page import as_page
from edge.web.console.calls import Calls
from edge.web.console.handles import Handles, PageGone
from edge.web.console.keeping_pages import titles
from edge.web.console.rules import PREFIX
from edge.web.console.site import SHOWN, Page

HERE = f"{PREFIX}/people"


class PeoplePages:
    """Handlers of the pages about people."""

    def __init__(self, shell: WebShell, calls: Calls, handles: Handles) -> None:
        self._shell = shell
        self._calls = calls
        self._handles = handles

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "people.view": self.view,
            "people.find": self.find,
            "people.show": self.show,
            "people.export": self.export,
            "people.hold": self.hold,
            "people.release": self.release,
            "people.erase": self.erase,
            "people.receipt": self.receipt,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        """The search, whose data must stay, and what was erased."""
        return await self._search(request)

    async def find(self, request: web.Request) -> web.StreamResponse:
        """To the page of whoever is meant, under an address that names nobody."""
        text = await field(request, "text")
        try:
            found = await self._calls("privacy.find", subject=text)
        except PosternError as error:
            return await self._search(request, error, text)
        raise _to(self._handles.give(request[ACCOUNT].name, found["subject"]))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """One person."""
        return await self._person(request)

    async def export(self, request: web.Request) -> web.StreamResponse:
        """The document as a file, to read or as JSON."""
        subject = self._subject(request)
        try:
            document = await self._calls("privacy.export", subject=subject, actor=request[ACCOUNT].name)
        except PosternError as error:
            return await self._person(request, error)
        if await field(request, "form") == "page":
            return _file("postern-export.html", await asyncio.to_thread(as_page, document))
        return _file("postern-export.json", await asyncio.to_thread(_lines, document))

    async def hold(self, request: web.Request) -> web.StreamResponse:
        """From now on the data stay, whoever asks for their erasure."""
        return await self._change(request, "privacy.hold", reference=await field(request, "reference"))

    async def release(self, request: web.Request) -> web.StreamResponse:
        """Only with the tick, for an erasure may wait for it."""
        return await self._sure(request, "privacy.release")

    async def erase(self, request: web.Request) -> web.StreamResponse:
        """Only with the tick: there is no way back."""
        return await self._sure(request, "privacy.erase")

    async def receipt(self, request: web.Request) -> web.StreamResponse:
        """A receipt as a file: the erasure of the moment that the form names."""
        found = await self._calls(
            "privacy.subject", subject=self._subject(request), actor=request[ACCOUNT].name
        )
        when = await field(request, "erased_ms")
        for erasure in found["erasures"]:
            if str(erasure["erased_ms"]) == when:
                return _file("postern-receipt.json", _lines(erasure["receipt"]))
        raise PageGone

    async def _sure(self, request: web.Request, operation: str) -> web.StreamResponse:
        if await field(request, "sure") != "yes":
            return await self._person(request, unticked=True)
        return await self._change(request, operation)

    async def _change(self, request: web.Request, operation: str, **more: Any) -> web.StreamResponse:
        subject = self._subject(request)
        try:
            await self._calls(operation, subject=subject, actor=request[ACCOUNT].name, **more)
        except PosternError as error:
            return await self._person(request, error)
        raise _to(request.match_info["person"])

    def _subject(self, request: web.Request) -> str:
        return self._handles.subject(request[ACCOUNT].name, request.match_info["person"])

    async def _person(
        self, request: web.Request, fault: PosternError | None = None, *, unticked: bool = False
    ) -> web.Response:
        if fault is not None:
            request[SHOWN] = fault
        subject = self._subject(request)
        found = await self._calls("privacy.subject", subject=subject, actor=request[ACCOUNT].name)
        context: dict[str, Any] = {"person": found, "here": request.match_info["person"], "titles": titles()}
        context |= {"fault": fault, "unticked": unticked}
        return self._shell.render(request, "person.html", fault.status if fault else 200, **context)

    async def _search(
        self, request: web.Request, fault: PosternError | None = None, text: str = ""
    ) -> web.Response:
        holds, erasures = await self._calls("privacy.holds"), await self._calls("privacy.erasures")
        context: dict[str, Any] = {"holds": holds, "erasures": erasures, "fault": fault, "text": text}
        return self._shell.render(request, "people.html", fault.status if fault else 200, **context)


def _to(handle: str) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"{HERE}/{handle}")


def _lines(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _file(name: str, text: str) -> web.Response:
    """To be saved: it opens from the disk, without this console's rights, and its name tells nothing."""
    kind = "text/html" if name.endswith(".html") else "application/json"
    response = web.Response(text=text, content_type=kind, charset="utf-8")
    response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{name}"'
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    return response
