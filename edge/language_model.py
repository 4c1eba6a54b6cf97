"""Part of the composition root: who writes generated answers, the worker or a server of the site's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.config import Config
from edge.inference.measured import OWN, SERVER, Measured
from edge.inference.worker_client import WorkerClient
from edge.store.store import Store

if TYPE_CHECKING:
    from edge.egress.llm_server import LlmServer


def server_of(config: Config, store: Store) -> LlmServer | None:
    """The server that the settings name. Raises ConfigError. Its library is loaded only where there is one."""
    if config.models.llm_server.url is None:
        return None
    from edge.egress.llm_server import LlmServer

    return LlmServer(config.models.llm_server, store, config.answer.first_token_deadline_s)


def writer_of(config: Config, worker: WorkerClient, server: LlmServer | None) -> Measured:
    """What the desk asks."""
    if server is not None:
        return Measured(server, SERVER, server.model)
    return Measured(worker, OWN, config.models.llm)


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
