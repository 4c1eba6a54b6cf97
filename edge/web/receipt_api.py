"""A visitor's receipt over HTTP: for whoever has the conversation's token, or a link that was given for it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

from core.network import is_loopback
from edge.chat.session import Sessions
from edge.egress.proofs.receipt import Receipts
from edge.web.problems import dumps, read_body
from edge.web.receipt_links import LINK_S, ReceiptLinkOver, ReceiptLinks
from edge.web.session_token import session_of

PAGE = "/receipt"
_NOT_KEPT = {"Cache-Control": "no-store"}
# A fifteenth of the code may be dirty or in glare, and it stays small enough for a phone at arm's length.
_CORRECTION = "m"
# Modules of white around it, as the standard asks for (ISO/IEC 18004).
_QUIET_ZONE = 4


class LinkBody(BaseModel):
    """By which address the page that asks reached this node: the link begins with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: Annotated[
        str, Field(pattern=r"^https?://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?$")
    ]

    @property
    def host(self) -> str:
        """Without the port."""
        named = self.origin.partition("//")[2]
        return named[1 : named.index("]")] if named.startswith("[") else named.partition(":")[0]


class ReceiptApi:
    """The handlers."""

    def __init__(self, receipts: Receipts, sessions: Sessions, links: ReceiptLinks) -> None:
        self._receipts = receipts
        self._sessions = sessions
        self._links = links

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [
            web.get("/api/v1/sessions/{id}/receipt", self.receipt),
            web.post("/api/v1/sessions/{id}/receipt-link", self.link),
            web.get("/api/v1/receipt", self.linked),
        ]

    async def receipt(self, request: web.Request) -> web.Response:
        """200, also without the courier: then without proofs."""
        session = await session_of(request, self._sessions)
        self._sessions.act(session)
        return _json(await self._receipts.of(session.id))

    async def link(self, request: web.Request) -> web.Response:
        """201: a link to the page, and the link as a picture that a phone reads, where a phone could open it."""
        session = await session_of(request, self._sessions)
        self._sessions.act(session)
        body = await read_body(request, LinkBody)
        # Behind "#": no proxy writes it down, and no other page is told it.
        url = f"{body.origin}{PAGE}#{self._links.give(session.id)}"
        here = is_loopback(body.host)
        told = {
            "url": url,
            "expires_in_s": round(LINK_S),
            "qr": "" if here else await asyncio.to_thread(code_of, url),
            "no_qr": "loopback" if here else "",
        }
        return _json(told, status=201)

    async def linked(self, request: web.Request) -> web.Response:
        """200: the receipt, and for how long the link still works."""
        scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer":
            raise ReceiptLinkOver
        session, left_s = self._links.read(secret)
        return _json({"receipt": await self._receipts.of(session), "expires_in_s": round(left_s)})


def code_of(text: str) -> str:
    """A QR code as an image's address (`data:`), black on white whatever the page's colours are. Takes some 0.01 s."""
    import segno  # 0.05 s of a node's start, for what few ask for

    code = segno.make_qr(text, error=_CORRECTION)
    return code.svg_data_uri(border=_QUIET_ZONE, dark="#000", light="#fff", omitsize=True)


def _json(told: object, status: int = 200) -> web.Response:
    return web.json_response(told, status=status, headers=_NOT_KEPT, dumps=dumps)
