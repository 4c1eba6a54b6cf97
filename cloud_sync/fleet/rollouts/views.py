"""What pages and the command line show of rollouts: frozen values, and the sentences for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_sync.fleet.rollouts.machine import ALLOWED, Command, Progress, Reason, State, Tally, kept_needed
from cloud_sync.fleet.rollouts.plan import Risk
from cloud_sync.fleet.rollouts.reports import FAILURES, NodeStatus
from cloud_sync.fleet.rollouts.spec import Spec
from cloud_sync.fleet.views import AuditView
from cloud_sync.store.rollouts import NamedMember, RolloutRow
from core.update_figures import figure_texts

Places = Mapping[tuple[int, str], int]
"""(wave, status) → how many nodes that are not revoked."""

_REASONS = {
    Reason.FAILURES: "more nodes failed or went back than its gates allow",
    Reason.UNREACHABLE_GATE: "so many nodes failed that the wave cannot pass any more",
    Reason.LATE: "the wave has not passed within its patience",
    Reason.EMPTY: "no node of the wave is left",
    Reason.FULL: "a node of the next wave takes no more assignments",
    Reason.RESTORED: "the control plane was put back from a backup, and what became of this since is not known",
}


@dataclass(frozen=True)
class WaveView:
    """One wave; numbers count from 1. The first of several is the canary."""

    number: int
    state: str
    """waiting | running | soaking | passed"""
    nodes: int
    waiting: int
    working: int
    """Told, and not yet at an end."""
    kept: int
    failed: int
    """Failed, or went back by themselves."""
    returned: int
    """Back, or going back, because the rollout was withdrawn."""
    kept_needed: int


@dataclass(frozen=True)
class ApprovalView:
    """Who agreed."""

    admin: str
    at: datetime


@dataclass(frozen=True)
class RolloutView:
    """One rollout."""

    id: str
    kind: str
    name: str
    version: str
    target: str
    state: str
    state_text: str
    reason: str
    wave: int
    """Counts from 1; 0 before the first."""
    waves: tuple[WaveView, ...]
    nodes: int
    kept: int
    failed: int
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    shares: tuple[int, ...]
    """Of the waves, in percent, each with those before."""
    kept_min_percent: int
    failed_max_percent: int
    soak_s: int
    patience_s: int
    watch_s: int
    starts_at: datetime | None
    soak_ends: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    risks: tuple[Risk, ...]
    commands: tuple[str, ...]
    """What may be asked of it now: submit | approve | pause | resume | abort."""


@dataclass(frozen=True)
class RolloutPage:
    """Some of the rollouts."""

    rollouts: tuple[RolloutView, ...]
    total: int


@dataclass(frozen=True)
class RolloutNodeView:
    """One node of a rollout."""

    node_id: str
    site: str
    name: str
    wave: int
    """Counts from 1."""
    status: str
    before: str
    step: str
    outcome: str
    reason: str
    figures: Mapping[str, int]
    told_at: datetime | None
    changed_at: datetime | None

    @property
    def figure_texts(self) -> list[str]:
        """What was measured on the node, and what was asked for."""
        return figure_texts(self.figures)


@dataclass(frozen=True)
class RolloutDetail:
    """One rollout with its approvals, its nodes of a page, and its audit rows."""

    rollout: RolloutView
    approvals: tuple[ApprovalView, ...]
    nodes: tuple[RolloutNodeView, ...]
    nodes_total: int
    """Of the status that was asked for."""
    audit: tuple[AuditView, ...]


@dataclass(frozen=True)
class PlaceView:
    """A node's place in one rollout."""

    rollout_id: str
    kind: str
    name: str
    version: str
    state: str
    node: RolloutNodeView


def progress_of(row: RolloutRow) -> Progress:
    """How far a rollout is, as `machine` has it."""
    return Progress(State(row.state), row.wave, row.wave_since, row.passed_since, Reason(row.reason))


def tallies(places: Places, waves: int) -> list[Tally]:
    """Of each wave, what the gates count."""
    return [_tally(places, wave) for wave in range(waves)]


