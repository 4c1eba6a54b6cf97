"""The page of programs' keys: what each opens and may take; a new one is shown once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from aiohttp import web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.operations.arguments import BadArguments
from edge.store.allowance import MOST, USUAL
from edge.store.api_keys import Scope
from edge.web.console.calls import Calls
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page

HERE: Final = f"{PREFIX}/api-keys"
LIMITS: Final = asdict(USUAL)
"""What the form begins with; as the command's."""
AGAIN: Final = "Tick what the program needs, check name and limits, and make the key again."
REVOKED_SHOWN: Final = 20
"""The last ones; `postern api-keys list` shows the others."""


class ApiKeysPages:
    """Handlers of the page about API keys."""

    def __init__(self, shell: WebShell, calls: Calls) -> None:
        self._shell = shell
        self._calls = calls

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"api-keys.view": self.view, "api-keys.new": self.new, "api-keys.revoke": self.revoke}

    async def view(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request)

    async def new(self, request: web.Request) -> web.StreamResponse:
        """The key is in the answer to the form and nowhere else: a reload would be another form."""
        form: dict[str, Any] = {"name": await field(request, "name"), "scopes": await _scopes(request)}
        form |= {limit: await field(request, limit) for limit in LIMITS}
        try:
            if not form["scopes"]:
                raise BadArguments("The key would open nothing.")
            made = await self._calls("api-keys.new", actor=request[ACCOUNT].name, **form)
        except BadArguments as error:
            return await self._page(request, BadArguments(error.detail, remedy=AGAIN), form)
        except PosternError as error:
            return await self._page(request, error, form)
        return await self._page(request, made=made)

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Only with the tick: nobody gets a revoked key back."""
        if await field(request, "sure") != "yes":
            raise web.HTTPSeeOther(HERE)
        name = request.match_info["name"]
        try:
            await self._calls("api-keys.revoke", actor=request[ACCOUNT].name, name=name)
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(HERE)

    async def _page(
        self,
        request: web.Request,
        fault: PosternError | None = None,
        form: dict[str, Any] | None = None,
        made: dict[str, Any] | None = None,
    ) -> web.Response:
        keys = await self._calls("api-keys.list")
        revoked = [key for key in keys if key["revoked_ms"]]
        context = {
            "working": [key for key in keys if not key["revoked_ms"]],
            "revoked": revoked[:REVOKED_SHOWN],
            "form": form or {"name": "", "scopes": [Scope.EMBEDDINGS.value], **LIMITS},
            "most": asdict(MOST),
            "made": made,
            "fault": fault,
        }
        return self._shell.render(request, "api_keys.html", fault.status if fault else 200, **context)


async def _scopes(request: web.Request) -> list[str]:
    """The ticked ones, in the order of the page."""
    ticked = (await request.post()).getall("scope", [])
    return [scope.value for scope in Scope if scope.value in ticked]
