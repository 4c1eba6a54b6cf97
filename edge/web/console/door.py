"""The console's place among the node's routes: there from the start, loaded once the node is ready.

A customer's first answer does not wait for the staff's pages; whoever comes in between waits a moment.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Protocol

from aiohttp import hdrs, web

from core.errors import PosternError
from edge.knowledge.document import Audience
from edge.web.console.rules import PREFIX, RULES, Rule

STATIC = Path(__file__).parent / "static"
# Loading takes well under a second, also on a small machine; past this it has failed.
LOADING_S = 15.0


class ConsoleClosed(PosternError):
    """The console is not there (yet)."""

    code = "console_closed"
    title = "The console is not ready"
    remedy = "Try again in a moment; if it lasts, look at the node's log."
    status = 503


class OperatorUnknown(PosternError):
    """An operator's token that is not one, or not any more."""

    code = "operator_unknown"
    title = "The operator's token is not accepted"
    remedy = "Get a new one: postern operators token NAME."
    status = 401


class Console(Protocol):
    """What is behind the door."""

    async def serve(self, rule: Rule | None, request: web.Request) -> web.StreamResponse:
        """A page, or what a form asks for; None for a path that no rule knows."""
        ...

    async def staff(self, request: web.Request, token: str) -> bool:
        """Whether an operator asks: by a token, or by the login of the console's own pages."""
        ...


class ConsoleDoor:
    """Routes of the console, and the one thing that other routes ask it: is this one of the staff?"""

    def __init__(self) -> None:
        self._console: asyncio.Future[Console] = asyncio.get_running_loop().create_future()

    def open(self, console: Console) -> None:
        """From now on it is served."""
        self._console.set_result(console)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Every route of the console."""
        pages = [web.route(rule.method, PREFIX + rule.path, partial(self._serve, rule)) for rule in RULES]
        return [
            web.static("/static/console", STATIC),
            web.get(PREFIX, _to_first_page),
            *pages,
            web.route(hdrs.METH_ANY, f"{PREFIX}/{{rest:.*}}", partial(self._serve, None)),
        ]

    async def audience_of(self, request: web.Request) -> Audience:
        """Staff for an operator's bearer token or login, else the public. Raises OperatorUnknown for a wrong token."""
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        bearer = token if scheme.lower() == "bearer" else ""
        if not bearer and not request.cookies:
            return Audience.PUBLIC
        if await (await self._opened()).staff(request, bearer):
            return Audience.STAFF
        if bearer:
            raise OperatorUnknown
        return Audience.PUBLIC

    async def _serve(self, rule: Rule | None, request: web.Request) -> web.StreamResponse:
        if rule is not None and rule.body_bytes_max:
            request = request.clone(client_max_size=rule.body_bytes_max)
        return await (await self._opened()).serve(rule, request)

    async def _opened(self) -> Console:
        try:
            async with asyncio.timeout(LOADING_S):
                return await asyncio.shield(self._console)
        except TimeoutError:
            raise ConsoleClosed from None


async def _to_first_page(_: web.Request) -> web.StreamResponse:
    raise web.HTTPPermanentRedirect(f"{PREFIX}/")
