"""Errors as `application/problem+json` (RFC 9457), security headers, and the limits of a request's body."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.errors import PosternError

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The error that a request ended with, for whoever writes down what was refused.
FAULT = web.RequestKey("fault", PosternError)
# Who asks, where a credential has said so.
ACTOR = web.RequestKey("actor", str)

BODY_BYTES_MAX = 64 * 1024
PROBLEM_JSON = "application/problem+json"

# No remote resource, no inline code: what a document or a customer wrote can never load or run anything.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class BadRequest(PosternError):
    """The request's body is not what the route takes."""

    code = "bad_request"
    title = "The request cannot be read"
    remedy = "Send the body that /openapi.json describes."
    status = 400


class BodyTooLarge(PosternError):
    """The request's body is over the limit."""

    code = "body_too_large"
    title = "The request is too large"
    remedy = f"Send at most {BODY_BYTES_MAX // 1024} KiB."
    status = 413


def problem_response(error: PosternError) -> web.Response:
    """The error as a response, with Retry-After where it has one."""
    headers = dict(SECURITY_HEADERS)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return web.json_response(error.problem(), status=error.status, content_type=PROBLEM_JSON, headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as a problem document; what was not foreseen says nothing of its cause to the outside."""
    try:
        return await handler(request)
    except PosternError as error:
        request[FAULT] = error
        return problem_response(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problem_response(_of_http(error))
    except Exception as error:
        # The type only: a message may quote what a customer wrote.
        log.error("unexpected error", extra={"error": type(error).__name__, "route": _route(request)})
        return problem_response(PosternError())


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """For on_response_prepare: pages and answers alike."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


async def read_body(request: web.Request, model: type[M]) -> M:
    """The body as `model`. Raises BodyTooLarge, BadRequest; neither repeats what was sent."""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise BadRequest("; ".join(_fault(item) for item in error.errors(include_input=False))) from None


def _fault(item: ErrorDetails) -> str:
    """Where a body is wrong, and how. The name of a field that is not known is the sender's own words."""
    unknown = item["type"] == "extra_forbidden"
    where = item["loc"][:-1] if unknown else item["loc"]
    return f"{'.'.join(map(str, where)) or 'body'}: {'An unknown field' if unknown else item['msg']}"


def dumps(value: object) -> str:
    """JSON as the API writes it: UTF-8, compact."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _of_http(error: web.HTTPException) -> PosternError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge()
    problem = PosternError(error.reason)
    problem.status, problem.title = error.status, error.reason
    problem.code = error.reason.lower().replace(" ", "_")
    problem.remedy = "See /openapi.json for the routes and methods."
    return problem


def _route(request: web.Request) -> str:
    """The route's pattern, never the path: a path can hold identifiers."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"
