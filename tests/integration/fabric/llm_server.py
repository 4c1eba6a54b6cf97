"""A language model server of the site's network (aiohttp, OpenAI's protocol) that misbehaves on command."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

WORDS = ("The", " lift", " is", " to", " the", " left", ".")


@dataclass
class LlmServerFake:
    """What it was asked, and what it does next."""

    port: int = 0
    trouble: str = ""
    words: Sequence[str] = WORDS
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answered(request)
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        match self.trouble:
            case "busy":
                return web.Response(status=429, headers={"Retry-After": "7"})
            case "broken":
                return web.Response(status=500, text="secret")
            case "elsewhere":
                return web.Response(status=307, headers={"Location": "http://203.0.113.5/"})
            case "no_stream":
                return web.json_response({"choices": [{"message": {"content": "secret"}}]})
        return await self._stream(request)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, word in enumerate(self.words):
            await self._trouble(response, request, number)
            await _say(response, {"delta": {"content": word}, "finish_reason": None})
        if self.trouble != "no_end":
            finish = self.trouble if self.trouble in {"length", "content_filter"} else "stop"
            await _say(response, {"delta": {}, "finish_reason": finish})
            await response.write(b"data: [DONE]\n\n")
        return response

    async def _trouble(self, response: web.StreamResponse, request: web.Request, number: int) -> None:
        assert request.transport is not None
        match (self.trouble, number):
            case ("slow_first", 0) | ("hangs", 3):
                await self.hold.wait()
            case ("cut_first", 0) | ("cut", 3):
                request.transport.abort()
            case ("malformed", 3):
                await response.write(b"data: {no json\n\n")
            case ("error_event", 3):
                await response.write(b'data: {"error": {"message": "out of memory"}}\n\n')
            case ("long_line", 3):
                await response.write(b"data: " + b"x" * 600_000 + b"\n\n")
            case ("comments", _):
                await response.write(b": ping\n\nevent: message\n")


async def _say(response: web.StreamResponse, choice: dict[str, object]) -> None:
    await response.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")


@asynccontextmanager
async def llm_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[LlmServerFake]:
    """One on a free port of this machine."""
    fake = LlmServerFake()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", fake.answer)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    fake.port = runner.addresses[0][1]
    try:
        yield fake
    finally:
        fake.hold.set()
        await runner.cleanup()
