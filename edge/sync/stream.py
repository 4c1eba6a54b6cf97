"""One open link: carries out what its two sessions decide, with the store, the guard and the courier. No rules here."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from core.errors import PosternError
from edge.egress.courier.client import CloudBytes, CourierConnection, EnvelopeRefused, LinkDown, LinkUp
from edge.egress.records.guard import Guard
from edge.store import outbox
from edge.store.store import Store
from edge.sync import frames
from edge.sync.desired_keeper import DesiredKeeper
from edge.sync.events import (
    Acknowledge,
    Apply,
    BeatEvery,
    BeginUpload,
    Bury,
    Connected,
    DesiredSettled,
    Disconnect,
    Effect,
    Event,
    FactsChanged,
    HeartbeatDue,
    NodeFacts,
    Outbox,
    OutboxGrew,
    ReadRows,
    Reject,
    RowBuried,
    RowsRead,
    Send,
    UploadEvent,
)
from edge.sync.frames import HeartbeatAck
from edge.sync.inbox import Beat, Broken, Inbox, Item
from edge.sync.outgoing import bury, next_rows, read_outbox
from edge.sync.session import PROTOCOL_PAUSE_MS, Phase, Session
from edge.sync.upload_session import UploadSession

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ports:
    """What a stream works with; the same for every stream of a service."""

    store: Store
    guard: Guard
    keeper: DesiredKeeper
    facts: Callable[[], NodeFacts]
    now_ms: Callable[[], int]
    welcomed: Callable[[], None]


class Stream:
    """Runs a Session, and the UploadSession beside it, over link `number` until either side ends it."""

    def __init__(self, ports: Ports, connection: CourierConnection, inbox: Inbox, number: int) -> None:
        self._ports = ports
        self._connection = connection
        self._inbox = inbox
        self._number = number
        self._tasks: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None
        self._grew = False
        self._beat_waits = False
        self._welcomed = False
        self._session = Session(ports.facts(), ports.keeper.progress)
        self._upload: UploadSession | None = None

    def notify(self) -> None:
        """Rows or facts may have changed. Cheap; many calls become one event."""
        if not self._grew:
            self._grew = True
            self._inbox.put(OutboxGrew())

    async def run(self) -> Disconnect:
        """Returns why it ended. Raises NotReachable, and what the store raises."""
        events: deque[Event] = deque([Connected()])
        try:
            while True:
                while events:
                    effects = deque(self._receive(events.popleft()))
                    while effects:
                        effect = effects.popleft()
                        if isinstance(effect, Disconnect):
                            return effect
                        if isinstance(effect, BeginUpload):
                            effects.extend(await self._begin_upload(effect))
                        else:
                            events.extend(await self._carry_out(effect))
                self._tell_when_welcomed()
                item = await self._inbox.get()
                if (ended := self._ended(item)) is not None:
                    return ended
                events.extend(await self._events_of(item))
        finally:
            await self._stop_tasks()

    def _receive(self, event: Event) -> list[Effect]:
        if not isinstance(event, UploadEvent):
            return self._session.receive(event)
        if self._upload is not None:
            return self._upload.receive(event)
        # Rows may be added before the upload begins; frames of one that nobody opened are not believed.
        return [] if isinstance(event, OutboxGrew) else [Disconnect("upload_not_open", PROTOCOL_PAUSE_MS)]

    async def _begin_upload(self, effect: BeginUpload) -> list[Effect]:
        self._upload = UploadSession(await self._read_outbox(), effect.stream_generation)
        return self._upload.begin()

    async def _carry_out(self, effect: Effect) -> list[Event]:
        """Do it; returns the events that follow at once."""
        ports = self._ports
        match effect:
            case Send():
                await self._connection.send(self._number, ports.guard.seal(effect.frame))
            case ReadRows():
                return [RowsRead(effect.after, await next_rows(ports.store, ports.guard, effect))]
            case Acknowledge():
                await ports.store.write(lambda db: outbox.acknowledge(db, effect.epoch, effect.sequence))
            case Bury():
                return [RowBuried(effect.sequence, await bury(ports.store, effect))]
            case Apply() | Reject():
                self._spawn(self._settle(effect), "desired-settle")
            case BeatEvery():
                self._beating = self._spawn(self._beat(effect.interval_ms / 1000), "heartbeat")
        return []

    async def _events_of(self, item: Item) -> list[Event]:
        match item:
            case CloudBytes():
                frame = frames.parse_upload(item.payload) if item.upload else frames.parse(item.payload)
                if isinstance(frame, HeartbeatAck):
                    frame = replace(frame, at_s=_now_s())
                return [frame] if frame is not None and item.link == self._number else []
            case Beat():
                self._beat_waits = False
                return [FactsChanged(self._ports.facts()), HeartbeatDue(await self._read_outbox(), _now_s())]
            case OutboxGrew():
                self._grew = False
                return [item, FactsChanged(self._ports.facts())]
            case LinkUp() | LinkDown() | EnvelopeRefused() | Broken():
                return []  # of an older link
            case _:
                return [item]

    def _ended(self, item: Item) -> Disconnect | None:
        match item:
            case Broken():
                return Disconnect(item.reason)
            case LinkDown(link=self._number):
                return Disconnect(f"link_{item.reason}")
            case EnvelopeRefused(link=self._number):
                log.error("the courier refused an envelope", extra={"reason": item.reason})
                return Disconnect(f"envelope_refused_{item.reason}")
            case _:
                return None

    def _tell_when_welcomed(self) -> None:
        if not self._welcomed and self._session.phase is Phase.STREAMING:
            self._welcomed = True
            self._ports.welcomed()

    async def _settle(self, effect: Apply | Reject) -> None:
        """Beside the stream: loading a model may take long, and heartbeats go on."""
        try:
            self._inbox.put(DesiredSettled(await self._ports.keeper.settle(effect)))
            self.notify()
        except PosternError as error:
            self._inbox.put(Broken(error.code))

    async def _beat(self, interval_s: float) -> None:
        while True:
            wanted = self._ports.keeper.document.heartbeat_s
            await asyncio.sleep(min(interval_s, wanted) if wanted else interval_s)
            if not self._beat_waits:
                self._beat_waits = True
                self._inbox.put(Beat())

    async def _read_outbox(self) -> Outbox:
        now_ms = self._ports.now_ms()
        return await self._ports.store.read(lambda db: read_outbox(db, now_ms))

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stop_tasks(self) -> None:
        """Stop the timer; let a settling document finish, for it is half applied otherwise."""
        if self._beating is not None:
            self._beating.cancel()
        for task in tuple(self._tasks):
            if task is not self._beating:
                await asyncio.wait((task,))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
