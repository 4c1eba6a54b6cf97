"""What pages of others may do here: those of the site's other nodes use the customers' session routes (CORS), no other
page sends anything.

A page goes on at a sibling by itself (docs/api.md). Its token is in the request, never a cookie: a page of another
origin is given no login of this node's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from core.errors import PosternError
from edge.web.console.rules import PREFIX
from edge.web.problems import CONTENT_SECURITY_POLICY, dumps

OPEN_TO_SIBLINGS: Final = "/api/v1/sessions"
"""This path and those below it."""

METHODS: Final = "GET, POST, DELETE"
HEADERS: Final = "accept, authorization, content-type, last-event-id"
ASKED_AGAIN_S: Final = 600
"""Browsers remember a permission for so long; a node that dies is then left without one more request."""


READING: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


class ForeignPage(PosternError):
    """A page of another site sends something."""

    code = "foreign_page"
    title = "Sent by a page of another site"
    remedy = (
        "Use this node's own page. A page of another node of the site is named in siblings.urls; a proxy in front must "
        "pass Host on as the browser sent it."
    )
    status = 403


def page_policy(siblings: Iterable[str]) -> str:
    """The pages' content security policy: they may ask the siblings, too."""
    return CONTENT_SECURITY_POLICY.replace("connect-src 'self'", " ".join(["connect-src 'self'", *siblings]))


def permitting(siblings: frozenset[str]) -> Middleware:
    """Answers the question that a browser asks first; everybody else's goes on its way."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == hdrs.METH_OPTIONS and _is_sibling(request, siblings):
            return web.Response(
                status=204,
                headers={
                    hdrs.ACCESS_CONTROL_ALLOW_METHODS: METHODS,
                    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: HEADERS,
                    hdrs.ACCESS_CONTROL_MAX_AGE: str(ASKED_AGAIN_S),
                },
            )
        return await handler(request)

    return answer


def refusing_others(siblings: frozenset[str]) -> Middleware:
    """A page that a browser of this machine shows can send here, though not read what comes back: it may not begin
    conversations until there is no place for customers. Raises ForeignPage. Programs say nothing of a page."""

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in READING and _is_foreign(request) and not _is_sibling(request, siblings):
            raise ForeignPage
        return await handler(request)

    return refuse


def _is_foreign(request: web.Request) -> bool:
    """What the browser says of the page. Over plain HTTP (but to this machine), and where it is old, it names its
    origin alone. A token no browser adds by itself, and no page without leave. The console judges its own forms, and
    writes down whose they were."""
    if request.path.startswith(f"{PREFIX}/"):
        return False
    if request.headers.get(hdrs.AUTHORIZATION, "").lower().startswith("bearer "):
        return False
    if said := request.headers.get("Sec-Fetch-Site"):
        return said not in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and _host(origin.partition("://")[2]) != _host(request.host)


def _host(written: str) -> str:
    """Without a scheme's own port, which browsers leave out and some proxies add. A proxy may have changed schemes."""
    return written.lower().removesuffix(":443").removesuffix(":80")


def adding_permission(
    siblings: frozenset[str],
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For on_response_prepare: says on what is answered that the page may read it."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        if _is_sibling(request, siblings):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = hdrs.RETRY_AFTER
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    return add


def _is_sibling(request: web.Request, siblings: frozenset[str]) -> bool:
    inside = request.path == OPEN_TO_SIBLINGS or request.path.startswith(f"{OPEN_TO_SIBLINGS}/")
    return inside and request.headers.get(hdrs.ORIGIN) in siblings


class SiblingsApi:
    """What another node's technician may ask: does a conversation go on here?"""

    def __init__(self, site: str, fingerprint: str, notice: str) -> None:
        """`fingerprint`: of the key that the nodes share, "" without one; `notice`: the version in force."""
        self._said = {"site": site, "key": fingerprint, "notice": notice}

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [web.get("/api/v1/siblings", self.describe)]

    async def describe(self, _: web.Request) -> web.Response:
        """200: the site, the key's fingerprint, the notice's version. Nothing of a person, nothing of the key."""
        return web.json_response(self._said, dumps=dumps)
