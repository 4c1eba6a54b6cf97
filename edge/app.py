"""Composition root of the node: with `edge.link` the only file that names concrete classes.

`open_site` puts together what answers questions (also for a command without a running node); `run_node` adds
servers, sync and devices around it and runs until it is told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from aiohttp import web
from sqlite_utils import Database

from core.files import write_atomic
from core.supervision import stop_on_signals
from core.version import VERSION
from edge import encoder_lines, language_model, metrics
from edge.chat import heads, languages
from edge.chat.answers.answering import Answering, Considered
from edge.chat.answers.model import AnswerModel
from edge.chat.answers.reading import CHUNKS_READ_MAX, Reader
from edge.chat.answers.reading_ahead import keep_read
from edge.chat.answers.spelling import Speller
from edge.chat.apart import TrainingSettings
from edge.chat.bell import Bell
from edge.chat.handoff import Handoffs
from edge.chat.inbox import Inbox
from edge.chat.intents.service import Intents
from edge.chat.learning.examples import Examples
from edge.chat.learning.service import Learning, Parts
from edge.chat.notice import notice_of
from edge.chat.safety import model as safety_model
from edge.chat.session import Sessions, boot_s
from edge.chat.turn import Desk
from edge.chat.unanswered import Unanswered
from edge.chat.understanding import Query, understanding
from edge.config import Config, SitePaths, load_config
from edge.fabric.devices import Devices
from edge.fabric.discovery import Announcer
from edge.fabric.notifier import Notifier, carriers_of
from edge.inference.embedding import Embeddings
from edge.inference.opening import start_opening
from edge.inference.scheduler import Line, Scheduler
from edge.inference.worker_client import WorkerClient
from edge.keeping_services import erasure_of, keep_notice, keeping_operations, keys_operations, retaining_of
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.search import Searcher
from edge.node_status import not_ready, refresh, say_fallbacks, status
from edge.operations import audit_watch
from edge.operations.api_keys import ApiKeyOperations
from edge.operations.inbox import InboxOperations
from edge.operations.intents import IntentsOperations
from edge.operations.knowledge import KnowledgeOperations
from edge.operations.learning import LearningOperations
from edge.operations.models import ModelsOperations
from edge.operations.operators import OperatorOperations
from edge.operations.site import Operations
from edge.operations.unanswered import UnansweredOperations
from edge.other_encoder import CATCH_UP, catch_up, change_encoder
from edge.placed import keep_tuned
from edge.privacy.backup.backups import Backups
from edge.privacy.erasure import FINISH_EVERY_S, Erasure
from edge.privacy.retaining import Retaining
from edge.privacy.scanning import Scanner
from edge.privacy_services import detector_of, privacy_operations, scanner_of
from edge.program_apis import program_routes
from edge.receipt_services import receipt_routes
from edge.repeating import repeat
from edge.report_services import report_operations
from edge.siblings import siblings_of, siblings_operations
from edge.store import outbox
from edge.store.outbox import OutboxClass
from edge.store.store import Store
from edge.text_services import TextPolicy, asks_for_overflow, policy_operations, text_policy
from edge.web.admin import Operation
from edge.web.audit_log import AuditLog
from edge.web.audited import Audited
from edge.web.console.door import ConsoleDoor
from edge.web.handoff_api import HandoffApi
from edge.web.health import HealthApi
from edge.web.key_ring import KeyRing
from edge.web.kiosk_page import KioskPage
from edge.web.openapi import openapi_route
from edge.web.server import customer_application, serve_admin, serve_customers
from edge.web.sessions_api import SessionsApi
from models.catalog import models_dir
from models.encoder import Encoder, ModelInfo
from models.machine import usable_cpus

if TYPE_CHECKING:
    from core.webshell.accounts import Accounts
    from edge.egress.llm_server import LlmServer
    from edge.link import Ways

log = logging.getLogger(__name__)

STOP_STEP_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Site:
    """An open site: what it takes to answer a question."""

    config: Config
    paths: SitePaths
    store: Store
    texts: TextPolicy
    encoder: Encoder
    knowledge: KnowledgeBase
    intents: Intents
    examples: Examples
    learning: Learning
    sessions: Sessions
    bell: Bell
    handoffs: Handoffs
    notifier: Notifier
    inbox: Inbox
    answering: Line[Query, Considered]
    chooser: Answering
    speller: Speller
    embeddings: Embeddings
    scanner: Scanner
    api_keys: KeyRing
    worker: WorkerClient
    desk: Desk
    llm_server: LlmServer | None
    read_ahead: Callable[[], Coroutine[object, object, None]]
    encoder_changed: asyncio.Event = field(default_factory=asyncio.Event)

    @cached_property
    def retaining(self) -> Retaining:
        """What purges by age."""
        return retaining_of(self)

    @cached_property
    def erasure(self) -> Erasure:
        """Who erases people. Its `finish` comes before anybody is served."""
        return erasure_of(self)

    @cached_property
    def backups(self) -> Backups:
        """What makes backups, and keeps people's keys beside them up to date."""
        return Backups(self.store, self.paths)


