"""Takes what nodes send into the database: each outbox row once, in order, from the newest stream only.

The transaction is the whole trick: the watermark moves from `first - 1` to `last` together with the rows and their
effects, and only for the stream that is allowed to move it. A repeated, reordered or superseded batch moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.fleet.admission import admit, adopt, check_holds
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.outbox import (
    GAP_KIND,
    Run,
    UploadFacts,
    check_not_rewound,
    check_opening,
    gap_of,
    lost_rows,
)
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.rollouts.reports import KIND as STEP_KIND
from cloud_sync.fleet.rollouts.reports import StepReport, read_step
from cloud_sync.fleet.rollouts.steps import apply_steps
from cloud_sync.fleet.telemetry import KIND as TELEMETRY_KIND
from cloud_sync.fleet.telemetry import read_counts
from cloud_sync.store.audit import AuditRow, add_audit, add_refusal
from cloud_sync.store.database import Database
from cloud_sync.store.gaps import LOST, GapRow, add_gaps
from cloud_sync.store.nodes import Beat, Report, count_stream, save_report
from cloud_sync.store.streams import (
    CountRow,
    RecordRow,
    Watermark,
    add_counts,
    add_records,
    advance,
    begin,
    fence,
    watermark,
)

PERSONAL_RECEIVED = "overflow.personal"
"""An action in audit rows: the alert that a site's guard let something through."""


@dataclass(frozen=True)
class Committed:
    """Everything up to this sequence is durable here."""

    sequence: int


@dataclass(frozen=True)
class Elsewhere:
    """The rows do not follow the watermark: the node must go on after this sequence."""

    committed_sequence: int


@dataclass(frozen=True)
class Superseded:
    """A newer stream of the node is open; this one may not write any more."""


