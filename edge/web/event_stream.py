"""Server-sent events, as the pages and programs read them: the response, one event, a line that keeps it open."""

from __future__ import annotations

from aiohttp import hdrs, web

from edge.web.problems import dumps

EVENT_STREAM = "text/event-stream"
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
