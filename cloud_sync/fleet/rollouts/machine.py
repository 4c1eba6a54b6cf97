"""The states of a rollout: what an admin may do in each, and what it does by itself. Pure: no I/O, no clock.

draft → awaiting_approval → scheduled → running ⇄ paused → done
                                 (from each of the six) → aborted
                                      running | paused → stopped
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cloud_sync.fleet.rollouts.spec import Gates
from core.errors import ExitCode, PosternError

# Nobody has been told anything yet.
NO_WAVE = -1
# People who must stand behind a risky rollout.
PEOPLE_MIN = 2


class State(StrEnum):
    """Where a rollout is."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ABORTED = "aborted"
    STOPPED = "stopped"


OPEN = frozenset({State.DRAFT, State.AWAITING_APPROVAL, State.SCHEDULED, State.RUNNING, State.PAUSED})
# Those that the driving replica looks at.
DRIVEN = frozenset({State.SCHEDULED, State.RUNNING, State.PAUSED})
# Those after which its nodes go back to what they had, where that is known.
WITHDRAWN = frozenset({State.ABORTED, State.STOPPED})


class Command(StrEnum):
    """What an admin may ask of a rollout."""

    SUBMIT = "submit"
    APPROVE = "approve"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class Reason(StrEnum):
    """Why a rollout is where it is, when it went there by itself."""

    NONE = ""
    FAILURES = "failures"  # more nodes failed than the gates allow
    UNREACHABLE_GATE = "gate"  # so many failed that the wave cannot pass any more
    LATE = "late"  # the wave has not passed within its patience
    EMPTY = "empty"  # nobody is left in the canary
    FULL = "full"  # a node of the next wave takes no more
    RESTORED = "restored"  # the control plane was put back from a backup


ALLOWED: dict[Command, frozenset[State]] = {
    Command.SUBMIT: frozenset({State.DRAFT}),
    Command.APPROVE: frozenset({State.AWAITING_APPROVAL}),
    Command.PAUSE: frozenset({State.SCHEDULED, State.RUNNING}),
    Command.RESUME: frozenset({State.PAUSED}),
    # What is done is still wanted, by nodes that come back later too, until somebody takes it back.
    Command.ABORT: OPEN | {State.DONE},
}


class RolloutState(PosternError):
    """The rollout is not in a state in which this can be done."""

    code = "rollout_state"
    title = "The rollout is past that, or not there yet"
    remedy = "Look at its state with `postern-cloud rollout show`."
    status = 409


class SecondPerson(PosternError):
    """Whoever made a rollout does not approve it too."""

    code = "second_person"
    title = "A second person must approve"
    remedy = (
        "Let another admin approve it, in the console or by `postern-cloud rollout approve --admin NAME`."
    )
    status = 403
    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Progress:
    """How far a rollout is."""

    state: State
    wave: int = NO_WAVE
    # When the wave began, or was resumed.
    wave_since: datetime | None = None
    # Since when the wave has kept enough.
    passed_since: datetime | None = None
    reason: Reason = Reason.NONE


@dataclass(frozen=True)
class Tally:
    """Nodes of one wave that still belong to the fleet."""

    nodes: int
    kept: int = 0
    # Failed before they changed, or went back.
    failed: int = 0


def allow(command: Command, state: State) -> None:
    """Raises RolloutState."""
    if state not in ALLOWED[command]:
        raise RolloutState(f"It is {state.replace('_', ' ')}: {command} is not possible.")


def commanded(
    progress: Progress, command: Command, *, risky: bool, approved: bool, now: datetime
) -> Progress:
    """After a command. `approved`: enough people stand behind it. Raises RolloutState."""
    allow(command, progress.state)
    if command is Command.SUBMIT:
        waits = risky and not approved
        return replace(progress, state=State.AWAITING_APPROVAL if waits else State.SCHEDULED)
    if command is Command.APPROVE:
        return replace(progress, state=State.SCHEDULED) if approved else progress
    if command is Command.PAUSE:
        return replace(progress, state=State.PAUSED, reason=Reason.NONE)
    if command is Command.RESUME:
        begun = progress.wave != NO_WAVE
        state = State.RUNNING if begun else State.SCHEDULED
        # Patience and soak begin again: time in which it was paused showed nothing. That somebody looked at an
        # empty canary stays said until the next wave, which would else never begin.
        reason = Reason.EMPTY if progress.reason is Reason.EMPTY else Reason.NONE
        return Progress(state, progress.wave, now if begun else None, reason=reason)
    return replace(progress, state=State.ABORTED, reason=Reason.NONE)


def approved_by(creator: str, approvers: Sequence[str], admins: frozenset[str]) -> bool:
    """Whether two people who can be named stand behind it; the command line is nobody that can be named."""
    return len({creator, *approvers} & admins) >= PEOPLE_MIN


def step(
    progress: Progress, gates: Gates, waves: Sequence[Tally], now: datetime, *, due: bool
) -> Progress | None:
    """What it does by itself now, or None. `due`: its schedule lets it begin."""
    if progress.state is State.SCHEDULED:
        return _begin(progress, 0, now) if due and waves else None
    if progress.state not in (State.RUNNING, State.PAUSED):
        return None
    told = waves[: progress.wave + 1]
    # Also while paused: nodes that were told go on, and one too many that fails must not wait for a person.
    if sum(wave.failed for wave in told) > failures_allowed(gates, told):
        return replace(progress, state=State.STOPPED, reason=Reason.FAILURES)
    return _judge(progress, gates, waves, now) if progress.state is State.RUNNING else None


def failures_allowed(gates: Gates, told: Sequence[Tally]) -> int:
    """How many of the nodes that were told may fail; of a small canary, none."""
    return sum(wave.nodes for wave in told) * gates.failed_max_percent // 100


def kept_needed(gates: Gates, wave: Tally) -> int:
    """How many nodes of a wave must keep for it to pass; one at least."""
    return max(1, -(-wave.nodes * gates.kept_min_percent // 100))


def _judge(progress: Progress, gates: Gates, waves: Sequence[Tally], now: datetime) -> Progress | None:
    """Of the wave that runs."""
    wave, since = waves[progress.wave], progress.wave_since
    assert since is not None, "a running rollout has begun a wave"
    needed = kept_needed(gates, wave)
    if wave.nodes == 0:
        # Without a canary a person must look; of a later wave nobody is missed.
        if progress.wave == 0 and progress.reason is not Reason.EMPTY:
            return replace(progress, state=State.PAUSED, reason=Reason.EMPTY)
        return _next(progress, len(waves), now)
    if wave.nodes - wave.failed < needed:
        return replace(progress, state=State.STOPPED, reason=Reason.UNREACHABLE_GATE)
    if wave.kept < needed:
        if now - since >= timedelta(seconds=gates.patience_s):
            return replace(progress, state=State.PAUSED, reason=Reason.LATE, passed_since=None)
        return replace(progress, passed_since=None) if progress.passed_since else None
    if progress.passed_since is None:
        return replace(progress, passed_since=now)
    if now - progress.passed_since < timedelta(seconds=gates.soak_s):
        return None
    return _next(progress, len(waves), now)


def _next(progress: Progress, waves: int, now: datetime) -> Progress:
    if progress.wave + 1 < waves:
        return _begin(progress, progress.wave + 1, now)
    return replace(progress, state=State.DONE, reason=Reason.NONE)


def _begin(progress: Progress, wave: int, now: datetime) -> Progress:
    return replace(
        progress, state=State.RUNNING, wave=wave, wave_since=now, passed_since=None, reason=Reason.NONE
    )
