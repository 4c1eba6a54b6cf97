"""The customer's routes: parse, call, serialise. The contract's `/api/v1/sessions…`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Annotated

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

from core.errors import PosternError
from edge.chat import feedback, session_rows
from edge.chat.continuation import TOKEN_CHARS_MAX, ContinuationRefused
from edge.chat.continuing import Continuing, StaffLoginNeeded
from edge.chat.notice import Notice
from edge.chat.session import Channel, NewSession, Session, Sessions, StaleNotice
from edge.chat.turn import Delta, Desk, Final, Meta
from edge.knowledge.document import Audience
from edge.privacy.holds import LegalHold
from edge.privacy.scanning import Scanner
from edge.store.store import Store
from edge.web.event_stream import EVENT_STREAM, ended_with, event, event_stream, kept_open
from edge.web.problems import dumps, read_body
from edge.web.session_token import session_of

# A body may exceed the longest text by its JSON escapes and the other fields.
TEXT_CHARS_PARSED_MAX = 60_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewSessionBody(_Body):
    """Begin a conversation."""

    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")] = "en"
    channel: Channel = Channel.API
    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    # Instead of all of these: a token of another node of the site, whose conversation goes on here.
    continuation: Annotated[str, Field(max_length=TOKEN_CHARS_MAX)] | None = None


class ConsentBody(_Body):
    """The notice was read; `overflow` permits help from outside the building, or not; left out where nobody was asked.

    Sent again it is a change of mind, which holds for the next text.
    """

    notice_version: Annotated[str, Field(max_length=64)]
    overflow: bool | None = None


class TurnBody(_Body):
    """One question."""

    text: Annotated[str, Field(max_length=TEXT_CHARS_PARSED_MAX)]


class FeedbackBody(_Body):
    """Was the answer useful? If not, why: one of the reasons, and in the customer's own words."""

    useful: bool
    reason_code: feedback.Reason | None = None
    reason: Annotated[str, Field(max_length=feedback.REASON_CHARS_MAX)] | None = None


