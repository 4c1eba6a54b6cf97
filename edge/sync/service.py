"""Keeps the node in touch with its control plane: connects through the courier, reconnects, closes buckets, watches.

Thin: the rules are edge/sync/session.py (one stream), backoff.py (when again) and telemetry.py (what is told). A node
whose courier or control plane is away serves on; nothing here is awaited by a customer's turn.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError
from sqlite_utils import Database

from core.errors import NotReachable, PosternError
from edge import metrics as node_metrics
from edge.config import SitePaths
from edge.egress import metrics as egress_metrics
from edge.egress.courier.client import (
    CourierClient,
    CourierConnection,
    CourierNumbers,
    EnrolResult,
    IdentityState,
    LedgerNumbers,
    LinkDown,
    LinkUp,
)
from edge.egress.envelope import load_or_create_key
from edge.egress.records.guard import Guard
from edge.store import audit
from edge.store.outbox_quotas import OutboxClass, Size, set_quotas, sizes
from edge.store.store import Store
from edge.sync import metrics
from edge.sync.backoff import Backoff
from edge.sync.desired_keeper import DesiredKeeper, OnDesired
from edge.sync.events import Disconnect, NodeFacts, Outbox
from edge.sync.inbox import Broken, Inbox
from edge.sync.outgoing import read_outbox
from edge.sync.refusals import refusal_of
from edge.sync.stream import Ports, Stream
from edge.sync.telemetry import BUCKETS_MAX, close_buckets
from edge.updates.roots import pin_roots

log = logging.getLogger(__name__)

# The courier is on this machine: look for it often, it is a file away.
COURIER_RETRY_S = 0.5
# Whoever writes a row calls `notify`; this finds what was forgotten, and keeps the gauges true.
WATCH_EVERY_S = 5.0
# What left and is not explained is told so long, that whoever looks once a day sees it.
UNEXPLAINED_TOLD_MS = 24 * 3_600_000
# The courier answers an OpenLink within its own time-outs (15 s); past this it is stuck.
OPEN_TIMEOUT_S = 30.0
# Looks at the clock at least this often: it may be set while we sleep.
BUCKET_SLEEP_MAX_S = 60.0


@dataclass(frozen=True)
class SyncStatus:
    """For `postern status`, /readyz and the console. Times are seconds; `since` is Unix time of the last change."""

    connected: bool
    enrolled: bool
    since: float
    last_error: str
    outbox_rows: int
    outbox_oldest_s: int
    applied_generation: int
    node_id: str
    control_plane: str
    # Unix times of the site's certificate; 0 where there is none.
    certificate_issued: int = 0
    certificate_expires: int = 0
    # The record of what left, as the courier told last; None while there is no courier.
    ledger: LedgerNumbers | None = None


class SyncService:
    """`run` for as long as the node runs; `notify` after a write that added an outbox row; `status` at any time."""

    def __init__(
        self,
        store: Store,
        paths: SitePaths,
        courier: CourierClient,
        facts: Callable[[], NodeFacts],
        on_desired: OnDesired,
        *,
        judge: OnDesired,
        bucket_s: int = 3600,
        backoff: Backoff | None = None,
        quotas: Mapping[OutboxClass, int] | None = None,
    ) -> None:
        self._store = store
        self._courier = courier
        self._bucket_s = bucket_s
        self._quotas = quotas or {}
        self._trusted_metadata = paths.trusted_metadata
        self._fresh_backoff = self._backoff = backoff or Backoff()
        self._keeper = DesiredKeeper(store, on_desired, judge)
        guard = Guard(load_or_create_key(paths.keys))
        self._ports = Ports(store, guard, self._keeper, facts, _now_ms, self._on_welcome)
        self._identity = IdentityState(False, "", "", "")
        self._identity_changed = asyncio.Event()
        self._stream: Stream | None = None
        self._links = 0
        self._welcomed_at = 0.0
        self._connected = False
        self._since = time.time()
        self._last_error = ""
        self._waiting = Outbox(b"", 0, 0, 0)
        self._numbers = CourierNumbers(b"", {}, {})
        self._ledger: LedgerNumbers | None = None
        self._refusals_noted = set[str]()
        node_metrics.watch("ledger", self._ledger_told)

    def notify(self) -> None:
        """Rows may wait, or facts may have changed. From the event loop's thread; cheap."""
        if self._stream is not None:
            self._stream.notify()

    def status(self) -> SyncStatus:
        """How it stands; outbox figures are at most WATCH_EVERY_S old."""
        return SyncStatus(
            connected=self._connected,
            enrolled=self._identity.enrolled,
            since=self._since,
            last_error=self._last_error,
            outbox_rows=self._waiting.rows,
            outbox_oldest_s=self._waiting.oldest_age_s,
            applied_generation=self._keeper.progress.applied_generation,
            node_id=self._identity.node_id,
            control_plane=self._identity.sync_endpoint,
            certificate_issued=self._identity.issued_unix_s,
            certificate_expires=self._identity.expires_unix_s,
            ledger=self._ledger,
        )

    async def run(self) -> None:
        """Until cancelled."""
        await self._store.write(lambda db: set_quotas(db, self._quotas))
        await self._keeper.restore()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_courier(), name="sync-courier")
            group.create_task(self._keep_buckets(), name="sync-buckets")
            group.create_task(self._keep_watch(), name="sync-watch")

    async def _keep_courier(self) -> None:
        while True:
            try:
                connection = await self._courier.connect()
            except NotReachable:
                self._ended("courier_not_reachable")
                await asyncio.sleep(COURIER_RETRY_S)
                continue
            try:
                await self._use(connection)
            except PosternError as error:
                self._ended(error.code)
            except Exception as error:  # the store, most likely; the node serves on and this tries again
                log.error("the sync failed", extra={"error": type(error).__name__})
                self._ended("internal_error")
            finally:
                await connection.close()
            await asyncio.sleep(COURIER_RETRY_S)

    async def _use(self, connection: CourierConnection) -> None:
        """One connection to the courier: read it in one task, open links in another, until it has gone."""
        inbox, gone = Inbox(), asyncio.Event()
        await connection.attach()
        reading = asyncio.create_task(self._read(connection, inbox, gone), name="sync-read")
        try:
            while not gone.is_set():
                if not self._identity.enrolled:
                    await self._pause(None, gone)
                    continue
                wait = await self._one_link(connection, inbox)
                await self._pause(wait, gone)
        finally:
            reading.cancel()
            self._ledger = None
            self._ended(self._last_error if not gone.is_set() else "courier_gone")

    async def _read(self, connection: CourierConnection, inbox: Inbox, gone: asyncio.Event) -> None:
        try:
            while (event := await connection.receive()) is not None:
                match event:
                    case IdentityState():
                        self._take_identity(event)
                    case CourierNumbers():
                        await self._count(event)
                    case EnrolResult():
                        pass  # answered on the connection that asked
                    case _:
                        await inbox.put_from_courier(event)
        except PosternError as error:
            log.error("the courier's socket failed", extra={"code": error.code})
        finally:
            gone.set()
            inbox.put(Broken("courier_gone"))

    def _take_identity(self, told: IdentityState) -> None:
        """The courier tells it at each attachment; only another one is a reason to connect sooner."""
        if told != self._identity:
            self._identity = told
            self._backoff = self._fresh_backoff
            self._identity_changed.set()

    async def _one_link(self, connection: CourierConnection, inbox: Inbox) -> float:
        """One attempt and, if it succeeds, one stream; returns how long to stay away after it."""
        self._links += 1
        self._welcomed_at = 0.0
        ended = await self._attempt(connection, inbox, self._links)
        lived_s = asyncio.get_running_loop().time() - self._welcomed_at if self._welcomed_at else 0.0
        self._ended(ended.reason)
        await self._note_refusal(ended.reason)
        wait, self._backoff = self._backoff.next(
            random.random(),  # noqa: S311 - spreads load, keeps no secret
            lived_s=lived_s,
            retry_after_s=ended.retry_after_ms / 1000,
        )
        log.info("link ended", extra={"reason": ended.reason, "retry_in_s": round(wait, 2)})
        return wait

    async def _attempt(self, connection: CourierConnection, inbox: Inbox, number: int) -> Disconnect:
        mine = self._identity
        self._identity_changed.clear()
        await self._keeper.belong_to(mine.node_id)
        await asyncio.to_thread(
            pin_roots, self._trusted_metadata, mine.node_id, mine.vendor_root, mine.director_root
        )
        await connection.open_link(number)
        down = await self._opened(inbox, number)
        if down is not None:
            return down
        stream = self._stream = Stream(self._ports, connection, inbox, number)
        try:
            ended = await stream.run()
        except ValidationError as error:
            # The message holds the values: only the names of what is wrong may be logged.
            log.error(
                "a frame does not fit its schema",
                extra={"fields": [str(item["loc"]) for item in error.errors()]},
            )
            ended = Disconnect("facts_not_sendable")
        except NotReachable:
            return Disconnect("courier_gone")
        except PosternError as error:
            ended = Disconnect(error.code)
        except (
            Exception
        ) as error:  # a bug must not end the sync for good; its text may quote what it choked on
            log.error("the stream failed", extra={"error": type(error).__name__})
            ended = Disconnect("internal_error")
        finally:
            self._stream = None
        await connection.close_link(number)
        return ended

    async def _opened(self, inbox: Inbox, number: int) -> Disconnect | None:
        """Wait for the courier's answer; None when the link is up."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                while True:
                    match await inbox.get():
                        case LinkUp(link=link) if link == number:
                            return None
                        case LinkDown(link=link, reason=reason) if link == number:
                            return Disconnect(f"link_{reason}")
                        case Broken(reason=reason):
                            return Disconnect(reason)
        except TimeoutError:
            return Disconnect("courier_stuck")

    async def _pause(self, seconds: float | None, gone: asyncio.Event) -> None:
        """Sleep (None: without end), unless the courier goes or the site gets another identity."""
        waits = [asyncio.create_task(event.wait()) for event in (gone, self._identity_changed)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self._identity_changed.clear()

    def _on_welcome(self) -> None:
        self._welcomed_at = asyncio.get_running_loop().time()
        self._refusals_noted.clear()
        self._connected, self._since, self._last_error = True, time.time(), ""
        metrics.CONNECTED.set(1)
        log.info("control plane welcomed the node", extra={"node": self._identity.node_id})

    def _ended(self, reason: str) -> None:
        if self._connected:
            self._since = time.time()
        self._connected, self._last_error = False, reason
        metrics.CONNECTED.set(0)

    def _ledger_told(self) -> str:
        """Why nothing leaves, where a witness remembers another ledger than the courier's; or what left beside it."""
        if self._last_error == "link_witness_refused":
            return "witness_refused"
        return "unexplained" if _now_ms() - self._numbers.unexplained_ms < UNEXPLAINED_TOLD_MS else ""

    async def _note_refusal(self, reason: str) -> None:
        """A row of audit, once until the next welcome: a certificate is refused each minute, for months."""
        refusal = refusal_of(reason)
        if refusal is not None and reason not in self._refusals_noted:
            self._refusals_noted.add(reason)
            await self._write_down(refusal[0], "link.refused", refusal[1])

    async def _write_down(self, actor: str, action: str, subject: str, times: int = 1) -> None:
        await self._audit(lambda db: audit.refused(db, actor, action, subject, times=times))

    async def _audit(self, write: Callable[[Database], object]) -> None:
        try:
            await self._store.write(write)
        except Exception as error:  # the store is busy, closing or unwell; the link does not wait for it
            log.error("a row of audit was not written", extra={"error": type(error).__name__})

    async def _count(self, fresh: CourierNumbers) -> None:
        """Add what the courier has counted since its last report; a restarted one counts from zero."""
        known = self._numbers if self._numbers.instance == fresh.instance else CourierNumbers(b"", {}, {})
        for kind, sent in fresh.sent_since(self._numbers).items():
            egress_metrics.BYTES.labels(kind).inc(sent)
        for reason, total in fresh.refused_by_reason.items():
            if (more := total - known.refused_by_reason.get(reason, 0)) > 0:
                egress_metrics.REFUSED.labels(reason).inc(more)
                await self._write_down("unknown", "courier.refused", reason, more)
        if (more := fresh.unexplained_bytes - known.unexplained_bytes) > 0:
            egress_metrics.UNEXPLAINED.inc(more)
            subject = f"{more} bytes"
            await self._audit(
                lambda db: audit.append(db, "courier", "egress.unexplained", subject, audit.Outcome.FAILED)
            )
        self._numbers, self._ledger = fresh, fresh.ledger

    async def _keep_buckets(self) -> None:
        """Close finished buckets at their end, and at the start those of the last run."""
        while True:
            now = time.time()
            try:
                closed = await self._store.write(partial(_close, now_s=int(now), length_s=self._bucket_s))
            except Exception as error:  # the store is busy, closing or unwell; the counters wait
                log.warning("buckets were not closed", extra={"error": type(error).__name__})
                closed = 0
            if closed:
                self.notify()
            if closed < BUCKETS_MAX:
                await asyncio.sleep(min(self._bucket_s - now % self._bucket_s, BUCKET_SLEEP_MAX_S))

    async def _keep_watch(self) -> None:
        while True:
            try:
                self._waiting, found = await self._store.read(partial(_look, now_ms=_now_ms()))
                for outbox_class, size in found.items():
                    metrics.OUTBOX_BYTES.labels(outbox_class.name.lower()).set(size.bytes)
                await self._store.give_back_space()
            except Exception as error:  # the figures are then those of before
                log.warning("the outbox cannot be read", extra={"error": type(error).__name__})
            metrics.OUTBOX_ROWS.set(self._waiting.rows)
            metrics.OUTBOX_OLDEST_SECONDS.set(self._waiting.oldest_age_s)
            if self._identity.expires_unix_s:
                metrics.CERTIFICATE_EXPIRES_SECONDS.set(self._identity.expires_unix_s - time.time())
            self.notify()
            await asyncio.sleep(WATCH_EVERY_S)


def _close(db: Database, *, now_s: int, length_s: int) -> int:
    return close_buckets(db, now_s, length_s)


def _look(db: Database, *, now_ms: int) -> tuple[Outbox, dict[OutboxClass, Size]]:
    return read_outbox(db, now_ms), sizes(db)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
