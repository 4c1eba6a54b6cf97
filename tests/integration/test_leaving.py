"""Work for a client that has gone ends; for one that stays it does not."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from edge.web.event_stream import GONE_CHECK_S, ended_with

WAIT_S = 30.0


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
    async with TestServer(application) as server, ClientSession() as client:
        asking = asyncio.create_task(client.get(server.make_url("/")))
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
    async with TestServer(application) as server, ClientSession() as client:
        async with client.get(server.make_url("/")) as response:
            assert await response.text() == "done"
