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
from core.webshell.accounts import (
    PASSWORD_CHARACTERS_MIN,
    SESSION_LIFE,
    SESSION_TOKEN_BYTES,
    Account,
    Accounts,
    Visitor,
)
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

# A script of ours sends the form's token here.
CSRF_HEADER = "X-CSRF-Token"

ACCOUNT = web.RequestKey("account", Account)
# Set on a request that a page makes by itself: it does not count as somebody being there.
REFRESH = web.RequestKey("refresh", bool)
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
    place: str
    """What one logs in to: "this control plane"."""
    program: str
    """The command whose terminal or log shows the claim code."""
    version: str
    secure: bool
    """Whether it is served over TLS."""
    cookie: str
    """Name of its cookies; browsers do not tell ports apart, so two consoles on one host need two names."""
    open_paths: frozenset[str]
    """Paths that need no login, as they are asked for."""
    behind_proxy: bool
    """Whether a proxy of the operator's own speaks TLS before it and says from where a request comes."""
    prefix: str = ""
    """Path that all pages are below, such as "/console"; empty for the root."""
    sign_on: str = ""
    """Path, below the prefix, of a login by somebody else's word (single sign-on); empty when there is none."""
    break_glass: bool = False
    """Whether there is a sealed account, which two people open together."""


class WebShell:
    """Middlewares and login routes of one console."""

    def __init__(self, settings: ShellSettings, accounts: Accounts, pages: Pages) -> None:
        self._settings = settings
        self._accounts = accounts
        self._pages = pages
        prefix = "__Host-" if settings.secure else ""
        self._session_cookie = f"{prefix}{settings.cookie}"
        self._visit_cookie = f"{prefix}{settings.cookie}-visit"
        self._login, self._claim = f"{settings.prefix}/login", f"{settings.prefix}/claim"
        self._home = f"{settings.prefix}/"
        self._open_paths = settings.open_paths | {
            settings.prefix + path for _, path, _ in self.routes() if path != "/logout"
        }

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path below the prefix, and handler of the login pages."""
        sealed: list[tuple[str, str, Handler]] = [
            ("GET", "/break-glass", self._break_glass_page),
            ("POST", "/break-glass", self._break_glass),
        ]
        return [
            ("GET", "/login", self._login_page),
            ("POST", "/login", self._log_in),
            ("GET", "/claim", self._claim_page),
            ("POST", "/claim", self._claim_account),
            ("POST", "/logout", self._log_out),
            *(sealed if self._settings.break_glass else []),
        ]

    def install(self, app: web.Application) -> None:
        """Add the login routes and static files; `middlewares` go to the application's constructor."""
        for method, path, handler in self.routes():
            app.router.add_route(method, self._settings.prefix + path, handler)
        for prefix, folder in self._pages.static_folders.items():
            if folder.is_dir():
                app.router.add_static(prefix, folder)

    @property
    def middlewares(self) -> list[Middleware]:
        """Outermost first. An application that writes its own rows of audit calls `serve` instead."""
        return [self._with_headers, self._with_error_pages, self._with_rows, self._with_session]

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A handler behind the middlewares, for an application that has others of its own."""

        async def with_session(request: web.Request) -> web.StreamResponse:
            return await self._with_session(request, handler)

        async def with_error_pages(request: web.Request) -> web.StreamResponse:
            return await self._with_error_pages(request, with_session)

        return await self._with_headers(request, with_error_pages)

    async def account_of(self, request: web.Request) -> Account | None:
        """Who is logged in with the request's cookie and proves by the token in its header that a page of ours asks."""
        token = self._cookie(request, self._session_cookie)
        ours = security.same_origin(
            request.headers.get("Origin"), request.host, self._settings.secure
        ) and security.csrf_matches(token, request.headers.get(CSRF_HEADER, ""))
        if not token or not ours:
            return None
        return await self._accounts.account_of(token, self.visitor(request).browser)

    def visitor(self, request: web.Request) -> Visitor:
        """From where and in which browser somebody asks."""
        forwarded = request.headers.getall("X-Forwarded-For", ())
        address = security.client_address(request.remote or "", forwarded, self._settings.behind_proxy)
        return Visitor(address, security.browser_of(address, request.headers.get("User-Agent", "")))

    def render(self, request: web.Request, template: str, status: int = 200, **context: Any) -> web.Response:
        """A page as a response."""
        cookie = request.get(COOKIE, "")
        shell = Shell(
            product=self._settings.product,
            organisation=self._settings.organisation,
            place=self._settings.place,
            program=self._settings.program,
            version=self._settings.version,
            base=self._settings.prefix,
            path=request.path.removeprefix(self._settings.prefix),
            account=request.get(ACCOUNT),
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
    async def _with_rows(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except FormRefused:
            account = request.get(ACCOUNT)
            await self._accounts.form_refused(account.name if account else None)
            raise

    @web.middleware
    async def _with_session(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_STATIC_PREFIX):
            return await handler(request)
        token = self._cookie(request, self._session_cookie)
        # A page that refreshes itself asks with htmx; whoever walked away is logged off all the same.
        asked = request.method not in _SAFE_METHODS or "HX-Request" not in request.headers
        active = asked and not request.get(REFRESH, False)
        browser = self.visitor(request).browser
        account = await self._accounts.account_of(token, browser, active=active) if token else None
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
        if account is None and not visit and request.path in self._open_paths:
            self._set_cookie(response, self._visit_cookie, request[COOKIE])
        return response

    async def _to_login(self, request: web.Request) -> web.StreamResponse:
        where = self._login if await self._accounts.claimed() else self._claim
        if "HX-Request" in request.headers:
            return web.Response(status=401, headers={"HX-Redirect": where})
        if request.method not in _SAFE_METHODS:
            raise FormRefused("You are not logged in any more.", remedy="Log in and repeat what you did.")
        raise web.HTTPSeeOther(where)

    async def _check_form(self, request: web.Request) -> None:
        if not security.same_origin(request.headers.get("Origin"), request.host, self._settings.secure):
            raise FormRefused("It was sent by a page of another site.")
        token = request.headers.get(CSRF_HEADER) or await field(request, "csrf")
        if not security.csrf_matches(request[COOKIE], token):
            raise FormRefused("It does not carry the token of this session.")

    def _error(self, request: web.Request, status: int, title: str, detail: str, remedy: str) -> web.Response:
        return self.render(request, "error.html", status, title=title, detail=detail, remedy=remedy)

    # --- login pages ---

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        if ACCOUNT in request:
            raise web.HTTPSeeOther(self._home)
        return await self.login_form(request)

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        name, password = await field(request, "name"), await field(request, "password")
        try:
            token = await self._accounts.log_in(name, password, self.visitor(request))
        except PosternError as error:
            return await self.login_form(request, name, error)
        return await self._logged_in(request, token)

    async def login_form(
        self, request: web.Request, name: str = "", fault: PosternError | None = None
    ) -> web.Response:
        """The login page, and what went wrong the last time."""
        unclaimed = not await self._accounts.claimed()
        context = _fault(fault) | {
            "name": name,
            "unclaimed": unclaimed,
            "sign_on": self._settings.sign_on,
            "break_glass": self._settings.break_glass,
        }
        return self.render(request, "login.html", **context)

    async def _break_glass_page(self, request: web.Request) -> web.StreamResponse:
        return self.render(request, "break_glass.html", **_fault(None))

    async def _break_glass(self, request: web.Request) -> web.StreamResponse:
        first, second = await field(request, "envelope_1"), await field(request, "envelope_2")
        try:
            token = await self._accounts.break_glass(first, second, self.visitor(request))
        except PosternError as error:
            return self.render(request, "break_glass.html", **_fault(error))
        return await self._logged_in(request, token)

    async def _claim_page(self, request: web.Request) -> web.StreamResponse:
        return await self._claim_form(request)

    async def _claim_account(self, request: web.Request) -> web.StreamResponse:
        name, password = await field(request, "name"), await field(request, "password")
        code = await field(request, "code")
        try:
            if password != await field(request, "password_again"):
                raise FormRefused("The two passwords differ.", remedy="Type the same password twice.")
            token = await self._accounts.claim(code, name, password, self.visitor(request))
        except PosternError as error:
            return await self._claim_form(request, name, code, error)
        return await self._logged_in(request, token)

    async def _claim_form(
        self, request: web.Request, name: str = "", code: str = "", fault: PosternError | None = None
    ) -> web.Response:
        context: dict[str, Any] = {
            "name": name,
            "code": code,
            "claimed": await self._accounts.claimed(),
            "password_characters_min": PASSWORD_CHARACTERS_MIN,
        }
        return self.render(request, "claim.html", **_fault(fault), **context)

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        await self._accounts.log_out(request[COOKIE], request[ACCOUNT].name)
        response = _redirect(self._login)
        response.del_cookie(self._session_cookie, path="/", secure=self._settings.secure, httponly=True)
        return response

    # --- cookies ---

    async def _logged_in(self, request: web.Request, token: str) -> web.StreamResponse:
        """To the first page, with the new session's cookie; the login that the browser had before ends."""
        if ACCOUNT in request:
            await self._accounts.log_out(request[COOKIE], request[ACCOUNT].name)
        response = _redirect(self._home)
        self.set_session(response, token)
        return response

    def set_session(self, response: web.StreamResponse, token: str) -> None:
        """The session's cookie on a response that is not a redirect of ours."""
        self._set_cookie(response, self._session_cookie, token, int(SESSION_LIFE.total_seconds()))

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
