"""`POST /api/v1/privacy/scan`: what is personal in a text, for programs. Neither text nor finding is kept or logged."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from edge import metrics
from edge.inference.waiting import about_tokens
from edge.privacy.scanning import Scanner, ScanTextTooLong, told
from edge.store.api_keys import Scope
from edge.web.key_ring import KeyRing, Use
from edge.web.problems import dumps, problem_response, read_body
from edge.web.program_requests import opened_by

ID_CHARS_MAX = 256


class ScanBody(BaseModel):
    """A text; `id` comes back as it is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    text: str
    id: Annotated[str, Field(max_length=ID_CHARS_MAX)] | int | None = None


class PrivacyApi:
    """Handlers. A key with the scope `privacy` opens them."""

    def __init__(self, keys: KeyRing, scanner: Scanner, text_chars_max: int) -> None:
        self._keys = keys
        self._scanner = scanner
        self._text_chars_max = text_chars_max

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        scan = opened_by(self._keys, Scope.PRIVACY, problem_response, self.scan)
        return [web.post("/api/v1/privacy/scan", scan)]

    async def scan(self, request: web.Request, use: Use) -> web.Response:
        """As `postern privacy scan`."""
        body = await read_body(request, ScanBody)
        if len(body.text) > self._text_chars_max:
            raise ScanTextTooLong(
                f"A text may have {self._text_chars_max:,} characters; this one has {len(body.text):,}.",
                remedy="Cut it, or use postern privacy scan.",
            )
        found = await self._scanner.scan(body.text, caller=use.key.actor)
        use.spend(about_tokens(body.text))
        metrics.count_entities(found.spans)
        reply = {} if body.id is None else {"id": body.id}
        return web.json_response({**reply, **told(body.text, found)}, dumps=dumps)
