"""Errors as OpenAI's clients understand them: `{"error": {"message", "type", "param", "code"}}`, with Retry-After.

Their client raises a class of its own for each status and tries again by itself after 429 and 503; `code` and the
message are those of the `PosternError`.
"""

from __future__ import annotations

import math

from aiohttp import web

from core.errors import PosternError
from edge.web.problems import SECURITY_HEADERS, dumps
from edge.web.program_requests import NoSuchRoute


def error_response(error: PosternError) -> web.Response:
    """The error as a response."""
    headers = dict(SECURITY_HEADERS)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return web.json_response(error_body(error), status=error.status, headers=headers, dumps=dumps)


def error_body(error: PosternError) -> dict[str, object]:
    """The error as JSON: also the last event of a stream that breaks off."""
    said = {
        "message": f"{error.detail} {error.remedy}",
        "type": _type(error.status),
        "param": getattr(error, "param", None),
        "code": error.code,
    }
    return {"error": said}


async def no_such_route(_: web.Request) -> web.StreamResponse:
    """For everything else below /v1."""
    return error_response(NoSuchRoute())


def _type(status: int) -> str:
    """OpenAI's word for a class of errors."""
    known = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
    }
    return known.get(status, "server_error" if status >= 500 else "invalid_request_error")
