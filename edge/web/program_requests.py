"""What the APIs for programs share: a route that a key opens, its body within limits, refusals by name."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.errors import PosternError
from edge.inference.embedding import Embedded
from edge.inference.waiting import about_tokens
from edge.store.api_keys import Scope
from edge.web.event_stream import ended_with
from edge.web.key_ring import KeyRing, ScopeMissing, Use
from edge.web.problems import ACTOR, BODY_BYTES_MAX, FAULT

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

Shape = Callable[[PosternError], web.Response]
"""How an API tells its errors."""

Handler = Callable[[web.Request, Use], Awaitable[web.StreamResponse]]

PROGRAM_BODY_BYTES_MAX: Final = 1024 * 1024
"""Of the routes for programs, once the key was accepted: the longest text 64 times over, all of it escaped."""

PROGRAM_BODY_KIB: Final = PROGRAM_BODY_BYTES_MAX // 1024


INPUTS_MAX: Final = 2048
"""As OpenAI's."""

TEXT_CHARS_MAX: Final = 16_384
"""No language writes that much in 256 tokens; whatever is longer is refused before the tokenizer reads it."""

TOKENS_MAX: Final = 65_536
"""Of one request, by its characters: some four seconds' work of two cores. Past it others would wait too long."""


PARAM_CHARS_MAX: Final = 60
"""Of a name that is repeated in a refusal."""


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


class NoSuchRoute(RequestRefused):
    """A path or method that an API does not have."""

    code = "not_found"
    title = "There is no such route"
    remedy = "See /openapi.json for the routes and methods."
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such route, or not with this method.")


class ProgramBodyTooLarge(PosternError):
    """The body of a program's request is over the limit."""

    code = "program_body_too_large"
    title = "The request is too large"
    remedy = f"Send at most {PROGRAM_BODY_KIB} KiB at once."
    status = 413


def opened_by(
    keys: KeyRing, scope: Scope | None, shape: Shape, handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that needs a key with `scope` (None: any) and tells every error as `shape` does.

    Its work ends when the program goes away: what waits in line for nobody is not computed.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            authorization = request.headers.get(hdrs.AUTHORIZATION, "")
            with keys.enter(authorization, request.remote or "", scope) as use:
                request[ACTOR] = use.key.actor
                await keys.note_use(use)
                with ended_with(request):
                    return await handler(request, use)
        except PosternError as error:
            request[FAULT] = error
            if isinstance(error, ScopeMissing):
                request[ACTOR] = error.actor
            return shape(error)
        except Exception as error:
            # The type only: a message may quote what a customer wrote.
            log.error("unexpected error", extra={"error": type(error).__name__})
            return shape(PosternError())

    return guarded


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
        return unknown_parameter(".".join(map(str, found["loc"])))
    if param is None:
        return RequestRefused("The body is not a JSON object as this route takes it.")
    return RequestRefused(f"{param}: {found['msg']}.", param)


def unknown_parameter(param: str) -> UnknownParameter:
    """The refusal of a field; its name came from outside and is made fit to be said again."""
    named = json.dumps(param[:PARAM_CHARS_MAX])[1:-1]
    return UnknownParameter(f"Unknown parameter: {named}.", named)


def check_texts(texts: Sequence[object], param: str = "input") -> list[str]:
    """The texts of one request, within its limits. Raises RequestRefused."""
    if not texts:
        raise RequestRefused(f"{param} is empty.", param)
    if len(texts) > INPUTS_MAX:
        raise TooManyInputs(f"{param} may have {INPUTS_MAX} texts; this one has {len(texts)}.", param)
    tokens, found = 0, list[str]()
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise UnsupportedValue("Send texts, not tokens: this model's tokenizer is not OpenAI's.", param)
        if not text:
            raise RequestRefused(f"{param}[{index}] is empty.", param)
        if len(text) > TEXT_CHARS_MAX:
            raise ContextLengthExceeded(f"{param}[{index}] has more than {TEXT_CHARS_MAX} characters.", param)
        tokens += about_tokens(text)
        found.append(text)
    if tokens > TOKENS_MAX:
        raise TooManyInputs(
            f"{param} may have about {TOKENS_MAX} tokens together; it has about {tokens}.", param
        )
    return found


def require_whole(found: Sequence[Embedded], tokens_max: int, param: str = "input") -> None:
    """Refuse what the model did not read to the end. Raises ContextLengthExceeded."""
    for index, one in enumerate(found):
        if one.truncated:
            raise ContextLengthExceeded(
                f"The model reads {tokens_max} tokens; {param}[{index}] has {one.tokens}.", param
            )
