"""Customers of the demo ask, go on at the sibling when their node dies, and count what became of each question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web
from aiohttp.test_utils import TestServer

from edge.demo.customers import QUESTIONS, Customers
from edge.demo.story import STORY, line

Turn = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def answered(request: web.Request) -> web.StreamResponse:
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    final = {"route": "answer", "continuation": "sealed"}
    for event, data in (("meta", {}), ("delta", {"text": "At"}), ("final", final)):
        await reply.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
    return reply


async def full(_: web.Request) -> web.StreamResponse:
    return web.json_response({"code": "queue_full"}, status=503, headers={"Retry-After": "1"})


async def cut(request: web.Request) -> web.StreamResponse:
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    await reply.write(b"event: meta\ndata: {}\n\n")
    assert request.transport is not None
    request.transport.close()
    return reply


@asynccontextmanager
async def node(turn: Turn) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    begun: list[dict[str, str]] = []

    async def begin(request: web.Request) -> web.Response:
        begun.append(await request.json())
        body = {"session_id": "s", "token": "t", "notice": {"version": "1"}}
        return web.json_response(body, status=201)

    async def consent(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/api/v1/sessions", begin)
    app.router.add_post("/api/v1/sessions/s/consent", consent)
    app.router.add_post("/api/v1/sessions/s/turns", turn)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), begun


async def served(customers: Customers, wanted: int) -> None:
    """Have them come until so many questions have ended."""
    customers.rate = 200.0
    coming = asyncio.create_task(customers.come())
    tally = customers.tally
    while tally.answered.total() + tally.refused + tally.lost < wanted:
        await asyncio.sleep(0)
    coming.cancel()
    with suppress(asyncio.CancelledError):
        await coming


async def test_answers_are_counted_by_route_and_timed() -> None:
    async with node(answered) as (url, begun):
        customers = Customers([url], ["one?", "two?"])
        await served(customers, 4)
    assert customers.tally.answered["answer"] >= 4
    assert 0 < customers.tally.p95_s < 4
    assert begun[0] == {"channel": "kiosk"}
    assert customers.tally.lost == customers.tally.moved == 0


async def test_who_is_told_to_come_back_is_no_loss() -> None:
    async with node(full) as (url, _):
        customers = Customers([url], ["one?", "two?"])
        await served(customers, 2)
    assert customers.tally.refused >= 2
    assert customers.tally.lost == 0


async def test_a_conversation_goes_on_at_the_sibling_with_what_it_was_given() -> None:
    asked = 0

    async def once_then_cut(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return await (answered(request) if asked == 1 else cut(request))

    async with node(once_then_cut) as (dying, _), node(answered) as (sibling, begun):
        customers = Customers([dying, sibling], ["one?", "two?"])
        await served(customers, QUESTIONS + 1)
    assert customers.tally.lost == 0
    assert {"channel": "kiosk", "continuation": "sealed"} in begun
    assert customers.tally.moved >= 1


def test_a_scene_is_told_in_one_line() -> None:
    customers = Customers([], [])
    customers.tally.asked = 3
    customers.tally.answered.update(["overflow", "overflow", "answer"])
    customers.tally.first_text_s += [0.1, 0.2, 0.3]
    told = line(STORY[1], customers.tally)
    assert told.startswith("spike")
    assert "3 asked: 2 overflow, 1 answer; 0 told to come back, 0 lost; first words p95 0.20 s" in told
    assert line(STORY[0], type(customers.tally)()).count("none answered") == 1