def rollout_view(row: RolloutRow, places: Places) -> RolloutView:
    """A rollout to show."""
    spec, progress = Spec.model_validate(row.spec), progress_of(row)
    waves = tuple(_wave_view(spec, progress, places, wave) for wave in range(row.waves))
    passed, soak = progress.passed_since, timedelta(seconds=spec.gates.soak_s)
    return RolloutView(
        id=row.id,
        kind=spec.kind,
        name=spec.name,
        version=spec.version,
        target=spec.target,
        state=row.state,
        state_text=state_text(progress, waves, spec.starts_at),
        reason=row.reason,
        wave=row.wave + 1,
        waves=waves,
        nodes=sum(wave.nodes for wave in waves),
        kept=sum(wave.kept for wave in waves),
        failed=sum(wave.failed for wave in waves),
        groups=spec.groups,
        labels=spec.labels,
        shares=spec.waves,
        kept_min_percent=spec.gates.kept_min_percent,
        failed_max_percent=spec.gates.failed_max_percent,
        soak_s=spec.gates.soak_s,
        patience_s=spec.gates.patience_s,
        watch_s=spec.watch_s,
        starts_at=spec.starts_at,
        soak_ends=passed + soak if passed and progress.state is State.RUNNING else None,
        created_at=row.created_at,
        created_by=row.created_by,
        changed_at=row.changed_at,
        risks=tuple(Risk(**risk) for risk in row.risks),
        commands=tuple(command for command in Command if progress.state in ALLOWED[command]),
    )


def state_text(progress: Progress, waves: tuple[WaveView, ...], starts_at: datetime | None) -> str:
    """The state as a sentence."""
    why = _REASONS.get(progress.reason, "")
    begins = f"Begins at {starts_at:%Y-%m-%d %H:%M} UTC." if starts_at else "Begins at once."
    return {
        State.DRAFT: "A draft; nothing happens until it is submitted.",
        State.AWAITING_APPROVAL: "Waits for a second person.",
        State.SCHEDULED: begins,
        State.RUNNING: _running_text(progress, waves),
        State.PAUSED: f"Paused by itself: {why}." if why else "Paused. Nodes that were told go on.",
        State.DONE: "Every wave has passed.",
        State.ABORTED: f"Aborted. {_back_text(waves)}",
        State.STOPPED: f"Stopped by itself: {why}. {_back_text(waves)}",
    }[progress.state]


def node_view(found: NamedMember) -> RolloutNodeView:
    """A node of a rollout to show."""
    member = found.member
    return RolloutNodeView(
        node_id=member.node_id,
        site=found.site,
        name=found.name,
        wave=member.wave + 1,
        status=member.status,
        before=member.before,
        step=member.step,
        outcome=member.outcome,
        reason=member.reason,
        figures=member.figures,
        told_at=member.told_at,
        changed_at=member.changed_at,
    )


def _back_text(waves: tuple[WaveView, ...]) -> str:
    kept = sum(wave.kept for wave in waves)
    if not kept:
        return "Its nodes go back to what they had."
    who = "One node keeps" if kept == 1 else f"{kept} nodes keep"
    others = " The others go back." if any(wave.returned for wave in waves) else ""
    why = "what was there before is not known or not published here, or another version is wanted by now"
    return f"{who} it: {why}.{others}"


def _running_text(progress: Progress, waves: tuple[WaveView, ...]) -> str:
    if not 0 <= progress.wave < len(waves):
        return "Running."
    wave = waves[progress.wave]
    which = f"Wave {wave.number} of {len(waves)}"
    if progress.passed_since:
        return f"{which} has passed and is left alone for a while before what follows."
    return f"{which}: {wave.kept} of {wave.nodes} nodes have kept it; {wave.kept_needed} are needed."


def _wave_view(spec: Spec, progress: Progress, places: Places, wave: int) -> WaveView:
    tally = _tally(places, wave)

    def count(*statuses: NodeStatus) -> int:
        return sum(places.get((wave, status), 0) for status in statuses)

    if progress.wave > wave or progress.state is State.DONE:
        state = "passed"
    elif progress.wave < wave:
        state = "waiting"
    else:
        state = "soaking" if progress.passed_since else "running"
    return WaveView(
        number=wave + 1,
        state=state,
        nodes=tally.nodes,
        waiting=count(NodeStatus.WAITING),
        working=count(NodeStatus.TOLD, NodeStatus.WORKING),
        kept=tally.kept,
        failed=tally.failed,
        returned=count(NodeStatus.RETURNING, NodeStatus.RETURNED),
        kept_needed=kept_needed(spec.gates, tally),
    )


def _tally(places: Places, wave: int) -> Tally:
    of_wave = {status: count for (one, status), count in places.items() if one == wave}
    return Tally(
        nodes=sum(of_wave.values()),
        kept=of_wave.get(NodeStatus.KEPT, 0),
        failed=sum(of_wave.get(status, 0) for status in FAILURES),
    )
