"""What goes into the rules of a link and what comes out: frozen values, nothing else.

The rules are edge/sync/session.py for the control stream and edge/sync/upload_session.py for the outbox.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.egress.records.schemas import Frame, ModelState, Row
from edge.sync.desired import DesiredDocument, Progress
from edge.sync.frames import ControlFrame, DesiredState, UploadFrame


@dataclass(frozen=True)
class NodeFacts:
    """What the node says about itself; everything in it is technical."""

    software_version: str
    models: tuple[ModelState, ...] = ()
    documents: int = 0
    chunks: int = 0
    devices_online: int = 0
    # 0 to 100, exact; it leaves rounded to tens.
    queue_percent: float = 0.0
    fallbacks: tuple[str, ...] = ()
    # 0 to 100, exact; it leaves rounded down to tens. None: the disk could not be asked.
    disk_free_percent: float | None = None


@dataclass(frozen=True)
class Outbox:
    """What waits. `oldest` is the first sequence that can still be sent, `newest` the last one ever given.

    With an empty outbox `oldest` is the one after `newest`.
    """

    epoch: bytes
    rows: int
    oldest: int
    newest: int
    oldest_age_s: int = 0


# Events, beside the frames of the control plane.


@dataclass(frozen=True)
class Connected:
    """The link is up."""


@dataclass(frozen=True)
class RowsRead:
    """The answer to ReadRows, whose `after` it repeats; empty when nothing waits."""

    after: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class OutboxGrew:
    """Rows may have been added."""


@dataclass(frozen=True)
class HeartbeatDue:
    """The interval has passed, at `at_s` by a clock that only goes forward."""

    outbox: Outbox
    at_s: float


@dataclass(frozen=True)
class FactsChanged:
    """What is to be reported may have changed."""

    facts: NodeFacts


@dataclass(frozen=True)
class DesiredSettled:
    """What became of an Apply."""

    progress: Progress


@dataclass(frozen=True)
class RowBuried:
    """The answer to Bury: a tombstone is in the row's place; not `done` where one was there already."""

    sequence: int
    done: bool


ControlEvent = ControlFrame | Connected | HeartbeatDue | FactsChanged | DesiredSettled
UploadEvent = UploadFrame | RowsRead | OutboxGrew | RowBuried
Event = ControlEvent | UploadEvent


# Effects.


@dataclass(frozen=True)
class Send:
    """Hand this frame to the guard and on."""

    frame: Frame


@dataclass(frozen=True)
class ReadRows:
    """Read what follows `after`; answer with RowsRead."""

    after: int
    rows_max: int
    bytes_max: int


@dataclass(frozen=True)
class Acknowledge:
    """Delete rows up to `sequence`: they are committed."""

    epoch: bytes
    sequence: int


@dataclass(frozen=True)
class Bury:
    """The control plane will never take this row: keep what it was, put a tombstone in its place; answer RowBuried."""

    sequence: int
    reason: str


@dataclass(frozen=True)
class Apply:
    """Run by this document; answer with DesiredSettled."""

    frame: DesiredState
    document: DesiredDocument


@dataclass(frozen=True)
class Reject:
    """Remember that this generation cannot be run here; answer with DesiredSettled."""

    frame: DesiredState
    field: str
    reason: str


@dataclass(frozen=True)
class BeatEvery:
    """Send HeartbeatDue at this interval."""

    interval_ms: int


@dataclass(frozen=True)
class BeginUpload:
    """The control stream is accepted: open the upload that belongs to it."""

    stream_generation: int


@dataclass(frozen=True)
class Disconnect:
    """End the link; stay away for `retry_after_ms` plus jitter."""

    reason: str
    retry_after_ms: int = 0


Effect = Send | ReadRows | Acknowledge | Bury | Apply | Reject | BeatEvery | BeginUpload | Disconnect
