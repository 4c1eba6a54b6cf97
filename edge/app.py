"""Composition roots of the node's processes: the only file that names concrete classes.

`open_site` puts together what answers questions (also for a command without a running node); `run_node` adds
servers, sync and devices around it and runs until it is told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlite_utils import Database

from core.supervision import stop_on_signals
from core.version import VERSION
from edge import metrics
from edge.chat.notice import notice_of
from edge.chat.session import Sessions
from edge.chat.turn import Desk, Query, Understood
from edge.chat.understanding import understanding
from edge.config import Config, SitePaths, load_config
from edge.egress.courier_client import CourierClient
from edge.fabric.devices import Devices
from edge.fabric.discovery import Announcer
from edge.inference.batcher import Batcher
from edge.inference.worker_client import WorkerClient
from edge.knowledge import KnowledgeBase
from edge.operations import operations_of
from edge.store import outbox
from edge.store.store import Store
from edge.sync.service import NodeFacts, SyncService
from edge.web.health import HealthApi
from edge.web.kiosk_page import KioskPage
from edge.web.server import customer_application, serve_admin, serve_customers
from edge.web.sessions_api import SessionsApi
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder

log = logging.getLogger(__name__)

# Rows of one pass of the encoder: past 32 a row gets no cheaper on two cores, only later.
ENCODER_ROWS_MAX = 32
STOP_STEP_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Site:
    """An open site: what it takes to answer a question."""

    config: Config
    paths: SitePaths
    store: Store
    encoder: Encoder
    knowledge: KnowledgeBase
    sessions: Sessions
    understand: Batcher[Query, Understood]
    worker: WorkerClient
    desk: Desk


@asynccontextmanager
async def open_site(paths: SitePaths) -> AsyncIterator[Site]:
    """Open store, encoder and knowledge; everything is closed again at the end. Raises PosternError."""
    config = load_config(paths)
    async with AsyncExitStack() as stack:
        store = Store.open(paths)
        stack.push_async_callback(store.close)
        encoder = await asyncio.to_thread(
            open_encoder, models_dir(), config.models.runtime, config.models.encoder_threads or encoder_threads()
        )
        stack.callback(encoder.close)
        knowledge = KnowledgeBase(store, encoder)
        await knowledge.load()
        sessions = Sessions(store, session_s=config.limits.session_s, sessions_max=config.limits.sessions_max)
        batcher = Batcher(
            understanding(encoder, knowledge.searcher),
            lanes=1,
            rows_max=ENCODER_ROWS_MAX,
            waiting_max=config.limits.turns_waiting_max,
            on_batch=lambda rows, _: metrics.batch_rows.observe(rows),
        )
        stack.push_async_callback(batcher.close)
        worker = WorkerClient(paths.worker_socket)
        stack.push_async_callback(worker.close)
        desk = Desk(config, store, sessions, batcher, worker)
        yield Site(config, paths, store, encoder, knowledge, sessions, batcher, worker, desk)


def encoder_threads() -> int:
    """Threads of the encoder where the site does not say: all cores that this process may use."""
    return len(os.sched_getaffinity(0))


async def run_node(paths: SitePaths) -> None:
    """The node process: serve until SIGTERM, SIGINT or the end of the supervisor."""
    began = time.monotonic()
    stop = stop_on_signals()
    async with open_site(paths) as site:
        await _serve(site, stop, began)


async def _serve(site: Site, stop: asyncio.Event, began: float) -> None:
    async with AsyncExitStack() as stack:
        courier = CourierClient(site.paths.courier_socket)
        devices = Devices(site.config, site.paths)
        sync = SyncService(
            site.store, site.paths, courier, lambda: _facts(site, devices), lambda document: _apply(site, document)
        )
        operations = operations_of(site, sync, devices)
        api = SessionsApi(site.store, site.sessions, site.desk, notice_of(site.config.site.name))
        health = HealthApi(lambda: _not_ready(site), lambda: _refresh(site))
        application = customer_application([*api.routes(), *health.routes(), *KioskPage(site.config).routes()])
        runner, url = await serve_customers(application, site.config.http)
        stack.push_async_callback(_bounded, runner.cleanup())
        admin = await serve_admin(operations, site.paths.admin_socket)
        stack.push_async_callback(_bounded, admin.cleanup())
        await site.store.write(_record_start)
        sys.stdout.write(json.dumps({"event": "ready", "url": url}) + "\n")
        sys.stdout.flush()
        log.info("ready", extra={"url": url, "after_s": round(time.monotonic() - began, 2)})
        await _run_until(stop, site, sync, devices, Announcer(site.config, url))


async def _run_until(
    stop: asyncio.Event, site: Site, sync: SyncService, devices: Devices, announcer: Announcer
) -> None:
    """Everything that goes on beside the turns; ends, each step within a bound, once `stop` is set.

    None of it may end the node: chat goes on without the cloud, the broker and the LAN (invariant 5).
    """
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_keep("sessions", site.sessions.sweep()), name="sessions"),
            group.create_task(_keep("sync", sync.run()), name="sync"),
            group.create_task(_keep("devices", devices.start()), name="devices"),
            group.create_task(_keep("announcer", announcer.start()), name="announcer"),
        ]
        await stop.wait()
        log.info("stopping")
        for step in (announcer.stop(), devices.stop(), sync.stop()):
            await _bounded(step)
        for task in tasks:
            task.cancel()


async def _keep(part: str, work: Coroutine[object, object, None]) -> None:
    """Run a part; its failure is said loudly and does not reach the others."""
    try:
        await work
    except Exception as error:
        metrics.fallback_active.labels(part, type(error).__name__).set(1)
        log.error("a part of the node has failed", extra={"part": part, "error": type(error).__name__})


async def _bounded(step: Awaitable[object]) -> None:
    """A step of the shutdown, given up after a while: a stop must end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_STEP_TIMEOUT_S):
            await step
