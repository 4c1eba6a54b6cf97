"""The operators page: who of the staff may log in, and as what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from sqlite_utils import Database

from core.errors import PosternError
from core.webshell.accounts import Accounts
from core.webshell.shell import ACCOUNT, FormRefused, WebShell, field
from edge.store import operators
from edge.store.operators import Role, State
from edge.store.store import Store
from edge.web.console.site import Page

DISPLAY_NAME_CHARS_MAX = 60

Change = Callable[[Database], None]


class NoRole(PosternError):
    """An operator without a role could do nothing."""

    code = "no_role"
    title = "Choose at least one role"
    remedy = "Tick what the person does at the site."
    status = 400


class OperatorsPages:
    """Handlers of the operators page."""

    def __init__(self, shell: WebShell, store: Store, accounts: Accounts) -> None:
        self._shell = shell
        self._store = store
        self._accounts = accounts

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "operators.view": self.view,
            "operators.add": self.add,
            "operators.set-roles": self.set_roles,
            "operators.set-password": self.set_password,
            "operators.set-state": self.set_state,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request)

    async def add(self, request: web.Request) -> web.StreamResponse:
        name, actor = await field(request, "name"), request[ACCOUNT].name
        display_name = (await field(request, "display_name"))[:DISPLAY_NAME_CHARS_MAX]
        try:
            roles = await _roles(request)
            hashed = await self._accounts.new_password(name, await _password(request))
            await self._store.write(
                lambda db: operators.add(db, actor, name, roles, hashed, display_name=display_name)
            )
        except PosternError as error:
            return await self._page(request, error, {"name": name, "display_name": display_name})
        raise web.HTTPSeeOther(_here(request))

    async def set_roles(self, request: web.Request) -> web.StreamResponse:
        name, actor = request.match_info["name"], request[ACCOUNT].name

        async def change() -> Change:
            roles = await _roles(request)
            return lambda db: operators.set_roles(db, actor, name, roles)

        return await self._changed(request, change)

    async def set_password(self, request: web.Request) -> web.StreamResponse:
        name, actor = request.match_info["name"], request[ACCOUNT].name

        async def change() -> Change:
            hashed = await self._accounts.new_password(name, await _password(request))
            return lambda db: operators.set_password(db, actor, name, hashed)

        return await self._changed(request, change)

    async def set_state(self, request: web.Request) -> web.StreamResponse:
        name, actor = request.match_info["name"], request[ACCOUNT].name
        state = State.DISABLED if await field(request, "state") == "disabled" else State.ACTIVE

        async def change() -> Change:
            return lambda db: operators.set_state(db, actor, name, state)

        return await self._changed(request, change)

    async def _changed(
        self, request: web.Request, change: Callable[[], Awaitable[Change]]
    ) -> web.StreamResponse:
        try:
            await self._store.write(await change())
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(_here(request))

    async def _page(
        self, request: web.Request, fault: PosternError | None = None, kept: dict[str, str] | None = None
    ) -> web.Response:
        found = await self._store.read(operators.listing)
        return self._shell.render(
            request,
            "operators.html",
            fault.status if fault else 200,
            operators=found,
            roles=list(Role),
            fault=fault,
            kept=kept or {"name": "", "display_name": ""},
        )


async def _roles(request: web.Request) -> frozenset[Role]:
    """The ticked roles. Raises NoRole."""
    ticked = (await request.post()).getall("role", [])
    roles = frozenset(role for role in Role if role.value in ticked)
    if not roles:
        raise NoRole
    return roles


async def _password(request: web.Request) -> str:
    password = await field(request, "password")
    if password != await field(request, "password_again"):
        raise FormRefused("The two passwords differ.", remedy="Type the same password twice.")
    return password


def _here(request: web.Request) -> str:
    return request.path.partition("/operators")[0] + "/operators"