@asynccontextmanager
async def open_site(paths: SitePaths, opening: Future[Encoder] | None = None) -> AsyncIterator[Site]:
    """Open store, encoder and knowledge; everything is closed again at the end. Raises PosternError.

    `opening`: the encoder, where it is being opened already.
    """
    config = load_config(paths)
    async with AsyncExitStack() as stack:
        store = Store.open(paths)
        stack.push_async_callback(store.close)
        await keep_notice(config, store)
        warming = asyncio.create_task(asyncio.to_thread(languages.warm), name="languages")
        encoder = await asyncio.wrap_future(opening or start_opening(config, paths.worker_socket))
        stack.callback(encoder.close)
        background = encoder.in_background()  # documents wait for customers
        stack.callback(background.close)
        plain = heads.heads_for(encoder.info, skims=False).ranking
        knowledge, intents = await asyncio.gather(
            KnowledgeBase.open(store, background, encoder.info.space, plain), _intents(config, store, encoder)
        )
        stack.push_async_callback(knowledge.close)
        sessions = Sessions(store, config.limits, unrecorded=config.answer.unrecorded == "answer")
        bell = Bell(config.limits.streams_max, boot_s)
        handoffs = Handoffs(store, sessions, config.handoff, bell)
        notifier = Notifier(config, store, carriers_of(config))
        handoffs.on_ticket = notifier.wake
        inbox = Inbox(store, config.handoff, bell, sessions.is_open)
        answers = _answers(encoder, knowledge.searcher)
        reader = Reader(encoder, answers.directions)
        speller = await _speller(encoder, knowledge.searcher)
        detector, you = detector_of(config, encoder), config.site.you
        understand = understanding(encoder, knowledge.searcher, reader, speller, intents, you, detector)
        answering = Answering(understand, answers, reader)
        scheduler = Scheduler(config.models.encoder_threads or usable_cpus())
        stack.push_async_callback(scheduler.close)
        turns = encoder_lines.turns(scheduler, answering, config.limits)
        embeddings = encoder_lines.embeddings(scheduler, encoder, config.limits)
        scanner = scanner_of(config, scheduler, encoder, detector)
        api_keys = KeyRing(store)
        await api_keys.load()
        worker = WorkerClient(paths.worker_socket)
        stack.push_async_callback(worker.close)
        await warming
        texts = await text_policy(config, paths, store, sessions, scanner)
        llm_server = language_model.server_of(config, store, texts.guard)
        relay = language_model.relay_of(config, worker, llm_server, sessions.caller)
        writing = encoder_lines.writing(scheduler, encoder, config, relay)
        covered = partial(_covered, encoder, knowledge)
        desk = Desk(config, sessions, turns, writing, detector, covered, safety_model.shipped())
        golden = paths.golden_questions
        examples = Examples(store, knowledge, lambda: intents.names, golden, scanner.scan)
        parts = Parts(
            store, paths, examples, intents, knowledge.searcher, answering, background.embed, encoder.info
        )
        learning = Learning(parts, _training(config), config.answer.evidence_min)
        await learning.load()
        yield Site(
            config,
            paths,
            store,
            texts,
            encoder,
            knowledge,
            intents,
            examples,
            learning,
            sessions,
            bell,
            handoffs,
            notifier,
            inbox,
            turns,
            answering,
            speller,
            embeddings,
            scanner,
            api_keys,
            worker,
            desk,
            llm_server,
            partial(keep_read, lambda: answering.reader or reader, speller, knowledge.searcher, background),
        )


