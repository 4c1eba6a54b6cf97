"""Errors as OpenAI's clients understand them: `{"error": {"message", "type", "param", "code"}}`, with Retry-After.

Their client raises a class of its own for each status and tries again by itself after 429 and 503; `code` and the
message are those of the `PosternError`.
"""

from __future__ import annotations

import functools
import json
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.errors import PosternError
from edge.web.problems import BODY_BYTES_MAX, SECURITY_HEADERS, dumps

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROGRAM_BODY_BYTES_MAX: Final = 1024 * 1024
"""Of the routes for programs, once the key was accepted: the longest text 64 times over, all of it escaped."""

PROGRAM_BODY_KIB: Final = PROGRAM_BODY_BYTES_MAX // 1024


class RequestRefused(PosternError):
    """Base of what a program asks for and does not get. `param`: which field of the body."""

    code = "bad_request"
    title = "The request cannot be read"
    remedy = "Send the body that /openapi.json describes."
    status = 400

    def __init__(self, detail: str, param: str | None = None) -> None:
        super().__init__(detail)
        self.param = param


class UnknownParameter(RequestRefused):
    """A field that this node does not know."""

    code = "unknown_parameter"
    title = "There is no such parameter"
    remedy = "Leave it out; docs/api.md lists those that are known."


class UnsupportedParameter(RequestRefused):
    """A field of OpenAI's that has no meaning here."""

    code = "unsupported_parameter"
    title = "This node does not support the parameter"
    remedy = "Leave it out."


class UnsupportedValue(RequestRefused):
    """A known field with a value that cannot be honoured."""

    code = "unsupported_value"
    title = "This node does not support the value"
    remedy = "Send the value that is named, or leave the parameter out."


class ContextLengthExceeded(RequestRefused):
    """A text that the model cannot read whole: nothing is cut silently."""

    code = "context_length_exceeded"
    title = "The text is longer than the model reads"
    remedy = "Cut it into pieces and send those."


class TooManyInputs(RequestRefused):
    """More work in one request than is taken on."""

    code = "too_many_inputs"
    title = "There is too much in one request"
    remedy = "Send it in several requests."


class ModelNotFound(RequestRefused):
    """No model of that name serves this route."""

    code = "model_not_found"
    title = "There is no such model here"
    remedy = "See GET /v1/models."
    status = 404


class ProgramBodyTooLarge(PosternError):
    """The body of a program's request is over the limit."""

    code = "program_body_too_large"
    title = "The request is too large"
    remedy = f"Send at most {PROGRAM_BODY_KIB} KiB at once."
    status = 413


def openai_errors(handler: Handler) -> Handler:
    """A handler whose every error has OpenAI's shape."""

    @functools.wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except PosternError as error:
            return error_response(error)
        except web.HTTPException:
            raise
        except Exception as error:
            # The type only: a message may quote what a customer wrote.
            log.error("unexpected error", extra={"error": type(error).__name__})
            return error_response(PosternError())

    return guarded


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


async def read_program_body(request: web.Request) -> bytes:
    """The body of a request whose key was accepted. Raises ProgramBodyTooLarge."""
    length = request.content_length
    if length is None or length > BODY_BYTES_MAX:
        request = request.clone(client_max_size=PROGRAM_BODY_BYTES_MAX)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ProgramBodyTooLarge(f"The limit is {PROGRAM_BODY_KIB} KiB.") from None


def parse(raw: bytes, model: type[M]) -> M:
    """The body as `model`, without repeating what was sent. Raises RequestRefused, UnknownParameter."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(
            error.errors(include_url=False, include_context=False, include_input=False)[0]
        ) from None


def _refusal(found: ErrorDetails) -> RequestRefused:
    """The first finding of pydantic."""
    param = str(found["loc"][0]) if found["loc"] else None
    if found["type"] == "extra_forbidden":
        return UnknownParameter(f"Unknown parameter: {_named(param)}.", param and _named(param))
    if param is None:
        return RequestRefused("The body is not a JSON object as this route takes it.")
    return RequestRefused(f"{param}: {found['msg']}.", param)


def _named(param: str | None) -> str:
    """A name that came from outside, fit to be said again."""
    return json.dumps((param or "")[:60])[1:-1]


def _type(status: int) -> str:
    """OpenAI's word for a class of errors."""
    known = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
    }
    return known.get(status, "server_error" if status >= 500 else "invalid_request_error")
