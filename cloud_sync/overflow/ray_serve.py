"""A language model on several machines: a Ray Serve deployment that speaks OpenAI's chat completions.

For who outgrows one machine (docs/scale.md). Each replica is a process with a model of its own, and writes one answer
at a time; Serve starts more of them while requests wait, replaces them one by one in an update, and puts those of a
lost machine elsewhere. To the control plane it is an OpenAI-compatible server like any other. Needs
requirements/ray.txt.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import orjson
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloud_sync.overflow.ray_cluster import Door, Scale
from cloud_sync.overflow.served_completions import (
    BODY_BYTES_MAX,
    Answer,
    Asked,
    CompletionRefused,
    CompletionTooLarge,
    CompletionUnauthorised,
    asked,
    problem,
)
from cloud_sync.overflow.served_model import events, log_failure, said
from core.errors import ExitCode, PosternError
from models.errors import RuntimeUnavailable
from models.runtimes.port import GenerationResult, TextGenerator
from models.runtimes.shielded import Shielded

APPLICATION: Final = "postern"
BASE: Final = "/v1"
JSON: Final = "application/json"

ONGOING: Final = 2
"""At a replica at once: one is answered, one waits there, so that the model is not idle between them."""

WAITING_MAX: Final = 64
"""Requests at one door that no replica takes yet; more get 503 at once, and the control plane asks elsewhere."""

REQUEST_S_MAX: Final = 120.0
"""What the longest answer (1,024 tokens) takes on two cores, doubled; whoever waits longer has gone."""

UPSCALE_S: Final = 2.0
"""Requests wait so long before one more replica starts: a spike is over in a minute, a model loads in five seconds."""

DOWNSCALE_S: Final = 300.0
"""A replica stays so long after its last request: loading it again takes a spike's first seconds."""

MEASURED_S: Final = 1.0
"""How often a replica says what it has to do."""

SURGE_PERCENT: Final = 34
"""In an update one replica of three starts before an old one stops, so that no request waits for a model to load."""

HEALTH_S: Final = 5.0
"""How often each replica is asked whether it is well, and how long it may take to say so."""


class DeploymentFailed(PosternError):
    """The cluster did not take the model; one that was served before is served on."""

    code = "ray_deployment_failed"
    title = "The cluster does not serve the model"
    remedy = "Look for its first error in the newest session's logs/serve below /tmp/ray on the machines."
    exit_code = ExitCode.FAILED


class ChatCompletions:
    """One replica."""

    def __init__(self, open_model: Callable[[], TextGenerator], model: str, key_sha256: str) -> None:
        """`model`: the name that requests and answers carry. `key_sha256`: of the callers' key, hex."""
        self._generator = Shielded(open_model())
        self._model = model
        self._key_sha256 = key_sha256
        self._broken = False

    async def __call__(self, request: Request) -> Response:
        """Every request that comes through the door."""
        try:
            self._admit(request)
            match request.method, request.url.path:
                case "POST", "/v1/chat/completions":
                    return await self._complete(asked(await _body(request), self._model))
                case "GET", "/v1/models":
                    listed = {"id": self._model, "object": "model", "owned_by": APPLICATION}
                    return Response(orjson.dumps({"object": "list", "data": [listed]}), media_type=JSON)
        except PosternError as error:
            return Response(problem(error), error.status, media_type=JSON)
        except Exception as error:  # else Serve logs it, with a message that may quote what it choked on
            log_failure(error)
            failed = RuntimeUnavailable("The answer failed.")
            return Response(problem(failed), failed.status, media_type=JSON)
        return Response(problem(CompletionRefused("There is no such route.")), 404, media_type=JSON)

    def check_health(self) -> None:
        """Serve's question; a replica whose model failed is replaced. Raises RuntimeUnavailable."""
        if self._broken:
            raise RuntimeUnavailable("The model of this replica failed.")

    def _admit(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = hashlib.sha256(key.encode()).hexdigest()
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._key_sha256):
            raise CompletionUnauthorised

    async def _complete(self, wanted: Asked) -> Response:
        """Nothing is sent before the first text is there, so that a failure until then has a status of its own."""
        pieces = self._said(wanted)
        first = await anext(pieces)
        answer = Answer(self._model)
        if wanted.stream:
            return StreamingResponse(events(answer, first, pieces, wanted), media_type="text/event-stream")
        async with aclosing(pieces):
            while isinstance(first, str):
                first = await anext(pieces)
        return Response(answer.whole(first), media_type=JSON)

    async def _said(self, wanted: Asked) -> AsyncGenerator[str | GenerationResult, None]:
        try:
            async with aclosing(said(self._generator, wanted)) as pieces:
                async for piece in pieces:
                    yield piece
        except RuntimeUnavailable:
            self._broken = True
            raise


async def _body(request: Request) -> bytes:
    """Raises CompletionTooLarge as soon as it is."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise CompletionTooLarge
    return bytes(body)


def deploy(
    cluster: str,
    open_model: Callable[[], TextGenerator],
    model: str,
    *,
    key_sha256: str,
    door: Door,
    scale: Scale,
) -> None:
    """Serve `model` on the cluster at `cluster` (HOST:PORT), or put it in the place of the one that is served.

    `open_model` runs in every replica, on whichever machine. Returns once replicas of it serve and the old ones get no
    more requests; those finish what they have. The door stays as the first deployment made it. Raises DeploymentFailed.
    """
    try:
        ray.init(address=cluster, namespace=APPLICATION, log_to_driver=False)
        _open(door)
        replica = _deployment(scale).bind(open_model, model, key_sha256)
        serve.run(replica, name=APPLICATION, route_prefix="/")
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise DeploymentFailed(f"The cluster at {cluster} said: {type(error).__name__}.") from error
    finally:
        ray.shutdown()


def _open(door: Door) -> None:
    serve.start(
        proxy_location="EveryNode" if door.everywhere else "HeadOnly",
        http_options=serve.HTTPOptions(
            host=door.host,
            port=door.port,
            request_timeout_s=REQUEST_S_MAX,
            ssl_certfile=door.certificate,
            ssl_keyfile=door.private_key,
        ),
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )


def _deployment(scale: Scale) -> serve.Deployment:
    return serve.deployment(
        ChatCompletions,
        ray_actor_options={"num_cpus": scale.cpus_each},
        autoscaling_config={
            "min_replicas": scale.replicas_min,
            "max_replicas": scale.replicas_max,
            # One is written, a second one waits: from there on another replica pays.
            "target_ongoing_requests": 1,
            "upscale_delay_s": UPSCALE_S,
            "downscale_delay_s": DOWNSCALE_S,
            "metrics_interval_s": MEASURED_S,
            "look_back_period_s": 2 * MEASURED_S,
        },
        max_ongoing_requests=ONGOING,
        max_queued_requests=WAITING_MAX,
        max_surge_percent=SURGE_PERCENT,
        graceful_shutdown_wait_loop_s=1.0,
        graceful_shutdown_timeout_s=REQUEST_S_MAX,
        health_check_period_s=HEALTH_S,
        health_check_timeout_s=HEALTH_S,
    )
