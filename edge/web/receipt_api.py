"""`GET /api/v1/sessions/{id}/receipt`: what left the building about a conversation, for whoever has its token."""

from __future__ import annotations

from aiohttp import web

from edge.chat.session import Sessions
from edge.egress.receipt import Receipts
from edge.web.problems import dumps
from edge.web.session_token import session_of


class ReceiptApi:
    """The handler."""

    def __init__(self, receipts: Receipts, sessions: Sessions) -> None:
        self._receipts = receipts
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [web.get("/api/v1/sessions/{id}/receipt", self.receipt)]

    async def receipt(self, request: web.Request) -> web.Response:
        """200, also without the courier: then without proofs."""
        session = await session_of(request, self._sessions)
        told = await self._receipts.of(session.id)
        return web.json_response(told, headers={"Cache-Control": "no-store"}, dumps=dumps)
