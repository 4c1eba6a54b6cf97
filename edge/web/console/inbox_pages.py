"""The inbox: people who asked for a human. Each view and change of a ticket is written down by its operation."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.web.console.calls import Calls
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page


class InboxPages:
    """Handlers of the inbox."""

    def __init__(self, shell: WebShell, calls: Calls) -> None:
        self._shell = shell
        self._calls = calls

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "inbox.view": self.view,
            "inbox.refresh": self.view_live,
            "inbox.count": self.count,
            "inbox.show": self.show,
            "inbox.show-refresh": self.show_live,
            "inbox.take": self.take,
            "inbox.reply": self.reply,
            "inbox.close": self.close,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "inbox.html", **await self._tickets(request))

    async def view_live(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "inbox_live.html", **await self._tickets(request))

    async def count(self, request: web.Request) -> web.StreamResponse:
        """How many wait, for the bar of every page."""
        waiting = sum(ticket["state"] == "waiting" for ticket in await self._calls("inbox.list"))
        return self._shell.render(request, "inbox_count.html", waiting=waiting)

    async def show(self, request: web.Request) -> web.StreamResponse:
        return await self._ticket_page(request)

    async def show_live(self, request: web.Request) -> web.StreamResponse:
        """What is new; nothing (204) while the page shows all of it, so that looking on is not a view of its own."""
        number = request.match_info["ticket"]
        listed = await self._calls("inbox.list", all=True)
        found = next((ticket for ticket in listed if ticket["ticket"] == number), None)
        if found is not None and _seen(found) == request.query.get("seen"):
            return web.Response(status=204)
        ticket = await self._read(request)
        return self._shell.render(request, "ticket_live.html", ticket=ticket, seen=_seen(ticket))

    async def take(self, request: web.Request) -> web.StreamResponse:
        return await self._act(request, "inbox.take")

    async def reply(self, request: web.Request) -> web.StreamResponse:
        text = await field(request, "text")
        return await self._act(request, "inbox.reply", text=text)

    async def close(self, request: web.Request) -> web.StreamResponse:
        return await self._act(request, "inbox.close")

    async def _act(self, request: web.Request, operation: str, **more: Any) -> web.StreamResponse:
        number, operator = request.match_info["ticket"], request[ACCOUNT].name
        try:
            await self._calls(operation, ticket=number, operator=operator, **more)
        except PosternError as error:
            if error.status == 404:
                raise
            return await self._ticket_page(request, error, more.get("text", ""))
        raise web.HTTPSeeOther(f"{PREFIX}/inbox/{number}#reply")

    async def _ticket_page(
        self, request: web.Request, fault: PosternError | None = None, text: str = ""
    ) -> web.Response:
        ticket = await self._read(request)
        status = fault.status if fault else 200
        context = {"ticket": ticket, "seen": _seen(ticket), "fault": fault, "text": text}
        return self._shell.render(request, "ticket.html", status, **context)

    async def _read(self, request: web.Request) -> Any:
        number, operator = request.match_info["ticket"], request[ACCOUNT].name
        return await self._calls("inbox.show", ticket=number, operator=operator)

    async def _tickets(self, request: web.Request) -> dict[str, Any]:
        everything = request.query.get("all") == "1"
        return {"tickets": await self._calls("inbox.list", all=everything), "everything": everything}


def _seen(ticket: Any) -> str:
    """What changes when there is something new to see of a ticket."""
    return f"{ticket['messages']}-{ticket['changed_ms']}-{ticket['state']}-{ticket['customer_here']}"