def _answers(encoder: Encoder, searcher: Searcher) -> AnswerModel:
    """Told once: a site that grows past the limit reads as before until it is started again."""
    large = len(searcher) > CHUNKS_READ_MAX
    if large:
        metrics.fall_back("answers", "large_site")
    return heads.heads_for(encoder.info, skims=large).answers


async def _speller(encoder: Encoder, searcher: Searcher) -> Speller:
    """What mends slips. It has read the documents' words, but for a large site: there it does so after the start."""
    speller = Speller(encoder.words(), searcher)
    if len(searcher) <= CHUNKS_READ_MAX:
        await asyncio.to_thread(speller.refresh)
    return speller


async def _intents(config: Config, store: Store, encoder: Encoder) -> Intents:
    """The site's intents, with the version that serves."""
    intents = Intents(store, _training(config), encoder.info.space, encoder.dim)
    await intents.load()
    return intents


def _training(config: Config) -> TrainingSettings:
    """Training takes every core."""
    return TrainingSettings(config.models.encoder, config.models.runtime, threads=0)


def _covered(encoder: Encoder, knowledge: KnowledgeBase) -> tuple[str, ...]:
    """The languages that the desk answers in."""
    return languages.covered(encoder.info.languages, knowledge.searcher.languages)


def _unanswered(site: Site) -> Unanswered:
    return Unanswered(site.store, site.encoder.embed, lambda: site.encoder.dim)


def site_operations(site: Site) -> Operations:
    """The command line's operations on an open site."""
    notice = notice_of(site.config.site.name)
    others: dict[str, Operation] = {
        **InboxOperations(site.inbox).table(),
        **KnowledgeOperations(site.knowledge).table(),
        **ApiKeyOperations(site.api_keys, notice).table(),
        **OperatorOperations(site.store, lambda: _accounts(site)).table(),
        **IntentsOperations(site.intents, site.encoder).table(),
        **LearningOperations(site.examples, site.learning).table(),
        **privacy_operations(site),
        **keeping_operations(site),
        **keys_operations(site),
        **siblings_operations(site),
        **policy_operations(site),
        **UnansweredOperations(_unanswered(site), site.knowledge).table(),
        **_models_operations(site).table(),
    }
    made = Operations(site.desk, site.sessions, notice, site.knowledge, site.store, others)
    others |= report_operations(site, lambda: made.more_status())
    return made


def _models_operations(site: Site) -> ModelsOperations:
    """As the settings say now, not when the node started: they may be why the encoder is opened again."""

    def opening(name: str) -> Future[Encoder]:
        return start_opening(load_config(site.paths), site.paths.worker_socket, name)

    rest = (opening, partial(change_encoder, site), site.encoder_changed.set, _record_model)
    return ModelsOperations(site.encoder, site.embeddings, site.worker, site.store, *rest)


async def run_node(paths: SitePaths, opening: Future[Encoder]) -> None:
    """The node process: serve until SIGTERM, SIGINT or the end of the supervisor. `opening`: as for `open_site`."""
    began = time.monotonic()
    stop = stop_on_signals()
    async with open_site(paths, opening) as site:
        await _serve(site, stop, began)


async def _serve(site: Site, stop: asyncio.Event, began: float) -> None:
    devices = Devices(site.config, site.paths, AuditLog(site.store).refused)
    await _keep("erasures", site.erasure.finish)
    operations = site_operations(site)
    site.intents.yield_to_turns()
    site.learning.yield_to_turns()
    door = ConsoleDoor()
    async with AsyncExitStack() as stack:
        runner, url = await serve_customers(_application(site, door), site.config.http)
        stack.push_async_callback(_bounded, runner.cleanup())
        say_fallbacks(site)
        await site.store.write(partial(_record_start, info=site.encoder.info))
        sys.stdout.write(json.dumps({"event": "ready", "url": url}) + "\n")
        sys.stdout.flush()
        log.info("ready", extra={"url": url, "after_s": round(time.monotonic() - began, 2)})
        # Only now: customers do not wait for the libraries of the way to the control plane.
        link = await asyncio.to_thread(importlib.import_module, "edge.link")
        ways: Ways = link.open_ways(site, devices, operations.table())
        operations.more_status = lambda: status(site, ways, devices)
        await _keep("console", partial(_open_console, site, door, operations, url))
        admin = await serve_admin(operations.table(), Audited(site.store), site.paths.admin_socket)
        stack.push_async_callback(_bounded, admin.cleanup())
        # What a node starts with stays: looking through it for garbage stops every thread for 0.1 to 0.4 s at a time.
        gc.collect()
        gc.freeze()
        await _run_until(stop, site, ways, devices, Announcer(site.config, url))


