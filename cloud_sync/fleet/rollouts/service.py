"""What admins do with rollouts: try, make, approve, pause, resume, abort, look. `machine` and `plan` decide."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.fleet.rollouts.driver import Driver
from cloud_sync.fleet.rollouts.machine import (
    NO_WAVE,
    OPEN,
    Command,
    Reason,
    SecondPerson,
    State,
    allow,
    approved_by,
    commanded,
)
from cloud_sync.fleet.rollouts.plan import Candidate, Plan, make_plan
from cloud_sync.fleet.rollouts.reports import NodeStatus
from cloud_sync.fleet.rollouts.spec import InvalidRollout, Spec
from cloud_sync.fleet.rollouts.views import (
    ApprovalView,
    Places,
    PlaceView,
    RolloutDetail,
    RolloutPage,
    RolloutView,
    node_view,
    progress_of,
    rollout_view,
)
from cloud_sync.fleet.rules import node_state
from cloud_sync.fleet.views import AuditView
from cloud_sync.store.accounts import admin_names
from cloud_sync.store.assignments import Assignment, assignments_of
from cloud_sync.store.audit import AuditRow, add_audit, audit_of
from cloud_sync.store.database import Database
from cloud_sync.store.node_search import LIVE
from cloud_sync.store.nodes import ACTIVE, NodeRow, all_nodes, get_node
from cloud_sync.store.registry import artifacts_named
from cloud_sync.store.rollouts import (
    MemberRow,
    NamedMember,
    RolloutRow,
    add_approval,
    add_rollout,
    approvals,
    count_by_state,
    count_members,
    count_places,
    get_rollout,
    held_nodes,
    members,
    recent_rollouts,
    rollouts_of,
    stand_in_line,
)
from core.errors import PosternError

log = logging.getLogger(__name__)

# Of each that is shown its nodes are counted: a page of these is a few ten thousand rows in a large fleet.
ROLLOUTS_A_PAGE = 25
NODES_SHOWN_MAX = 200
AUDIT_ROWS_SHOWN_MAX = 50
# Random bytes of an identifier: a control plane that was restored gives none a second time.
_ID_BYTES = 4


class UnknownRollout(PosternError):
    """No rollout has this identifier."""

    code = "unknown_rollout"
    title = "There is no such rollout"
    remedy = "List them with `postern-cloud rollout list`."
    status = 404


class Rollouts:
    """Makes, steers and shows rollouts; `driver` moves them on."""

    def __init__(self, database: Database, driver: Driver, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._driver = driver
        self._clock = clock

    async def plan(self, spec: Spec) -> Plan:
        """A dry run: who would get it in which wave, who would not, what makes it risky. Raises InvalidRollout."""
        return await self._database.run(lambda connection: self._plan(connection, spec))

    async def create(self, spec: Spec, actor: str, *, draft: bool = False) -> RolloutView:
        """Make a rollout; unless it is a draft, it begins as soon as it may. Raises InvalidRollout."""
        rollout_id = f"{spec.kind}-{self._clock():%Y%m%d}-{secrets.token_hex(_ID_BYTES)}"

        def write(connection: sa.Connection) -> RolloutView:
            stand_in_line(connection)
            plan = self._plan(connection, spec)
            if not plan.changes:
                raise InvalidRollout("No node would get it.")
            row = self._row(rollout_id, spec, plan, actor)
            nodes = [
                MemberRow(row.id, change.node_id, change.wave, NodeStatus.WAITING, change.before)
                for change in plan.changes
            ]
            add_rollout(connection, row, nodes)
            detail = f"{spec.target} to {len(nodes)} nodes in {row.waves} waves"
            add_audit(connection, AuditRow(row.created_at, actor, "rollout.created", row.id, detail))
            if not draft:
                self._command(connection, row, Command.SUBMIT, actor)
            return self._view(connection, row.id)

        return await self._database.run(write)

    async def submit(self, rollout_id: str, actor: str) -> RolloutView:
        """A draft goes on its way. Raises UnknownRollout, RolloutState."""
        return await self._do(rollout_id, Command.SUBMIT, actor)

    async def approve(self, rollout_id: str, actor: str) -> RolloutView:
        """Agree. It begins when two people who can be named stand behind it.

        Raises UnknownRollout, RolloutState, SecondPerson.
        """

        def write(connection: sa.Connection) -> RolloutView:
            row, now = _require(connection, rollout_id), self._clock()
            allow(Command.APPROVE, State(row.state))
            if actor == row.created_by:
                raise SecondPerson("You made this rollout.")
            if actor not in admin_names(connection):
                raise SecondPerson("Only an admin with an account approves.")
            if not add_approval(connection, row.id, actor, now):
                raise SecondPerson("You have approved it already.")
            add_audit(connection, AuditRow(now, actor, "rollout.approved", row.id))
            self._command(connection, row, Command.APPROVE, actor)
            return self._view(connection, row.id)

        return await self._database.run(write)

    async def pause(self, rollout_id: str, actor: str) -> RolloutView:
        """No further wave begins; nodes that were told go on. Raises UnknownRollout, RolloutState."""
        return await self._do(rollout_id, Command.PAUSE, actor)

    async def resume(self, rollout_id: str, actor: str) -> RolloutView:
        """Go on where it was paused. Raises UnknownRollout, RolloutState."""
        return await self._do(rollout_id, Command.RESUME, actor)

    async def abort(self, rollout_id: str, actor: str) -> RolloutView:
        """End it; its nodes go back to what they had, where that is known. Raises UnknownRollout, RolloutState."""
        return await self._do(rollout_id, Command.ABORT, actor)

    async def list_rollouts(self, *, first: int = 0, rows_max: int = ROLLOUTS_A_PAGE) -> RolloutPage:
        """The newest first, from row `first` on. One that cannot be read is left out, and said in the log."""

        def read(connection: sa.Connection) -> RolloutPage:
            rows = recent_rollouts(connection, first, rows_max)
            places = count_members(connection, [row.id for row in rows])
            views = [_readable(row, places.get(row.id, {})) for row in rows]
            total = sum(count_by_state(connection).values())
            return RolloutPage(tuple(view for view in views if view is not None), total)

        return await self._database.run(read)

    async def show(
        self, rollout_id: str, *, first: int = 0, nodes_max: int = NODES_SHOWN_MAX, status: str | None = None
    ) -> RolloutDetail:
        """One rollout, with nodes from row `first` on, of one status or all. Raises UnknownRollout."""

        def read(connection: sa.Connection) -> RolloutDetail:
            view = self._view(connection, rollout_id)
            found = members(connection, rollout_id, first=first, rows_max=nodes_max, status=status)
            audit = audit_of(connection, rollout_id, AUDIT_ROWS_SHOWN_MAX)
            return RolloutDetail(
                rollout=view,
                approvals=tuple(ApprovalView(one.admin, one.at) for one in approvals(connection, rollout_id)),
                nodes=tuple(node_view(one) for one in found),
                nodes_total=count_places(connection, rollout_id, status),
                audit=tuple(AuditView(a.at, a.actor, a.action, a.subject, a.detail, a.count) for a in audit),
            )

        return await self._database.run(read)

    async def of_node(self, node_id: str) -> tuple[PlaceView, ...]:
        """A node's place in the newest rollouts that it is part of."""

        def read(connection: sa.Connection) -> tuple[PlaceView, ...]:
            node = get_node(connection, node_id)
            if node is None:
                return ()
            found = rollouts_of(connection, node_id, NODES_SHOWN_MAX)
            return tuple(
                PlaceView(
                    row.id,
                    row.kind,
                    row.name,
                    str(row.spec["version"]),
                    row.state,
                    node_view(NamedMember(member, node.site, node.name)),
                )
                for member, row in found
            )

        return await self._database.run(read)

    async def states(self) -> dict[str, int]:
        """How many rollouts are in each state."""
        found = await self._database.run(count_by_state)
        return {state.value: found.get(state.value, 0) for state in State}

    async def _do(self, rollout_id: str, command: Command, actor: str) -> RolloutView:
        def write(connection: sa.Connection) -> RolloutView:
            self._command(connection, _require(connection, rollout_id), command, actor)
            return self._view(connection, rollout_id)

        return await self._database.run(write)

    def _command(self, connection: sa.Connection, row: RolloutRow, command: Command, actor: str) -> None:
        agreed = [one.admin for one in approvals(connection, row.id)]
        approved = approved_by(row.created_by, agreed, admin_names(connection))
        before = progress_of(row)
        after = commanded(before, command, risky=bool(row.risks), approved=approved, now=self._clock())
        if after != before:
            self._driver.settle(connection, row, after, actor)

    def _view(self, connection: sa.Connection, rollout_id: str) -> RolloutView:
        row = get_rollout(connection, rollout_id)
        if row is None:
            raise UnknownRollout("No rollout has this identifier.")
        return rollout_view(row, count_members(connection, [row.id]).get(row.id, {}))

    def _plan(self, connection: sa.Connection, spec: Spec) -> Plan:
        if not artifacts_named(connection, [spec.target]):
            raise InvalidRollout(f"{spec.target} is not published here, or was withdrawn.")
        held = held_nodes(connection, spec.kind, spec.name, OPEN)
        assigned = assignments_of(connection)
        fleet = [
            self._candidate(node, spec, assigned.get(node.id, ()), held.get(node.id, ""))
            for node in all_nodes(connection)
        ]
        # By the target: a dry run and the rollout that follows it divide the nodes the same way.
        return make_plan(spec, spec.target, fleet)

    def _candidate(
        self, node: NodeRow, spec: Spec, assigned: tuple[Assignment, ...], held_by: str
    ) -> Candidate:
        of_name = {(one.kind, one.name): one.version for one in assigned}
        wanted = of_name.get((spec.kind, spec.name), "")
        return Candidate(
            id=node.id,
            site=node.site,
            name=node.name,
            group=node.group_name,
            labels=node.labels,
            active=node.status == ACTIVE,
            live=node_state(node, False, self._clock()) == LIVE,
            runs=wanted or _says_it_runs(node, spec),
            assigned=wanted,
            assignments=len(assigned),
            held_by=held_by,
        )

    def _row(self, rollout_id: str, spec: Spec, plan: Plan, actor: str) -> RolloutRow:
        now = self._clock()
        return RolloutRow(
            id=rollout_id,
            kind=spec.kind,
            name=spec.name,
            spec=spec.model_dump(mode="json"),
            risks=tuple({"code": risk.code, "text": risk.text} for risk in plan.risks),
            waves=len(plan.sizes),
            state=State.DRAFT,
            wave=NO_WAVE,
            wave_since=None,
            passed_since=None,
            reason=Reason.NONE,
            created_at=now,
            created_by=actor,
            changed_at=now,
        )


def _readable(row: RolloutRow, places: Places) -> RolloutView | None:
    """What another release, or a hand, wrote may not be a rollout to this one."""
    try:
        return rollout_view(row, places)
    except ValueError as error:
        told = {"rollout": row.id, "error": type(error).__name__}
        log.error("a rollout cannot be shown", extra=told)
        return None


def _require(connection: sa.Connection, rollout_id: str) -> RolloutRow:
    row = get_rollout(connection, rollout_id, lock=True)
    if row is None:
        raise UnknownRollout("No rollout has this identifier.")
    return row


def _says_it_runs(node: NodeRow, spec: Spec) -> str:
    if spec.kind == "software":
        return node.software_version
    return next((model["version"] for model in node.models if model.get("name") == spec.name), "")
