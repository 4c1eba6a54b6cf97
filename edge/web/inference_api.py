"""The Open Inference Protocol, version 2, over REST: the encoder for clients of model servers. Same line as `/v1`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import orjson
from aiohttp import web

from core.errors import PosternError
from core.version import VERSION
from edge.inference.embedding import Embeddings
from edge.store.api_keys import Scope
from edge.web import inference_wire
from edge.web.key_ring import KeyRing, Use
from edge.web.problems import SECURITY_HEADERS
from edge.web.program_requests import (
    ModelNotFound,
    NoSuchRoute,
    RequestRefused,
    check_texts,
    opened_by,
    read_program_body,
    require_whole,
)

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
_DIGITS_MAX: Final = 9
"""Of that header: more than any body has bytes."""


class InferenceApi:
    """Handlers. `not_ready`: what keeps the node from answering."""

    def __init__(self, keys: KeyRing, embeddings: Embeddings, not_ready: Callable[[], list[str]]) -> None:
        self._keys = keys
        self._embeddings = embeddings
        self._not_ready = not_ready

    def routes(self) -> list[web.RouteDef]:
        """The routes of this file. Health is open to all, as the node's own is."""
        metadata = opened_by(self._keys, Scope.INFERENCE, error_response, self.metadata)
        infer = opened_by(self._keys, Scope.INFERENCE, error_response, self.infer)
        return [
            web.get("/v2", self.server),
            web.get("/v2/health/live", self.live),
            web.get("/v2/health/ready", self.ready),
            web.get("/v2/models/{model}", metadata),
            web.get("/v2/models/{model}/versions/{version}", metadata),
            web.get("/v2/models/{model}/ready", self.model_ready),
            web.get("/v2/models/{model}/versions/{version}/ready", self.model_ready),
            web.post("/v2/models/{model}/infer", infer),
            web.post("/v2/models/{model}/versions/{version}/infer", infer),
        ]

    async def server(self, _: web.Request) -> web.Response:
        """What answers, and which extensions it knows."""
        return _json({"name": "postern", "version": VERSION, "extensions": ["binary_tensor_data"]})

    async def live(self, _: web.Request) -> web.Response:
        """200 while the process answers at all."""
        return _json({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        """200 when the node answers, else 503."""
        reasons = self._not_ready()
        return _json({"ready": not reasons}, 503 if reasons else 200)

    async def model_ready(self, request: web.Request) -> web.Response:
        """As `ready`; 404 for another model or version."""
        try:
            self._check(request)
        except PosternError as error:
            return error_response(error)
        return await self.ready(request)

    async def metadata(self, request: web.Request, _: Use) -> web.Response:
        """What the model takes and gives."""
        self._check(request)
        return _json(
            inference_wire.metadata(self._embeddings.model, self._embeddings.version, self._embeddings.dim)
        )

    async def infer(self, request: web.Request, use: Use) -> web.Response:
        """A vector for each text."""
        self._check(request)
        length = _header_length(request)
        wanted = inference_wire.read(await read_program_body(request), length)
        texts = check_texts(wanted.texts, "inputs")
        found = await self._embeddings.embed(texts, caller=use.key.actor)
        require_whole(found, self._embeddings.max_tokens, "inputs")
        use.spend(sum(one.tokens for one in found))
        body, head = inference_wire.write(wanted, self._embeddings.model, self._embeddings.version, found)
        if head is None:
            return web.Response(body=body, content_type="application/json")
        return web.Response(
            body=body, content_type="application/octet-stream", headers={HEADER_LENGTH: str(head)}
        )

    def _check(self, request: web.Request) -> None:
        """The model that is asked for is the one that serves. Raises ModelNotFound."""
        wanted, model, version = request.match_info, self._embeddings.model, self._embeddings.version
        if wanted["model"] != model or wanted.get("version", version) != version:
            raise ModelNotFound(f"This node serves {model}, version {version}.", "model")


def error_response(error: PosternError) -> web.Response:
    """The protocol's form of an error: one sentence; the code beside it is ours."""
    headers = dict(SECURITY_HEADERS)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    body = orjson.dumps({"error": f"{error.detail} {error.remedy}", "code": error.code})
    return web.Response(body=body, status=error.status, content_type="application/json", headers=headers)


async def no_such_route(_: web.Request) -> web.StreamResponse:
    """For everything else below /v2."""
    return error_response(NoSuchRoute())


def _header_length(request: web.Request) -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise RequestRefused(f"{HEADER_LENGTH} is a number of bytes.")
    return int(text)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
