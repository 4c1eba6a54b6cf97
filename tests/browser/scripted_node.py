"""A node that does what a test tells it, for states that the real one reaches only by accident: a drop in mid-answer, a
full queue, an expired session, a slow answer. The page under test is the real page; journeys run against the real node
(`node` of tests/conftest.py), not against this."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from edge.web.siblings import adding_permission, page_policy, permitting

ROOT = Path(__file__).resolve().parents[2]
# For requests at the end of a test: nobody is left to read their answers, and streams never end by themselves.
SHUTDOWN_S = 0.05
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NOTICE = """An artificial intelligence answers here, not a person. It looks in the clinic's own documents.

What you type stays on a machine in this building. It is erased when you press "Start over".

For anything urgent, please speak to a member of staff."""
SUGGESTIONS = (
    "When are you open on Saturday?",
    "Where do I park?",
    "How do I prepare for a blood test?",
    "How do I make a complaint?",
)
HOURS = {
    "answer": "On Saturdays the outpatient desk is open from 09:00 to 13:00. The laboratory is closed on Saturdays.",
    "route": "answer",
    "citations": [
        {
            "doc": "opening-hours.md",
            "version": "3",
            "title": "Opening hours",
            "section": "Weekends",
            "quote": "Saturday: outpatient desk 09:00 to 13:00, laboratory closed.",
        },
        {
            "doc": "visiting.html",
            "version": "1",
            "title": "Visiting a patient",
            "section": "At the weekend",
            "quote": "On Saturday and Sunday visitors are welcome from 14:00 to 19:00.",
        },
    ],
}
NOT_FOUND = {
    "answer": "We did not find this in our documents. A member of staff can help you.",
    "route": "handoff",
    "citations": [],
}


@dataclass
class Script:
    """What the node does next, and what it was asked."""

    turn: dict[str, Any] = field(default_factory=lambda: dict(HOURS))
    # Named faults: "drop" (connection cut in mid-answer), "busy" (503), "rate" (429), "gone" (404), "long" (413).
    fault: str | None = None
    retry_after_s: int = 2
    open_fault: str | None = None
    overflow_offered: bool = True
    notice: str = NOTICE
    locale: str = "en"
    site_name: str = "Harbour Street Clinic"
    suggestions: tuple[str, ...] = SUGGESTIONS
    idle_warn_s: int = 45
    idle_wipe_s: int = 75
    # Unset: the answer waits in mid-stream until a test sets it.
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    # Unset: a conversation is not opened until a test sets it; one has been asked for.
    open_on: asyncio.Event = field(default_factory=asyncio.Event)
    opening: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    receipt: dict[str, Any] | None = None
    # What is answered when a link for a phone is asked for; None: there is none now.
    link: dict[str, Any] | None = None
    # The link's secret, and whether it still works.
    secret: str = "s3cret"
    link_over: bool = False
    link_origins: list[str] = field(default_factory=list)
    feedback: list[bool] = field(default_factory=list)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    # Named fault of asking for a person: "full" (503), "gone".
    handoff_fault: str | None = None
    withdrawn: int = 0
    told_staff: list[str] = field(default_factory=list)
    # What follows the ticket: (name, data). A test puts them here as they should arrive.
    news: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    followed_from: list[str] = field(default_factory=list)
    alive_fault: str | None = None
    signs_of_life: int = 0
    wiped: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    # Other nodes of the site; tokens of theirs that came here.
    siblings: tuple[str, ...] = ()
    continued: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go_on.set()
        self.open_on.set()


@dataclass(frozen=True)
class ScriptedNode:
    url: str
    script: Script
    die: Callable[[], Awaitable[None]]
    """At once, in the middle of everything: nobody listens any more, and what is open breaks off."""


def _problem(
    status: int, code: str, title: str, detail: str, remedy: str, retry_after_s: int | None = None
) -> web.Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    body = {"code": code, "title": title, "detail": detail, "remedy": remedy, "status": status}
    return web.json_response(body, status=status, content_type="application/problem+json", headers=headers)


def _fault(script: Script, name: str | None) -> web.Response | None:
    wait_s = script.retry_after_s
    match name:
        case "busy":
            return _problem(503, "busy", "The node is busy", "The queue is full.", "Try again.", wait_s)
        case "rate":
            return _problem(429, "rate_limited", "Too many requests", "Slow down.", "Try again.", wait_s)
        case "full":
            title = "Very many people are waiting for our staff"
            return _problem(503, "desk_full", title, "", "Go to the desk.", wait_s)
        case "unwritable":
            title = "This desk cannot keep records at the moment"
            return _problem(503, "store_unwritable", title, "", "Try again later.", wait_s)
        case "over":
            return _problem(409, "ticket_over", "This ticket is no longer open", "", "Ask again.")
        case "gone":
            return _problem(404, "session_not_found", "No such session", "It ended.", "Begin a new one.")
        case "long":
            return _problem(413, "text_too_long", "Too long", "At most 4,000 characters.", "Shorten it.")
        case "broken":
            return _problem(500, "internal", "The node has a fault", "It was noted.", "Ask at the desk.")
    return None


class _Node:
    def __init__(self, script: Script) -> None:
        self.script = script
        loader = jinja2.FileSystemLoader(
            [ROOT / "edge/web/kiosk/templates", ROOT / "core/webshell/templates"]
        )
        self.pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)

    async def page(self, _: web.Request) -> web.Response:
        script = self.script
        html = self.pages.get_template("index.html").render(
            site_name=script.site_name, locale=script.locale, suggestions=list(script.suggestions),
            idle_warn_s=script.idle_warn_s, idle_wipe_s=script.idle_wipe_s, text_chars_max=4000,
            keep_h=24, siblings=list(script.siblings),
        )  # fmt: skip
        policy = page_policy(script.siblings) if script.siblings else CSP
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def create(self, request: web.Request) -> web.Response:
        if token := (await request.json()).get("continuation"):
            self.script.continued.append(token)
        if fault := _fault(self.script, self.script.open_fault):
            return fault
        self.script.opening.set()
        await self.script.open_on.wait()
        notice = {
            "version": "1",
            "text": self.script.notice,
            "overflow_offered": self.script.overflow_offered,
        }
        body = {
            "session_id": "s1",
            "token": "t1",
            "notice": notice,
            "languages": ["en", "de"],
            "expires_in_s": 1800,
        }
        return web.json_response(body, status=201)

    async def consent(self, request: web.Request) -> web.Response:
        self.script.consents.append(await request.json())
        return web.Response(status=204)

    async def receipt(self, _: web.Request) -> web.Response:
        if self.script.receipt is None:
            raise web.HTTPServiceUnavailable
        return web.json_response(self.script.receipt)

    async def receipt_link(self, request: web.Request) -> web.Response:
        self.script.link_origins.append((await request.json())["origin"])
        if self.script.link is None:
            raise web.HTTPServiceUnavailable
        return web.json_response(self.script.link, status=201)

    async def receipt_page(self, _: web.Request) -> web.Response:
        html = self.pages.get_template("receipt.html").render(
            site_name=self.script.site_name, locale=self.script.locale
        )
        headers = {"Content-Security-Policy": CSP, "Cache-Control": "no-store"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def linked(self, request: web.Request) -> web.Response:
        script = self.script
        if script.link_over or request.headers["Authorization"] != f"Bearer {script.secret}":
            title = "This link to a receipt works no longer"
            return _problem(404, "receipt_link_over", title, "", "Open it anew.")
        if script.receipt is None:
            raise web.HTTPServiceUnavailable
        return web.json_response({"receipt": script.receipt, "expires_in_s": 540})

    async def alive(self, _: web.Request) -> web.Response:
        self.script.signs_of_life += 1
        if fault := _fault(self.script, self.script.alive_fault):
            return fault
        return web.Response(status=204)

    async def delete(self, request: web.Request) -> web.Response:
        self.script.wiped.put_nowait(request.match_info["id"])
        return web.Response(status=204)

    async def feedback(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.script.feedback.append(body["useful"])
        self.script.reasons.append(body)
        return web.Response(status=204)

    async def handoff(self, _: web.Request) -> web.Response:
        if fault := _fault(self.script, self.script.handoff_fault):
            return fault
        return web.json_response({"ticket": "K-0427", "state": "waiting", "keep_h": 24}, status=201)

    async def withdraw(self, _: web.Request) -> web.Response:
        self.script.withdrawn += 1
        return web.Response(status=204)

    async def message(self, request: web.Request) -> web.Response:
        self.script.told_staff.append((await request.json())["text"])
        if fault := _fault(self.script, self.script.fault):
            return fault
        return web.json_response({"message_id": 1}, status=201)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What the test says; the event "drop" cuts the connection."""
        self.script.followed_from.append(request.headers["Last-Event-ID"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":\n\n")
        while True:
            name, data = await self.script.news.get()
            if name == "drop":
                assert request.transport is not None
                request.transport.abort()
                return response
            if number := data.pop("id", None):
                await response.write(f"id: {number}\n".encode())
            await self._event(response, name, data)

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def turn(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer t1"
        self.script.asked.append((await request.json())["text"])
        if fault := _fault(self.script, self.script.fault):
            return fault
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        body = {
            "turn_id": f"turn-{len(self.script.asked)}", "redactions": [], "label": "internal", "timings_ms": {},
            "intent": {"name": "hours", "confidence": 0.9, "in_scope": True}, **self.script.turn,
        }  # fmt: skip
        await self._event(response, "meta", {"turn_id": body["turn_id"]})
        words = body["answer"].split(" ")
        half = max(1, len(words) // 2)
        for n, word in enumerate(words):
            if n == half:
                if self.script.fault == "drop":
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                await self.script.go_on.wait()
            await self._event(response, "delta", {"text": word if n == 0 else f" {word}"})
        if self.script.siblings:
            body["continuation"] = f"token-{len(self.script.asked)}"
        await self._event(response, "final", body)
        return response

    async def _event(self, response: web.StreamResponse, name: str, data: object) -> None:
        await response.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())


@asynccontextmanager
async def scripted_node(script: Script | None = None, port: int = 0) -> AsyncIterator[ScriptedNode]:
    """Serve the kiosk page with `script`, on a free port by default."""
    node = _Node(script or Script())
    siblings = frozenset(node.script.siblings)
    app = web.Application(middlewares=[permitting(siblings)])
    app.on_response_prepare.append(adding_permission(siblings))
    sessions = "/api/v1/sessions"
    app.add_routes(
        [
            web.get("/", node.page),
            web.static("/static/core", ROOT / "core/webshell/static"),
            web.static("/static/kiosk", ROOT / "edge/web/kiosk/static"),
            web.post(sessions, node.create),
            web.delete(sessions + "/{id}", node.delete),
            web.post(sessions + "/{id}/consent", node.consent),
            web.get(sessions + "/{id}/receipt", node.receipt),
            web.post(sessions + "/{id}/receipt-link", node.receipt_link),
            web.get("/receipt", node.receipt_page),
            web.get("/api/v1/receipt", node.linked),
            web.post(sessions + "/{id}/alive", node.alive),
            web.post(sessions + "/{id}/turns", node.turn),
            web.post(sessions + "/{id}/turns/{turn}/feedback", node.feedback),
            web.post(sessions + "/{id}/turns/{turn}/handoff", node.handoff),
            web.delete(sessions + "/{id}/turns/{turn}/handoff", node.withdraw),
            web.post(sessions + "/{id}/messages", node.message),
            web.get(sessions + "/{id}/events", node.events),
            web.get("/healthz", node.health),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()

    async def die() -> None:
        await site.stop()
        assert runner.server is not None
        for connection in runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    try:
        port = runner.addresses[0][1]
        yield ScriptedNode(f"http://127.0.0.1:{port}", node.script, die)
    finally:
        node.script.go_on.set()
        node.script.open_on.set()
        await runner.cleanup()