class Intake:
    """The receiving half of the sync protocol, without its wire format."""

    def __init__(
        self, database: Database, presence: Presence, metrics: FleetMetrics, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._presence = presence
        self._metrics = metrics
        self._clock = clock

    async def open_stream(
        self,
        node_id: str,
        fingerprint: bytes,
        software_version: str,
        times: tuple[datetime, datetime] | None = None,
    ) -> int:
        """Admit a node and fence off its older streams; returns the stream's generation. Raises NodeRefused.

        `times`: when its certificate was issued and when it expires.
        """
        now = self._clock()

        def write(connection: sa.Connection) -> int:
            if times is not None:
                adopt(connection, node_id, fingerprint, times, now)
            admit(connection, node_id, fingerprint, now)
            generation = count_stream(connection, node_id, software_version, now)
            fence(connection, node_id, generation)
            return generation

        return await self._database.run(write)

    async def open_upload(self, node_id: str, generation: int, facts: UploadFacts) -> Committed | Superseded:
        """How far this outbox is committed; what neither side has any more is noted. Raises ProtocolFault."""
        check_opening(facts)
        now = self._clock()

        def write(connection: sa.Connection) -> Committed | Superseded:
            committed = begin(connection, node_id, facts.epoch, generation)
            if committed is None:
                return Superseded()
            check_not_rewound(committed, facts)
            lost = lost_rows(committed, facts)
            if lost is None:
                return Committed(committed)
            # Nobody has these rows any more. Going on is right; doing so in silence would not be.
            advance(connection, node_id, facts.epoch, generation, *lost)
            add_gaps(connection, [GapRow(node_id, facts.epoch, *lost, "", LOST, None, now)])
            detail = f"rows {lost[0]} to {lost[1]} are with neither side"
            add_audit(connection, AuditRow(now, "sync", "outbox.gap", node_id, detail))
            return Committed(lost[1])

        return await self._database.run(write)

    async def check_admitted(self, node_id: str, fingerprint: bytes) -> None:
        """Whether a node may ask for something now. Raises NodeRefused, StoreUnavailable."""
        now = self._clock()

        def write(connection: sa.Connection) -> None:
            admit(connection, node_id, fingerprint, now)

        await self._database.run(write)

    def check_holds(self, expires: datetime) -> None:
        """Whether a certificate that TLS has let in still holds. Raises CertificateExpired."""
        check_holds(expires, self._clock())

    async def alert_personal(self, node_id: str, types: Sequence[str]) -> None:
        """Write down that a node sent what names somebody, in a text that should not hold it; the types alone."""
        row = AuditRow(self._clock(), node_id, PERSONAL_RECEIVED, node_id, " ".join(types))
        await self._database.run(lambda connection: add_refusal(connection, row))

    async def refused(self, node_id: str, code: str) -> None:
        """Write down that a stream was refused; `node_id` "" where its certificate names no node of ours."""
        row = AuditRow(self._clock(), node_id or "unknown", "node.refused", node_id, code)
        await self._database.run(lambda connection: add_refusal(connection, row))

    async def refused_handshakes(self, reason: str, times: int) -> None:
        """Write down that somebody did not get past TLS, `times` times; who it was, TLS does not say."""
        row = AuditRow(self._clock(), "unknown", "handshake.refused", "", reason, times)
        await self._database.run(lambda connection: add_refusal(connection, row))

    async def accept(
        self, node_id: str, epoch: bytes, generation: int, run: Run
    ) -> Committed | Elsewhere | Superseded:
        """Commit rows, at least one, or say why not."""
        now = self._clock()

        def write(connection: sa.Connection) -> Committed | Elsewhere | Superseded:
            if not advance(connection, node_id, epoch, generation, run.first, run.last):
                return _why_not(watermark(connection, node_id, epoch), generation)
            _apply(connection, node_id, epoch, run, now)
            return Committed(run.last)

        with self._metrics.commit_seconds.time():
            outcome = await self._database.run(write)
        if isinstance(outcome, Committed):
            self._metrics.rows.inc(len(run.rows))
        return outcome

    def beat(
        self,
        node_id: str,
        generation: int,
        queue_percent: int,
        outbox_rows: int,
        oldest_s: int,
        fallbacks: tuple[str, ...],
        disk_free_percent: int | None = None,
    ) -> None:
        """A heartbeat: kept in memory, saved with others."""
        now = self._clock()
        beat = Beat(
            node_id, generation, now, queue_percent, outbox_rows, oldest_s, fallbacks, disk_free_percent
        )
        self._presence.beat(beat)

    async def report(self, node_id: str, generation: int, report: Report) -> None:
        """A node's own account of itself, on stream `generation`."""
        now = self._clock()
        await self._database.run(lambda connection: save_report(connection, node_id, generation, report, now))


def _why_not(found: Watermark | None, generation: int) -> Elsewhere | Superseded:
    if found is None or found.session_generation != generation:
        return Superseded()
    return Elsewhere(found.last_seq)


def _apply(connection: sa.Connection, node_id: str, epoch: bytes, run: Run, now: datetime) -> None:
    """Keep every row; apply what is understood. An unknown kind is from a newer node: kept, not lost."""
    kept: list[tuple[RecordRow, bool]] = []
    counts: list[CountRow] = []
    gaps: list[GapRow] = []
    steps: list[StepReport] = []
    due = run.first
    for row in run.rows:
        cells, step = read_counts(row), read_step(row)
        understood = row.kind not in (TELEMETRY_KIND, STEP_KIND) or cells is not None or step is not None
        kept.append((row, understood))
        counts += cells or ()
        steps += [step] if step else ()
        gap = gap_of(row) if row.kind == GAP_KIND else None
        if gap is not None:
            # Of what it stands for, rows may have come before the node dropped them.
            first = max(gap.first, due)
            gaps.append(GapRow(node_id, epoch, first, gap.last, gap.outbox_class, gap.reason, gap.bytes, now))
        due = row.seq + 1
    add_records(connection, node_id, epoch, kept, now)
    add_counts(connection, node_id, counts)
    add_gaps(connection, gaps)
    apply_steps(connection, node_id, steps, now)
