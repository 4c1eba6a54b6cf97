"""Pages of the console before a browser that is logged in: real templates, services and store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

import cloud_sync.console
from cloud_sync.console.site import OPEN_PATHS
from cloud_sync.store.accounts import AdminStore
from core.webshell.accounts import Account, Accounts
from core.webshell.pages import Pages
from core.webshell.shell import ACCOUNT, ShellSettings, WebShell
from tests.rollout_fleet import Fleet

NAME = "ada"


@dataclass(frozen=True)
class Console:
    """Asks as NAME."""

    client: TestClient[Any, Any]

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status == status
        return await answer.text()

    async def post(self, path: str, status: int, **fields: str) -> str:
        """The page; where it leads, when it leads elsewhere."""
        answer = await self.client.post(path, data=fields, allow_redirects=False)
        assert answer.status == status, await answer.text()
        return answer.headers.get("Location") or await answer.text()


@asynccontextmanager
async def console(
    fleet: Fleet, routes: Callable[[WebShell], Iterable[web.AbstractRouteDef]]
) -> AsyncIterator[Console]:
    """Serve some pages. The login and the forms' tokens are in the integration tier."""
    settings = ShellSettings(
        product="Postern control plane", organisation="Harbour Health Group", place="this control plane",
        program="postern-cloud run", version="1", secure=False, cookie="postern-cloud", open_paths=OPEN_PATHS,
        behind_proxy=False,
    )  # fmt: skip
    pages = Pages(Path(cloud_sync.console.__file__).parent, "console", fleet.clock)
    shell = WebShell(settings, Accounts(AdminStore(fleet.database), fleet.clock), pages)

    @web.middleware
    async def logged_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ACCOUNT] = Account(NAME)
        return await shell._with_error_pages(request, handler)

    app = web.Application(middlewares=[logged_in])
    app.router.add_routes(routes(shell))
    async with TestClient(TestServer(app)) as client:
        yield Console(client)
