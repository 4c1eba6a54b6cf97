"""The frame around a console's pages: headers, sessions, forgery protection, errors, and the login pages themselves."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from core.errors import PosternError
from core.webshell import security
from core.webshell.accounts import PASSWORD_CHARACTERS_MIN, SESSION_LIFE, SESSION_TOKEN_BYTES, Accounts
from core.webshell.pages import Pages, Shell

log = logging.getLogger(__name__)

# Forms have a few short fields.
FORM_BYTES_MAX = 64 * 1024
# When the server is busy or has seen too many attempts.
RETRY_AFTER_S = 60
_STATIC_PREFIX = "/static/"
# A year: static addresses change with their content.
_STATIC_CACHE = "public, max-age=31536000, immutable"
_SAFE_METHODS = ("GET", "HEAD")

ACCOUNT = web.RequestKey("account", str)
COOKIE = web.RequestKey("cookie", str)


class FormRefused(PosternError):
    """A form did not come from one of our own pages, or from one that was open for too long."""

    code = "form_refused"
    title = "The form was not accepted"
    remedy = "Open the page again and repeat what you did."
    status = 403


@dataclass(frozen=True)
class ShellSettings:
    """What differs between consoles."""

    product: str
    organisation: str
    version: str
    secure: bool
    """Whether it is served over TLS."""
    cookie: str
    """Name of its cookies; browsers do not tell ports apart, so two consoles on one host need two names."""
    open_paths: frozenset[str]
    """Paths that need no login."""


class WebShell:
    """Middlewares and login routes of one console."""

    def __init__(self, settings: ShellSettings, accounts: Accounts, pages: Pages) -> None:
        self._settings = settings
        self._accounts = accounts
        self._pages = pages
        prefix = "__Host-" if settings.secure else ""
        self._session_cookie = f"{prefix}{settings.cookie}"
        self._visit_cookie = f"{prefix}{settings.cookie}-visit"
        self._open_paths = settings.open_paths | {"/login", "/claim"}

    def install(self, app: web.Application) -> None:
        """Add the login routes and static files; `middlewares` go to the application's constructor."""
        app.router.add_get("/login", self._login_page)
        app.router.add_post("/login", self._log_in)
        app.router.add_get("/claim", self._claim_page)
        app.router.add_post("/claim", self._claim)
        app.router.add_post("/logout", self._log_out)
        for prefix, folder in self._pages.static_folders.items():
            if folder.is_dir():
                app.router.add_static(prefix, folder)

    @property
    def middlewares(self) -> list[Middleware]:
        """Outermost first."""
        return [self._with_headers, self._with_error_pages, self._with_session]

    def render(self, request: web.Request, template: str, status: int = 200, **context: Any) -> web.Response:
        """A page as a response."""
        cookie = request.get(COOKIE, "")
        shell = Shell(
            product=self._settings.product,
            organisation=self._settings.organisation,
            version=self._settings.version,
            path=request.path,
            account=request.get(ACCOUNT) or None,
            csrf=security.csrf_token(cookie) if cookie else "",
            secure=self._settings.secure,
        )
        body = self._pages.render(template, shell, status=status, **context)
        response = web.Response(text=body, content_type="text/html", status=status)
        response.headers["Cache-Control"] = "no-store"
        return response

    # --- middlewares ---

    @web.middleware
    async def _with_headers(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        response.headers.update(security.HEADERS)
        if self._settings.secure:
            response.headers["Strict-Transport-Security"] = security.STRICT_TRANSPORT
        if response.status in (429, 503):
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        if request.path.startswith(_STATIC_PREFIX) and "v" in request.query:
            response.headers["Cache-Control"] = _STATIC_CACHE
        return response

    @web.middleware
    async def _with_error_pages(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPRedirection as redirection:
            return _redirect(redirection.headers["Location"])
        except web.HTTPException as error:
            remedy = "Check the address, or go back to the first page."
            return self._error(
                request, error.status, error.reason, f"The server answers {error.status}.", remedy
            )
        except PosternError as error:
            return self._error(request, error.status, error.title, error.detail, error.remedy)
        except Exception:
            log.exception("page failed", extra={"route": _route(request)})
            base = PosternError()
            return self._error(request, base.status, base.title, base.detail, base.remedy)

    @web.middleware
    async def _with_session(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_STATIC_PREFIX):
            return await handler(request)
        token = self._cookie(request, self._session_cookie)
        account = await self._accounts.account_of(token) if token else None
        if account is not None:
            request[ACCOUNT] = account
        elif request.path not in self._open_paths:
            return await self._to_login(request)
        visit = self._cookie(request, self._visit_cookie)
        request[COOKIE] = (
            token if account is not None else visit or secrets.token_urlsafe(SESSION_TOKEN_BYTES)
        )
        if request.method not in _SAFE_METHODS:
            await self._check_form(request)
        response = await handler(request)
        if account is None and not visit and request.path in ("/login", "/claim"):
            self._set_cookie(response, self._visit_cookie, request[COOKIE])
        return response

    async def _to_login(self, request: web.Request) -> web.StreamResponse:
        where = "/login" if await self._accounts.claimed() else "/claim"
        if "HX-Request" in request.headers:
            return web.Response(status=401, headers={"HX-Redirect": where})
        if request.method not in _SAFE_METHODS:
            raise FormRefused("You are not logged in any more.", remedy="Log in and repeat what you did.")
        raise web.HTTPSeeOther(where)

    async def _check_form(self, request: web.Request) -> None:
        if not security.same_origin(request.headers.get("Origin"), request.host, self._settings.secure):
            raise FormRefused("It was sent by a page of another site.")
        if not security.csrf_matches(request[COOKIE], await field(request, "csrf")):
            raise FormRefused("It does not carry the token of this session.")

    def _error(self, request: web.Request, status: int, title: str, detail: str, remedy: str) -> web.Response:
        return self.render(request, "error.html", status, title=title, detail=detail, remedy=remedy)

    # --- login pages ---

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        if ACCOUNT in request:
            raise web.HTTPSeeOther("/")
        return await self._login_form(request, name="")

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        name, password = await field(request, "name"), await field(request, "password")
        try:
            token = await self._accounts.log_in(name, password, request.remote or "")
        except PosternError as error:
            return await self._login_form(request, name=name, fault=error)
        return self._logged_in(token)

    async def _login_form(
        self, request: web.Request, name: str, fault: PosternError | None = None
    ) -> web.Response:
        unclaimed = not await self._accounts.claimed()
        return self.render(request, "login.html", name=name, unclaimed=unclaimed, **_fault(fault))

    async def _claim_page(self, request: web.Request) -> web.StreamResponse:
        return await self._claim_form(request, name="")

    async def _claim(self, request: web.Request) -> web.StreamResponse:
        name, password = await field(request, "name"), await field(request, "password")
        try:
            if password != await field(request, "password_again"):
                raise FormRefused("The two passwords differ.", remedy="Type the same password twice.")
            code = await field(request, "code")
            token = await self._accounts.claim(code, name, password, request.remote or "")
        except PosternError as error:
            return await self._claim_form(request, name=name, fault=error)
        return self._logged_in(token)

    async def _claim_form(
        self, request: web.Request, name: str, fault: PosternError | None = None
    ) -> web.Response:
        claimed = await self._accounts.claimed()
        least = PASSWORD_CHARACTERS_MIN
        context = _fault(fault) | {"name": name, "claimed": claimed, "password_characters_min": least}
        return self.render(request, "claim.html", **context)

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        await self._accounts.log_out(request[COOKIE], request[ACCOUNT])
        response = _redirect("/login")
        response.del_cookie(self._session_cookie, path="/", secure=self._settings.secure, httponly=True)
        return response

    # --- cookies ---

    def _logged_in(self, token: str) -> web.StreamResponse:
        response = _redirect("/")
        self._set_cookie(response, self._session_cookie, token, int(SESSION_LIFE.total_seconds()))
        return response

    def _set_cookie(
        self, response: web.StreamResponse, name: str, value: str, life_s: int | None = None
    ) -> None:
        secure = self._settings.secure
        response.set_cookie(
            name, value, max_age=life_s, path="/", httponly=True, samesite="Strict", secure=secure
        )

    @staticmethod
    def _cookie(request: web.Request, name: str) -> str:
        value = request.cookies.get(name, "")
        return value if security.is_cookie_value(value) else ""


async def field(request: web.Request, name: str) -> str:
    """A text field of a form; empty when it is not there."""
    value = (await request.post()).get(name, "")
    return value.strip() if isinstance(value, str) and not name.startswith("password") else str(value)


def _redirect(where: object) -> web.Response:
    """Go and GET `where`: every redirect here follows a form or a missing login."""
    return web.Response(status=303, headers={"Location": str(where), "Cache-Control": "no-store"})


def _fault(fault: PosternError | None) -> dict[str, Any]:
    if fault is None:
        return {"error": None, "remedy": None}
    return {"status": fault.status, "error": fault.detail, "remedy": fault.remedy}


def _route(request: web.Request) -> str:
    """The route's pattern: a path may hold what somebody typed."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
