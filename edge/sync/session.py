"""The rules of one control stream, without clock and without I/O: events in, effects out.

hello → welcome → heartbeats, and beside it an upload (edge/sync/upload_session.py). Desired state is checked, applied
by the caller, and answered by reported state; what cannot be applied leaves the last good one in place.
A new stream is a new Session; what must survive lives in the store.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from edge.egress.records.schemas import FALLBACKS_MAX, Heartbeat, Hello, ReportedState
from edge.sync import desired
from edge.sync.desired import DesiredRefused, Progress
from edge.sync.events import (
    Apply,
    BeatEvery,
    BeginUpload,
    Connected,
    ControlEvent,
    DesiredSettled,
    Disconnect,
    Effect,
    FactsChanged,
    HeartbeatDue,
    NodeFacts,
    Reject,
    Send,
)
from edge.sync.frames import DesiredState, Farewell, Goodbye, HeartbeatAck, Welcome
from edge.sync.pings import Pings

HEARTBEAT_MS_MIN = 1_000
HEARTBEAT_MS_MAX = 300_000
# Pauses that the node keeps even if the control plane names none, milliseconds.
PROTOCOL_PAUSE_MS = 60_000
PAUSE_MS = {Farewell.REPLACED: 30_000, Farewell.REVOKED: 600_000, Farewell.PROTOCOL_ERROR: PROTOCOL_PAUSE_MS}


class Phase(Enum):
    """Where a stream is."""

    NEW = "new"
    GREETED = "greeted"
    STREAMING = "streaming"
    CLOSED = "closed"


class Session:
    """One stream. `receive` is the only entry; events after the end do nothing."""

    def __init__(self, facts: NodeFacts, progress: Progress) -> None:
        self.phase = Phase.NEW
        self._facts = facts
        self._progress = progress
        self._pings = Pings()
        self._reported: ReportedState | None = None
        self._settling = False
        self._waiting: DesiredState | None = None

    def receive(self, event: ControlEvent) -> list[Effect]:
        """What follows from an event."""
        if self.phase is Phase.CLOSED:
            return []
        match event:
            case Connected():
                return self._greet()
            case Welcome():
                return self._welcome(event)
            case Goodbye():
                pause = max(event.retry_after_ms, PAUSE_MS.get(event.reason, 0))
                return self._end(f"goodbye_{event.reason}", pause)
            case FactsChanged():
                self._facts = event.facts
                return self._report() if self.phase is Phase.STREAMING else []
            case DesiredSettled():
                return self._settled(event.progress)
        if self.phase is not Phase.STREAMING:
            # Only a Welcome may come first; our own timers may come early.
            return self._broken("no_welcome") if isinstance(event, DesiredState | HeartbeatAck) else []
        return self._stream(event)

    def _stream(self, event: HeartbeatDue | HeartbeatAck | DesiredState) -> list[Effect]:
        match event:
            case HeartbeatDue():
                return self._beat(event)
            case HeartbeatAck():
                self._pings.answered(event.number, event.at_s)
                return []
            case DesiredState():
                return self._consider(event)

    def _greet(self) -> list[Effect]:
        if self.phase is not Phase.NEW:
            return []
        self.phase = Phase.GREETED
        hello = Hello(
            software_version=self._facts.software_version,
            applied_generation=self._progress.applied_generation,
            applied_hash=self._progress.applied_hash,
        )
        return [Send(hello)]

    def _welcome(self, welcome: Welcome) -> list[Effect]:
        if self.phase is not Phase.GREETED:
            return self._broken("unexpected_welcome")
        self.phase = Phase.STREAMING
        interval = min(max(welcome.heartbeat_interval_ms, HEARTBEAT_MS_MIN), HEARTBEAT_MS_MAX)
        return [BeatEvery(interval), BeginUpload(welcome.stream_generation), *self._report()]

    def _beat(self, due: HeartbeatDue) -> list[Effect]:
        number, outbox = self._pings.next(due.at_s), due.outbox
        if not number:
            return self._end("heartbeats_unanswered")
        beat = Heartbeat(
            number=number,
            queue_percent=_tens(self._facts.queue_percent),
            outbox_rows=outbox.rows,
            outbox_oldest_seconds=max(0, outbox.oldest_age_s),
            fallbacks=self._facts.fallbacks[:FALLBACKS_MAX],
            disk_free_percent=_tens_free(self._facts.disk_free_percent),
        )
        return [Send(beat)]

    def _consider(self, frame: DesiredState) -> list[Effect]:
        if self._settling:
            self._waiting = frame  # the newest wins; the one being applied is finished first
            return []
        progress = self._progress
        if (frame.generation, frame.hash) == (progress.applied_generation, progress.applied_hash):
            return self._report(always=True)
        if frame.generation == progress.observed_generation and frame.hash == progress.rejected_hash:
            return self._report(always=True)
        self._settling = True
        try:
            return [Apply(frame, desired.check(frame, progress))]
        except DesiredRefused as refused:
            return [Reject(frame, refused.field, refused.reason)]

    def _settled(self, progress: Progress) -> list[Effect]:
        self._progress = progress
        self._settling = False
        if self.phase is not Phase.STREAMING:
            return []
        effects = self._report(always=True)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            effects += self._consider(waiting)
        return effects

    def _report(self, *, always: bool = False) -> list[Effect]:
        progress, facts = self._progress, self._facts
        report = ReportedState(
            observed_generation=progress.observed_generation,
            applied_generation=progress.applied_generation,
            rejected_field=progress.rejected_field,
            rejected_reason=progress.rejected_reason,
            models=facts.models,
            documents=facts.documents,
            chunks=facts.chunks,
            devices_online=facts.devices_online,
            software_version=facts.software_version,
        )
        if report == self._reported and not always:
            return []
        self._reported = report
        return [Send(report)]

    def _broken(self, reason: str) -> list[Effect]:
        """The other side does not keep the protocol: nothing of it is believed, and the rows stay here."""
        return self._end(reason, PROTOCOL_PAUSE_MS)

    def _end(self, reason: str, retry_after_ms: int = 0) -> list[Effect]:
        self.phase = Phase.CLOSED
        return [Disconnect(reason, retry_after_ms)]


def settled(progress: Progress, frame: DesiredState, refused: DesiredRefused | None) -> Progress:
    """Progress after an Apply or Reject. A generation that is older or forged does not move `observed`."""
    if refused is None:
        return Progress(frame.generation, frame.generation, frame.hash)
    observed = (
        max(progress.observed_generation, frame.generation)
        if refused.field != "hash"
        else progress.observed_generation
    )
    return replace(
        progress,
        observed_generation=observed,
        rejected_hash=frame.hash,
        rejected_field=refused.field,
        rejected_reason=refused.reason,
    )


def _tens_free(percent: float | None) -> int | None:
    # Down: a disk that is fuller than it says would be found out too late.
    return None if percent is None else min(100, max(0, int(percent // 10) * 10))


def _tens(percent: float) -> int:
    return min(100, max(0, round(percent / 10) * 10))