class SessionsApi:
    """Handlers of the customer's routes."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        desk: Desk,
        notice: Notice,
        scanner: Scanner,
        audience_of: Callable[[web.Request], Awaitable[Audience]] | None = None,
        continuing: Continuing | None = None,
        asks_for_overflow: Callable[[], bool] = lambda: False,
    ) -> None:
        """`audience_of`: whose documents the caller may be answered from, by credential; None: always the public's.

        `continuing`: where the site has siblings. `asks_for_overflow`: whether customers are asked to permit it.
        """
        self._store = store
        self._sessions = sessions
        self._desk = desk
        self._notice = notice
        self._scanner = scanner
        self._audience_of = audience_of or _public
        self._continuing = continuing
        self._asks_for_overflow = asks_for_overflow

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        base = "/api/v1/sessions"
        return [
            web.post(base, self.create),
            web.delete(f"{base}/{{id}}", self.delete),
            web.post(f"{base}/{{id}}/consent", self.consent),
            web.get(f"{base}/{{id}}/consent", self.agreed),
            web.post(f"{base}/{{id}}/alive", self.alive),
            web.post(f"{base}/{{id}}/turns", self.turn),
            web.post(f"{base}/{{id}}/turns/{{turn}}/feedback", self.feedback),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the token, once, and the notice to show; or of a conversation that goes on here."""
        body = await read_body(request, NewSessionBody)
        if body.continuation is not None:
            new, moved = await self._gone_on(request, body.continuation)
        else:
            audience = await self._audience_for(body.channel, request)
            new, moved = (
                await self._sessions.create(
                    body.channel, body.locale, body.subject, address=request.remote or "", audience=audience
                ),
                {},
            )
        reply = {
            "session_id": new.session.id,
            "token": new.token,
            "notice": {
                "version": self._notice.version,
                "text": self._notice.text,
                "overflow_offered": self._asks_for_overflow(),
            },
            "languages": list(self._desk.covered()),
            "expires_in_s": new.expires_in_s,
            "idle_s": new.idle_s,
            **moved,
        }
        return web.json_response(reply, status=201, dumps=dumps)

    async def _gone_on(self, request: web.Request, token: str) -> tuple[NewSession, dict[str, object]]:
        """A sibling's conversation, and what its page goes on with. Of staff's the credential is needed here, too."""
        if self._continuing is None:
            raise ContinuationRefused("This node has no siblings.")
        told = self._continuing.open(token)
        if told.audience == Audience.STAFF and await self._audience_of(request) is not Audience.STAFF:
            raise StaffLoginNeeded
        new = await self._continuing.take(told, request.remote or "")
        return new, {"consented": True, "continuation": await self._continuing.token(new.session)}

    async def _audience_for(self, channel: Channel, request: web.Request) -> Audience:
        """Staff text is for the intranet only: a kiosk stands where customers do, whoever is logged in there."""
        return await self._audience_of(request) if channel is Channel.INTRANET else Audience.PUBLIC

    async def delete(self, request: web.Request) -> web.Response:
        """204; nothing of the conversation is left. Where a legal hold keeps it, 409: it has ended all the same."""
        session = await self._session(request)
        if not await self._sessions.wipe(session.id):
            raise LegalHold("The conversation has ended. What was said stays until a legal hold is released.")
        return web.Response(status=204)

    async def consent(self, request: web.Request) -> web.Response:
        """204; from here on turns are answered."""
        session = await self._session(request)
        body = await read_body(request, ConsentBody)
        if body.notice_version != self._notice.version:
            raise StaleNotice(f"The notice in force is version {self._notice.version}.")
        self._sessions.act(session)
        await self._sessions.consent(session, body.notice_version, body.overflow)
        return web.Response(status=204)

    async def agreed(self, request: web.Request) -> web.Response:
        """200: the notice that was accepted, with its words, and whether overflow is permitted now."""
        session = await self._session(request)
        if not session.recorded:
            return web.json_response(self._agreed_unrecorded(session), dumps=dumps)
        found = await self._store.read(lambda db: session_rows.agreed(db, session.id))
        notice = None if found is None else {"version": found.version, "text": found.text}
        overflow, at_ms = (None, None) if found is None else (found.overflow, found.at_ms)
        reply = {"notice": notice, "overflow": overflow, "at_ms": at_ms}
        return web.json_response(reply, dumps=dumps)

    def _agreed_unrecorded(self, session: Session) -> dict[str, object]:
        """What holds in memory: overflow is never permitted there."""
        notice = {"version": session.notice_version, "text": self._notice.text} if session.consented else None
        return {"notice": notice, "overflow": False if notice else None, "at_ms": None}

    async def alive(self, request: web.Request) -> web.Response:
        """204; somebody is at the screen, though nothing is asked."""
        await self._session(request)
        return web.Response(status=204)

    async def turn(self, request: web.Request) -> web.StreamResponse:
        """The answer as JSON, or as a stream of events."""
        session = await self._session(request)
        body = await read_body(request, TurnBody)
        with ended_with(request):
            if EVENT_STREAM in request.headers.get(hdrs.ACCEPT, ""):
                return await self._stream(request, session, body.text)
            return await self._whole(session, body.text)

    async def _whole(self, session: Session, text: str) -> web.Response:
        async with aclosing(self._desk.turn(session, text)) as events:
            async for happened in events:
                if isinstance(happened, Final):
                    return web.json_response(await self._final(session, happened), dumps=dumps)
        raise PosternError

    async def _final(self, session: Session, happened: Final) -> dict[str, object]:
        """The turn's answer; where the site has siblings, with what the conversation goes on by at one of them."""
        token = await self._continuing.token(session) if self._continuing else None
        return {**happened.body, "continuation": token} if token else happened.body

    async def feedback(self, request: web.Request) -> web.Response:
        """204."""
        session = await self._session(request)
        self._sessions.act(session)
        body = await read_body(request, FeedbackBody)
        await feedback.give(
            self._store,
            session,
            request.match_info["turn"],
            body.useful,
            reason=body.reason_code,
            words=body.reason,
            scan=self._scanner.scan,
        )
        return web.Response(status=204)

    async def _session(self, request: web.Request) -> Session:
        return await session_of(request, self._sessions)

    async def _stream(self, request: web.Request, session: Session, text: str) -> web.StreamResponse:
        """Server-sent events. An error before the first event is a problem response, later an `error` event."""
        response: web.StreamResponse | None = None
        beat: asyncio.Task[None] | None = None
        try:
            async with aclosing(self._desk.turn(session, text)) as events:
                async for happened in events:
                    if response is None or beat is None:
                        response = event_stream()
                        await response.prepare(request)
                        beat = asyncio.create_task(kept_open(response), name="beat")
                    piece = await self._event(session, happened)
                    if isinstance(happened, Final):  # with the end: each write of the socket costs the loop
                        beat.cancel()
                        await response.write_eof(piece)
                    else:
                        await response.write(piece)
        except PosternError as error:
            if response is None:
                raise
            await response.write(event("error", error.problem()))
        finally:
            if beat is not None:
                beat.cancel()
        if response is None:
            raise PosternError
        await response.write_eof()
        return response

    async def _event(self, session: Session, happened: Meta | Delta | Final) -> bytes:
        if isinstance(happened, Meta):
            return event("meta", {"turn_id": happened.turn_id, "languages": list(happened.languages)})
        if isinstance(happened, Delta):
            return event("delta", {"text": happened.text})
        return event("final", await self._final(session, happened))


async def _public(_: web.Request) -> Audience:
    return Audience.PUBLIC