def _accounts(site: Site) -> Accounts:
    """The staff's accounts; loads the library of passwords."""
    accounts: Accounts = importlib.import_module("edge.console").console_accounts(site)
    return accounts


async def _open_console(site: Site, door: ConsoleDoor, operations: Operations, url: str) -> None:
    """Let the staff in; until somebody has claimed the console, say how."""
    console = await asyncio.to_thread(importlib.import_module, "edge.console")
    accounts = await asyncio.to_thread(_accounts, site)
    code = await accounts.issue_claim()
    if code is None:
        site.paths.claim_code.unlink(missing_ok=True)
    else:
        write_atomic(site.paths.claim_code, f"{code}\n".encode())
        log.warning(
            "nobody has claimed the console", extra={"open": f"{url}/console/claim", "claim_code": code}
        )
    door.open(console.open_console(site, accounts, operations.table(), lambda: not_ready(site)))


def _application(site: Site, door: ConsoleDoor) -> web.Application:
    """The customers' routes, and the staff's door."""
    notice = notice_of(site.config.site.name)
    siblings = siblings_of(site, notice)
    rest = (door.audience_of, siblings.continuing, partial(asks_for_overflow, site))
    api = SessionsApi(site.store, site.sessions, site.desk, notice, site.scanner, *rest)
    handoff = HandoffApi(site.sessions, site.handoffs)
    health = HealthApi(lambda: not_ready(site), lambda: refresh(site))
    page = KioskPage(site.config)
    routes = [*api.routes(), *handoff.routes(), *health.routes(), *page.routes(), *door.routes()]
    routes += receipt_routes(site.paths, site.store, site.sessions)
    routes += [*program_routes(site, lambda: not_ready(site)), openapi_route(), *siblings.api.routes()]
    return customer_application(routes, AuditLog(site.store), site.config.siblings.urls)


async def _run_until(
    stop: asyncio.Event,
    site: Site,
    ways: Ways,
    devices: Devices,
    announcer: Announcer,
) -> None:
    """Everything that goes on beside the turns; ends, each step within a bound, once `stop` is set.

    None of it may end the node: chat goes on without the cloud, the broker and the LAN (invariant 5).
    """
    parts: dict[str, Callable[[], Coroutine[object, object, None]]] = {
        "sessions": site.sessions.sweep,
        "tickets": site.handoffs.sweep,
        "notifications": site.notifier.run,
        "retention": site.retaining.run,
        "erasures": partial(repeat, "erasures", site.erasure.finish, FINISH_EVERY_S),
        "audit_check": partial(audit_watch.watch, site.store, site.config.retention.audit_days),
        "reading": site.read_ahead,
        "forms": partial(asyncio.to_thread, site.scanner.detector.warm),
        CATCH_UP: partial(catch_up, site),
        "keys_files": site.backups.keys_files.keep,
        "llm": partial(language_model.watch, site.worker),
        "placement": partial(keep_tuned, site.encoder.info, models_dir()),
        **ways.parts(),
        "devices": devices.start,
        "discovery": announcer.start,
    }
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_keep(name, work), name=name) for name, work in parts.items()]
        await stop.wait()
        log.info("stopping")
        site.bell.close()
        await _bounded(announcer.stop())
        await _bounded(devices.stop())
        for task in tasks:
            task.cancel()


async def _keep(part: str, work: Callable[[], Coroutine[object, object, object]]) -> None:
    """Run a part; its failure is said loudly and does not reach the others."""
    try:
        await work()
    except Exception:
        metrics.fall_back(part, "failed")
        log.exception("a part of the node has failed", extra={"part": part})


async def _bounded(step: Awaitable[object]) -> None:
    """A step of the shutdown, given up after a while: a stop must end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_STEP_TIMEOUT_S):
            await step


def _record_start(db: Database, *, info: ModelInfo) -> None:
    outbox.append(db, OutboxClass.STATE, "node.started", {"software_version": VERSION})
    _record_model(db, info)


def _record_model(db: Database, info: ModelInfo) -> None:
    active = {"name": info.model, "version": info.version, "runtime": info.runtime, "device": info.device}
    outbox.append(db, OutboxClass.STATE, "model.active", {**active, "sha256": info.sha256})
