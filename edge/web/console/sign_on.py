"""Single sign-on's pages: to the organisation's provider and back. Local accounts work whatever becomes of it."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from core.attempts import AttemptLimit
from core.errors import PosternError
from core.webshell.accounts import Accounts
from core.webshell.shell import WebShell
from edge.store import audit, operators
from edge.store.operators import Role
from edge.store.store import Store
from edge.web.console.oidc import Attempt, ProviderClient, SignOnFailed
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page

# A person finds the second factor within this.
ATTEMPT_S = 600.0
# Logins under way; the oldest is dropped, and whoever began it begins again.
ATTEMPTS_MAX = 500
COOKIE_BYTES = 32
# Logins that one address begins in five minutes: each asks the provider something. A whole shift may stand behind one.
BEGINNINGS_MAX = 100
BEGINNINGS_WINDOW_S = 300.0
CALLBACK = f"{PREFIX}/oidc/callback"


@dataclass(frozen=True)
class _Pending:
    attempt: Attempt
    cookie: str
    until_s: float


class SignOnPages:
    """Handlers of single sign-on. `clock`: seconds, monotonic."""

    def __init__(
        self,
        shell: WebShell,
        store: Store,
        accounts: Accounts,
        provider: ProviderClient | None,
        *,
        secure: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shell = shell
        self._store = store
        self._accounts = accounts
        self._provider = provider
        self._secure = secure
        self._clock = clock
        self._by_address = AttemptLimit(BEGINNINGS_MAX, BEGINNINGS_WINDOW_S)
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._cookie = f"{'__Host-' if secure else ''}postern-console-sign-on"

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"oidc.begin": self.begin, "oidc.finish": self.finish}

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """To the provider. What comes back must come to this browser: a cookie of its own says so."""
        attempt, cookie = Attempt.new(), secrets.token_urlsafe(COOKIE_BYTES)
        try:
            self._by_address.begin(self._shell.visitor(request).address, self._clock())
            where = await self._known().begin(self._callback(request), attempt)
        except PosternError as error:
            return await self._refused(request, error)
        self._remember(attempt, cookie)
        response = web.Response(status=303, headers={"Location": where, "Cache-Control": "no-store"})
        # Lax, not Strict: the provider's page sends the browser back here.
        response.set_cookie(
            self._cookie,
            cookie,
            max_age=int(ATTEMPT_S),
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._secure,
        )
        return response

    async def finish(self, request: web.Request) -> web.StreamResponse:
        """Back from the provider: checks all of it, then logs in."""
        try:
            attempt = self._recall(request)
            if "error" in request.query or not request.query.get("code"):
                raise SignOnFailed("The provider refused the login.")
            found = await self._known().finish(request.query["code"], self._callback(request), attempt)
            roles = [Role(role) for role in found.roles]
            name = await self._store.write(
                lambda db: operators.admit_from_provider(
                    db, found.subject, found.name, found.display_name, roles
                )
            )
        except PosternError as error:
            return await self._refused(request, error)
        token = await self._accounts.admit(name, self._shell.visitor(request))
        return self._entered(request, token)

    def _entered(self, request: web.Request, token: str) -> web.StreamResponse:
        """A page that goes on by itself: a redirect would count as the provider's, and not carry our strict cookie."""
        response = self._shell.render(request, "signed_on.html")
        self._shell.set_session(response, token)
        response.del_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="Lax")
        return response

    async def _refused(self, request: web.Request, error: PosternError) -> web.StreamResponse:
        await self._store.write(
            lambda db: audit.refused(db, "unknown", "login.refused", f"oidc {error.code}")
        )
        return await self._shell.login_form(request, fault=error)

    def _remember(self, attempt: Attempt, cookie: str) -> None:
        self._pending[attempt.state] = _Pending(attempt, cookie, self._clock() + ATTEMPT_S)
        while len(self._pending) > ATTEMPTS_MAX:
            self._pending.popitem(last=False)

    def _recall(self, request: web.Request) -> Attempt:
        """The attempt that this answer belongs to, once. Raises SignOnFailed."""
        found = self._pending.pop(request.query.get("state", ""), None)
        cookie = request.cookies.get(self._cookie, "")
        if found is None or found.until_s < self._clock() or not secrets.compare_digest(found.cookie, cookie):
            raise SignOnFailed("This login was not begun in this browser, or too long ago.")
        return found.attempt

    def _known(self) -> ProviderClient:
        if self._provider is None:
            raise SignOnFailed(
                "This site has no login of the organisation's.", remedy="Log in with a local account."
            )
        return self._provider

    def _callback(self, request: web.Request) -> str:
        return f"{'https' if self._secure else 'http'}://{request.host}{CALLBACK}"
