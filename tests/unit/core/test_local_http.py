"""The one maker of HTTP connections inside the site goes where was judged, whatever a name means by then."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from core.local_http import judged_connector


async def test_it_connects_to_the_addresses_that_were_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    async def looked_up(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up again")

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
        async with (
            aiohttp.ClientSession(connector=judged_connector(["127.0.0.1"])) as client,
            client.get(f"http://login.clinic.example:{server.port}/") as response,
        ):
            assert await response.text() == "here"
