"""Whose conversation a request is about: the bearer token, checked."""

from __future__ import annotations

from aiohttp import hdrs, web

from edge.chat.session import Session, Sessions
from edge.chat.session_rows import SessionNotFound


async def session_of(request: web.Request, sessions: Sessions, *, touch: bool = True) -> Session:
    """The conversation in the request's path. `touch`: a sign that somebody is there. Raises SessionNotFound."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise SessionNotFound(remedy="Send the session's token: Authorization: Bearer …")
    return await sessions.get(request.match_info["id"], token, touch=touch)
