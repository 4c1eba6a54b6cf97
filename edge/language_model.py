"""Part of the composition root: who writes generated answers, the worker or a server of the site's network."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from core.errors import PosternError
from edge import metrics
from edge.chat.relay import Relay
from edge.config import Config
from edge.egress.text.guard import TextGuard
from edge.inference.conversation import Provider
from edge.inference.measured import OWN, SERVER, Measured
from edge.inference.own_model import OwnModel
from edge.inference.worker_client import WorkerClient
from edge.store.store import Store

if TYPE_CHECKING:
    from edge.egress.llm_server import LlmServer

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 10.0
"""At the worker: which version of its model serves is known once it is loaded, and only there."""

VERSION: Final = "llm_version"
"""The component that runs weaker than asked while the version before serves."""


def server_of(config: Config, store: Store, guard: TextGuard) -> LlmServer | None:
    """The server that the settings name. Raises ConfigError. Its library is loaded only where there is one."""
    if config.models.llm_server.url is None:
        return None
    from edge.egress.llm_server import LlmServer

    return LlmServer(config.models.llm_server, store, guard.admit, config.answer.first_token_deadline_s)


def relay_of(
    config: Config, worker: WorkerClient, server: LlmServer | None, caller: Callable[[str], str | None]
) -> Relay:
    """What the desk asks: the site's own model. The control plane's joins once customers are served.

    `caller`: a session's, who takes turns with others.
    """
    relay = Relay()
    if server is not None:
        relay.join(Provider.LAN, Measured(server, SERVER, server.model))
    elif config.models.llm:
        relay.join(
            Provider.OWN,
            Measured(OwnModel(worker, lambda session: caller(session) or session), OWN, config.models.llm),
            heard_at=lambda: worker.heard_at,
        )
    return relay


async def watch(worker: WorkerClient, every_s: float = LOOK_EVERY_S) -> None:
    """Say it when the worker's language model is the version before the current one, until cancelled."""
    said = ""
    while True:
        with contextlib.suppress(
            PosternError
        ):  # a worker that is away has nothing to say; it is started again
            fallback = (await worker.health()).fallback
            if fallback and fallback != said:
                metrics.fall_back(VERSION, "model_refused")
                log.error("the version before of the language model serves", extra={"detail": fallback})
            elif not fallback:
                metrics.recover(VERSION)
            said = fallback
        await asyncio.sleep(every_s)


def told_of(worker: WorkerClient) -> dict[str, object] | None:
    """The part of `postern status` about the worker's language model; None before it answers, and while it does not."""
    health = worker.last_health
    if health is None:
        return None
    return {name: getattr(health, name) for name in ("model", "state", "runtime", "device", "fallback")}


def status_of(server: LlmServer | None) -> dict[str, object] | None:
    """The part of `postern status` about the server; None where there is none."""
    if server is None:
        return None
    return {
        "host": server.host,
        "model": server.model,
        "ready": server.ready,
        "last_error": server.last_error,
    }
