"""Work for a client that has gone ends; for one that stays it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from edge.config import HttpSection
from edge.web.event_stream import GONE_CHECK_S, ended_with
from edge.web.server import serve_customers

WAIT_S = 30.0


@asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[str]:
    """As the node does: aiohttp's TestServer cancels for itself what a client has left."""
    runner, url = await serve_customers(application, HttpSection(port=0))
    yield url
    await runner.cleanup()


async def test_work_ends_soon_after_its_client_has_gone() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        try:
            with ended_with(request):
                begun.set()
                await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    application = web.Application()
    application.router.add_get("/", handler)
    async with serving(application) as url, ClientSession() as client:
        asking = asyncio.create_task(client.get(url))
        async with asyncio.timeout(WAIT_S):
            await begun.wait()
            asking.cancel()
            await ended.wait()


async def test_work_for_a_client_that_stays_goes_on() -> None:
    async def handler(request: web.Request) -> web.Response:
        with ended_with(request):
            await asyncio.sleep(3 * GONE_CHECK_S)
        return web.Response(text="done")

    application = web.Application()
    application.router.add_get("/", handler)
    async with serving(application) as url, ClientSession() as client:
        async with client.get(url) as response:
            assert await response.text() == "done"
