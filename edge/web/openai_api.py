"""The routes that OpenAI's clients know: vectors and the list of models; chat is in `openai_chat`.

https://platform.openai.com/docs/api-reference. A parameter that is not honoured is refused by name, never ignored.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

import orjson
from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict

from edge.inference.embedding import Embedded, Embeddings
from edge.inference.waiting import about_tokens
from edge.store.api_keys import Scope
from edge.web.key_ring import KeyRing, Use
from edge.web.openai_errors import (
    ContextLengthExceeded,
    ModelNotFound,
    RequestRefused,
    TooManyInputs,
    UnsupportedValue,
    error_response,
    openai_errors,
    parse,
    read_program_body,
)

INPUTS_MAX: Final = 2048
"""As OpenAI's."""

TEXT_CHARS_MAX: Final = 16_384
"""No language writes that much in 256 tokens; whatever is longer is refused before the tokenizer reads it."""

TOKENS_MAX: Final = 65_536
"""Of one request, by its characters: some four seconds' work of two cores. Past it others would wait too long."""

JSON: Final = "application/json"

Handler = Callable[[web.Request, Use], Awaitable[web.StreamResponse]]


class EmbeddingsBody(BaseModel):
    """POST /v1/embeddings."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    model: str
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None
    """Taken, and neither used nor kept."""


class OpenAiApi:
    """Handlers. `models`: what the site serves now, by name, with the scope that opens it."""

    def __init__(self, keys: KeyRing, embeddings: Embeddings, models: Callable[[], dict[str, Scope]]) -> None:
        self._keys = keys
        self._embeddings = embeddings
        self._models = models
        self._began_s = int(time.time())

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file."""
        return [
            web.post("/v1/embeddings", opened_by(self._keys, Scope.EMBEDDINGS, self.embeddings)),
            web.get("/v1/models", opened_by(self._keys, None, self.models)),
            web.get("/v1/models/{model}", opened_by(self._keys, None, self.model)),
        ]

    async def embeddings(self, request: web.Request, use: Use) -> web.Response:
        """A vector for each text, in order."""
        body = parse(await read_program_body(request), EmbeddingsBody)
        texts = self._checked(body)
        found = await self._embeddings.embed(texts)
        _whole(found, self._embeddings.max_tokens)
        tokens = sum(one.tokens for one in found)
        use.spend(tokens)
        reply = {
            "object": "list",
            "data": [_item(index, one, body.encoding_format) for index, one in enumerate(found)],
            "model": self._embeddings.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return web.Response(body=orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY), content_type=JSON)

    async def models(self, _: web.Request, use: Use) -> web.Response:
        """What serves, whether this key opens it or not."""
        return _json({"object": "list", "data": [self._shown(name) for name in self._models()]})

    async def model(self, request: web.Request, use: Use) -> web.Response:
        """One of them."""
        name = request.match_info["model"]
        if name not in self._models():
            raise ModelNotFound("No model of that name serves here.", "model")
        return _json(self._shown(name))

    def _shown(self, name: str) -> dict[str, object]:
        """`created` is when this node began to serve it."""
        return {"id": name, "object": "model", "created": self._began_s, "owned_by": "postern"}

    def _checked(self, body: EmbeddingsBody) -> Sequence[str]:
        """The texts. Raises RequestRefused."""
        if body.model != self._embeddings.model:
            raise ModelNotFound("No model of that name makes vectors here.", "model")
        if body.dimensions not in {None, self._embeddings.dim}:
            # Cutting a vector short keeps its meaning only in models that were trained for it.
            raise UnsupportedValue(
                f"This model's vectors have {self._embeddings.dim} dimensions and cannot be shortened.",
                "dimensions",
            )
        return check_texts([body.input] if isinstance(body.input, str) else body.input)


def opened_by(
    keys: KeyRing, scope: Scope | None, handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that needs a key with `scope` (None: any)."""

    @openai_errors
    async def guarded(request: web.Request) -> web.StreamResponse:
        authorization = request.headers.get(hdrs.AUTHORIZATION, "")
        with keys.enter(authorization, request.remote or "", scope) as use:
            await keys.note_use(use)
            return await handler(request, use)

    return guarded


async def no_such_route(_: web.Request) -> web.StreamResponse:
    """For everything else below /v1."""
    return error_response(_NoSuchRoute("There is no such route, or not with this method."))


class _NoSuchRoute(RequestRefused):
    code = "not_found"
    title = "Not Found"
    remedy = "See /openapi.json for the routes and methods."
    status = 404


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


def _whole(found: Sequence[Embedded], tokens_max: int) -> None:
    """Refuse what the model did not read to the end. Raises ContextLengthExceeded."""
    for index, one in enumerate(found):
        if one.truncated:
            raise ContextLengthExceeded(
                f"The model reads {tokens_max} tokens; input[{index}] has {one.tokens}.", "input"
            )


def _item(index: int, one: Embedded, encoding: str) -> dict[str, object]:
    vector = base64.b64encode(one.vector.data).decode() if encoding == "base64" else one.vector
    return {"object": "embedding", "index": index, "embedding": vector}


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type=JSON)
