"""Moves rollouts on by themselves: begins waves, stops at the threshold, takes back what was withdrawn.

Each move is one transaction that locks the rollout, so that a replica that drives, a command and a node's rows come
one after another; `machine` decides. Only the replica with the lease drives, but two at once would do no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from cloud_sync.fleet.leases import Lease, LeaseLost
from cloud_sync.fleet.rollouts.machine import DRIVEN, NO_WAVE, WITHDRAWN, Progress, Reason, State, step
from cloud_sync.fleet.rollouts.reports import NodeStatus
from cloud_sync.fleet.rollouts.spec import Spec, due
from cloud_sync.fleet.rollouts.views import progress_of, tallies
from cloud_sync.fleet.steering import Steering, TooManyAssignments
from cloud_sync.store.assignments import Assignment, assignments_of
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from cloud_sync.store.registry import artifacts_named
from cloud_sync.store.rollouts import (
    RolloutRow,
    count_members,
    get_rollout,
    move_members,
    move_nodes,
    rollouts_in,
    save_rollout,
    versions_before,
    wave_members,
)
from core.errors import PosternError

log = logging.getLogger(__name__)

# A threshold that is passed stops a rollout within a second; a few rows of open rollouts once a second cost nothing.
LOOK_INTERVAL_S = 1.0
ACTOR = "rollouts"
# Those that give it up when a rollout is withdrawn.
_UNDER_WAY = (NodeStatus.TOLD, NodeStatus.WORKING)


class Driver:
    """Carries out what `machine.step` decides."""

    def __init__(self, database: Database, steering: Steering, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._steering = steering
        self._clock = clock
        self._stuck: set[str] = set()
        """Rollouts that are open and cannot be moved, so that each is said once."""

    async def keep_driving(self, lease: Lease) -> None:
        """Look at open rollouts at intervals, while the lease is held. Raises LeaseLost.

        A database that is away is said, and tried again.
        """
        while True:
            try:
                await self.drive(lease)
            except LeaseLost:
                raise
            except PosternError as error:
                log.warning("rollouts not driven", extra={"code": error.code})
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def drive(self, lease: Lease | None = None) -> int:
        """Move each open rollout as far as it goes now; how many moves that were. One that cannot be moved stays.

        Raises StoreUnavailable, and LeaseLost where there is a lease.
        """
        moves = 0
        found = await self._database.run(lambda connection: rollouts_in(connection, DRIVEN))
        self._stuck &= set(found)
        for rollout_id in found:
            try:
                while await self._drive_one(rollout_id, lease):
                    moves += 1
                self._stuck.discard(rollout_id)
            except PosternError:
                raise
            except Exception as error:
                if rollout_id not in self._stuck:
                    told = {"rollout": rollout_id, "error": type(error).__name__}
                    log.error("a rollout cannot be driven", extra=told)
                self._stuck.add(rollout_id)
        return moves

    async def _drive_one(self, rollout_id: str, lease: Lease | None) -> bool:
        def held(move: Callable[[sa.Connection, str], bool], connection: sa.Connection) -> bool:
            if lease is not None:
                lease.check(connection)
            return move(connection, rollout_id)

        try:
            return await self._database.run(partial(held, self._move))
        except TooManyAssignments as error:
            log.warning("a wave cannot begin", extra={"code": error.code})
            return await self._database.run(partial(held, self._pause_full))

    def _move(self, connection: sa.Connection, rollout_id: str) -> bool:
        row = get_rollout(connection, rollout_id, lock=True)
        if row is None:
            return False
        spec, now = Spec.model_validate(row.spec), self._clock()
        places = count_members(connection, [rollout_id]).get(rollout_id, {})
        after = step(progress_of(row), spec.gates, tallies(places, row.waves), now, due=due(spec, now))
        if after is None:
            return False
        self.settle(connection, row, after, ACTOR)
        return True

    def _pause_full(self, connection: sa.Connection, rollout_id: str) -> bool:
        row = get_rollout(connection, rollout_id, lock=True)
        if row is None or State(row.state) not in (State.SCHEDULED, State.RUNNING):
            return False
        before = progress_of(row)
        after = Progress(State.PAUSED, before.wave, before.wave_since, before.passed_since, Reason.FULL)
        self.settle(connection, row, after, ACTOR)
        return True

    def settle(self, connection: sa.Connection, row: RolloutRow, after: Progress, actor: str) -> None:
        """Make a locked rollout's progress `after`, with everything that follows. Raises TooManyAssignments."""
        before, now = progress_of(row), self._clock()
        values = {
            "state": after.state.value,
            "wave": after.wave,
            "wave_since": after.wave_since,
            "passed_since": after.passed_since,
            "reason": after.reason.value,
        }
        save_rollout(connection, row.id, values | {"changed_at": now})
        if after.wave != before.wave:
            self._tell(connection, row, after.wave, now)
        if after.state in WITHDRAWN and before.state not in WITHDRAWN:
            self._take_back(connection, row, now)
        if (after.state, after.wave) != (before.state, before.wave):
            wave = f"wave {after.wave + 1} of {row.waves}" if after.wave != NO_WAVE else ""
            detail = " ".join(filter(None, (wave, after.reason)))
            add_audit(connection, AuditRow(now, actor, f"rollout.{after.state}", row.id, detail))

    def _take_back(self, connection: sa.Connection, row: RolloutRow, now: datetime) -> None:
        # Whoever was told another version since is not told anything by this.
        newest = {
            node_id
            for node_id, found in assignments_of(connection).items()
            if any(one.rollout_id == row.id for one in found)
        }
        told = [one for one in self._steering.unassign(connection, row.id) if one in newest]
        move_members(connection, row.id, _UNDER_WAY, NodeStatus.RETURNING, changed_at=now)
        # Nodes under way go back by themselves; one that has kept it goes where it is told to.
        kept = versions_before(connection, row.id, NodeStatus.KEPT)
        wanted = self._said_before(connection, row, set(told) & set(kept), kept)
        if wanted:
            self._steering.assign(connection, wanted)
        back = [
            node_id
            for node_id, found in assignments_of(connection, told).items()
            if node_id in kept and any((one.kind, one.name) == (row.kind, row.name) for one in found)
        ]
        move_nodes(connection, row.id, back, NodeStatus.RETURNING, now)

    def _said_before(
        self, connection: sa.Connection, row: RolloutRow, nodes: Collection[str], before: Mapping[str, str]
    ) -> list[Assignment]:
        """Of nodes that were assigned nothing of the name before: what they said they ran, where it is published."""
        spec = Spec.model_validate(row.spec)
        assigned = assignments_of(connection, nodes)
        targets = {
            node_id: f"{row.kind}/{row.name}/{before[node_id]}"
            for node_id in sorted(nodes)
            if before[node_id] not in ("", spec.version)
            and all((one.kind, one.name) != (row.kind, row.name) for one in assigned.get(node_id, ()))
        }
        published = {one.target for one in artifacts_named(connection, set(targets.values()))}
        return [
            Assignment(node_id, row.kind, row.name, before[node_id], target, row.id, spec.watch_s)
            for node_id, target in targets.items()
            if target in published
        ]

    def _tell(self, connection: sa.Connection, row: RolloutRow, wave: int, now: datetime) -> None:
        spec = Spec.model_validate(row.spec)
        told = wave_members(connection, row.id, wave, NodeStatus.WAITING)
        wanted = [
            Assignment(node_id, spec.kind, spec.name, spec.version, spec.target, row.id, spec.watch_s)
            for node_id in told
        ]
        self._steering.assign(connection, wanted)
        move_members(
            connection, row.id, [NodeStatus.WAITING], NodeStatus.TOLD, wave=wave, told_at=now, changed_at=now
        )
