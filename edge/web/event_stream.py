"""Server-sent events, as the pages and programs read them: the response, one event, a line that keeps it open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiohttp import hdrs, web

from edge import metrics
from edge.web.problems import dumps

EVENT_STREAM = "text/event-stream"
# How often it is looked whether the client is still there, seconds: a model that writes for nobody stops so soon.
GONE_CHECK_S = 0.5
# While an answer is being written its reader hears so often that the node is alive, seconds: a page that hears nothing
# for five times as long goes on at a sibling.
BEAT_S = 0.5
# A comment: readers skip it, and a dead connection shows.
KEEP_OPEN = b":\n\n"


def event_stream() -> web.StreamResponse:
    """A response to be prepared and written to."""
    headers = {hdrs.CONTENT_TYPE: EVENT_STREAM, hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}
    return web.StreamResponse(headers=headers)


def event(name: str, data: object, number: int | None = None) -> bytes:
    """One event; `number` is what a reader sends as Last-Event-ID to go on after it."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {dumps(data)}\n\n".encode()


async def kept_open(response: web.StreamResponse) -> None:
    """Write a comment now and then, until cancelled or until nobody reads any more."""
    with suppress(ConnectionError):
        while True:
            await asyncio.sleep(BEAT_S)
            await response.write(KEEP_OPEN)


@contextmanager
def ended_with(request: web.Request) -> Iterator[None]:
    """The work of a request ends, cancelled, soon after its client has gone: aiohttp alone would let it run on."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer
        if request.transport is None or request.transport.is_closing():
            metrics.clients_gone.inc()
            task.cancel("the client has gone")
        else:
            timer = loop.call_later(GONE_CHECK_S, look)

    timer = loop.call_later(GONE_CHECK_S, look)
    try:
        yield
    finally:
        timer.cancel()
