"""`GET /api/v1/sessions/{id}/receipt`: what left the building about a conversation, for whoever has its token."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from aiohttp import web

from edge.chat.session import Sessions
from edge.egress.receipt import receipt
from edge.store.store import Store
from edge.web.problems import dumps
from edge.web.session_token import session_of


class ReceiptApi:
    """The handler. `clock`: seconds since the epoch."""

    def __init__(self, store: Store, sessions: Sessions, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._sessions = sessions
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [web.get("/api/v1/sessions/{id}/receipt", self.receipt)]

    async def receipt(self, request: web.Request) -> web.Response:
        """200."""
        session = await session_of(request, self._sessions)
        made = partial(receipt, session=session.id, at_ms=round(self._clock() * 1000))
        return web.json_response(
            await self._store.read(made), headers={"Cache-Control": "no-store"}, dumps=dumps
        )
