"""The customer's routes to a human: ask for one, take it back, write, and follow what happens.

A question that is asked with POST …/turns is always the machine's; what is meant for staff goes to POST …/messages.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from edge.chat.handoff import Ended, Handoffs, News, StaffMessage
from edge.chat.session import Session, Sessions
from edge.chat.tickets import Ticket
from edge.web.event_stream import KEEP_OPEN, event, event_stream
from edge.web.problems import BadRequest, dumps, read_body
from edge.web.session_token import session_of

LAST_EVENT_ID = "Last-Event-ID"
# What fits into SQLite's integers.
_EVENT_ID = re.compile(r"[0-9]{1,18}")


class MessageBody(BaseModel):
    """Words to staff."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: Annotated[str, Field(max_length=60_000)]


class HandoffApi:
    """Handlers of the routes."""

    def __init__(self, sessions: Sessions, handoffs: Handoffs) -> None:
        self._sessions = sessions
        self._handoffs = handoffs

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        base = "/api/v1/sessions"
        return [
            web.post(f"{base}/{{id}}/turns/{{turn}}/handoff", self.request),
            web.delete(f"{base}/{{id}}/turns/{{turn}}/handoff", self.withdraw),
            web.post(f"{base}/{{id}}/messages", self.message),
            web.get(f"{base}/{{id}}/events", self.events),
        ]

    async def request(self, request: web.Request) -> web.Response:
        """201 with the ticket's number, also when it was there already."""
        session = await self._acting(request)
        ticket = await self._handoffs.request(session, request.match_info["turn"])
        return web.json_response(self._told(ticket), status=201, dumps=dumps)

    async def withdraw(self, request: web.Request) -> web.Response:
        """204; what was handed over is forgotten."""
        session = await self._acting(request)
        await self._handoffs.withdraw(session, request.match_info["turn"])
        return web.Response(status=204)

    async def message(self, request: web.Request) -> web.Response:
        """201; staff can read it."""
        session = await self._acting(request)
        body = await read_body(request, MessageBody)
        number = await self._handoffs.write(session, body.text)
        return web.json_response({"message_id": number}, status=201, dumps=dumps)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What happens to the conversation's tickets, as server-sent events. An open stream is no sign of life."""
        session = await session_of(request, self._sessions, touch=False)
        after = _last_event(request)
        response = event_stream()
        async with aclosing(self._handoffs.follow(session, after)) as news:
            async for item in news:
                if not response.prepared:
                    await response.prepare(request)
                await response.write(_written(item))
        await response.write_eof()
        return response

    async def _acting(self, request: web.Request) -> Session:
        session = await session_of(request, self._sessions)
        self._sessions.act(session)
        return session

    def _told(self, ticket: Ticket) -> dict[str, object]:
        return {"ticket": ticket.number, "state": ticket.state, "keep_h": self._handoffs.keep_h}


def _last_event(request: web.Request) -> int:
    text = request.headers.get(LAST_EVENT_ID, "0")
    if not _EVENT_ID.fullmatch(text):
        raise BadRequest("Last-Event-ID is not one that this node gave.")
    return int(text)


def _written(news: News) -> bytes:
    if news is None:
        return KEEP_OPEN
    if isinstance(news, Ended):
        return event("ended", {})
    if isinstance(news, StaffMessage):
        said = {"ticket": news.ticket, "operator": news.operator, "text": news.text}
        return event("message", said, news.id)
    return event("state", {"ticket": news.ticket, "state": news.state, "operator": news.operator})
