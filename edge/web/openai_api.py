"""The routes that OpenAI's clients know: vectors and the list of models; chat is in `openai_chat`.

https://platform.openai.com/docs/api-reference. A parameter that is not honoured is refused by name, never ignored.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Final, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from edge.inference.embedding import Embedded, Embeddings
from edge.store.api_keys import Scope
from edge.web.key_ring import KeyRing, Use
from edge.web.openai_errors import error_response
from edge.web.program_requests import (
    ModelNotFound,
    UnsupportedValue,
    check_texts,
    opened_by,
    parse,
    read_program_body,
    require_whole,
)

JSON: Final = "application/json"


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
        embeddings = opened_by(self._keys, Scope.EMBEDDINGS, error_response, self.embeddings)
        return [
            web.post("/v1/embeddings", embeddings),
            web.get("/v1/models", opened_by(self._keys, None, error_response, self.models)),
            web.get("/v1/models/{model}", opened_by(self._keys, None, error_response, self.model)),
        ]

    async def embeddings(self, request: web.Request, use: Use) -> web.Response:
        """A vector for each text, in order."""
        body = parse(await read_program_body(request), EmbeddingsBody)
        texts = self._checked(body)
        found = await self._embeddings.embed(texts, caller=use.key.actor)
        require_whole(found, self._embeddings.max_tokens)
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

    def _checked(self, body: EmbeddingsBody) -> list[str]:
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


def _item(index: int, one: Embedded, encoding: str) -> dict[str, object]:
    vector = base64.b64encode(one.vector.data).decode() if encoding == "base64" else one.vector
    return {"object": "embedding", "index": index, "embedding": vector}


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type=JSON)
