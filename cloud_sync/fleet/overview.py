"""The fleet as admins see it: rows of the database, what is newer in memory, and the rules that name it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cloud_sync.fleet.composing import composed
from cloud_sync.fleet.node_history import DAYS, Chart, Day, Field, charts, compare, days
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.rules import config_state, node_state, state_line, state_text, turns_of
from cloud_sync.fleet.steering import require_node
from cloud_sync.fleet.views import (
    AuditSearchView,
    AuditView,
    CountView,
    FleetView,
    GapView,
    LedgerView,
    ModelView,
    NodeView,
)
from cloud_sync.store.assignments import Assignment, assignments_of
from cloud_sync.store.audit import (
    AuditFilter,
    AuditPage,
    AuditRow,
    add_audit,
    audit_areas,
    audit_by_action,
    audit_of,
    search_audit,
)
from cloud_sync.store.database import Database
from cloud_sync.store.desired import DesiredRow, current_desired, desired_at, group_scope, node_scope
from cloud_sync.store.gaps import newest_gaps
from cloud_sync.store.node_search import (
    FoundNodes,
    NodeFilter,
    NodeOrder,
    count_nodes,
    count_states,
    find_nodes,
)
from cloud_sync.store.nodes import NodeRow
from cloud_sync.store.parts import IDS_AT_A_TIME
from cloud_sync.store.streams import counts_since, names_since
from cloud_sync.store.telemetry import cells_of_node, turns_of_fleet, turns_of_nodes
from cloud_sync.store.witnessed import logs_of, refusals_of

# "Today" is the last 24 hours: fleets span time zones.
TODAY = timedelta(hours=24)
AUDIT_ROWS_SHOWN_MAX = 50
GAP_ROWS_SHOWN_MAX = 50
# Counts come by the hour.
TURNS_FRESH = timedelta(seconds=10)


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of some nodes, in its parts."""

    by_scope: Mapping[str, DesiredRow]
    assigned: Mapping[str, tuple[Assignment, ...]]

    def of(self, row: NodeRow) -> DesiredRow | None:
        """Put together for one of them."""
        return composed(row, self.by_scope, self.assigned.get(row.id, ()))


def _wanted_of(connection: sa.Connection, rows: Sequence[NodeRow]) -> _Wanted:
    scopes = {group_scope(row.group_name) for row in rows} | {node_scope(row.id) for row in rows}
    few = scopes if len(scopes) <= IDS_AT_A_TIME else None  # a page's, or everybody's
    return _Wanted(current_desired(connection, few), assignments_of(connection, [row.id for row in rows]))


def _applied_known(row: NodeRow) -> bool:
    """Whether what a node applied can be told: since then it was neither moved nor assigned anything."""
    return not row.applied_generation or row.applied_generation >= row.steered_generation


def _applied(connection: sa.Connection, row: NodeRow) -> bytes | None:
    """The document that a node says it applied, as far as the control plane wrote it and it can be told."""
    if not row.applied_generation or not _applied_known(row):
        return None
    scopes = (node_scope(row.id), group_scope(row.group_name))
    found = (desired_at(connection, scope, row.applied_generation) for scope in scopes)
    return next((one.document for one in found if one is not None and one.document), None)


@dataclass(frozen=True)
class NodeHistory:
    """What a node's page shows that does not change by the second."""

    charts: tuple[Chart, ...]
    days: tuple[Day, ...]
    fields: tuple[Field, ...]
    applied_known: bool
    """Otherwise nothing can be said of what the node applied of the fields."""


@dataclass(frozen=True)
class _Found:
    """What one look at the database gave; memory is laid over it on the event loop, not on the store's thread."""

    row: NodeRow
    counts: dict[str, int]
    wanted: _Wanted


class Overview:
    """Reads; changes nothing but the row that says that somebody took rows out."""

    def __init__(self, database: Database, presence: Presence, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._presence = presence
        self._clock = clock
        self._turns: tuple[datetime, int | None] | None = None

    async def list_nodes(self) -> tuple[NodeView, ...]:
        """Every node, troubled ones first."""
        return (await self.fleet(NodeFilter(), NodeOrder(limit=None))).nodes

    async def fleet(self, wanted: NodeFilter, order: NodeOrder) -> FleetView:
        """One page of the nodes that fit, and the counts around it."""
        now = self._clock()
        line = state_line(self._presence.lost(), now)

        def read(connection: sa.Connection) -> tuple[FoundNodes, int, dict[str, int], _Wanted]:
            found = find_nodes(connection, wanted, order, line)
            rows = [row for row, _ in found.rows]
            turns = turns_of_nodes(connection, now - TODAY, [row.id for row in rows])
            return found, count_nodes(connection), turns, _wanted_of(connection, rows)

        found, total, turns, desired = await self._database.run(read)
        fitting = found.by_state
        return FleetView(
            nodes=tuple(
                self._view(row, state, turns.get(row.id), desired.of(row), now) for row, state in found.rows
            ),
            by_state=fitting,
            found=fitting.get(wanted.state, 0) if wanted.state else sum(fitting.values()),
            total=total,
            groups=found.groups,
            turns_today=await self._turns_today(now),
        )

    async def states(self) -> Mapping[str, int]:
        """How many nodes are in which state."""
        line = state_line(self._presence.lost(), self._clock())
        return await self._database.run(lambda connection: count_states(connection, line))

    async def _turns_today(self, now: datetime) -> int | None:
        """Of the whole fleet, and up to TURNS_FRESH old: the sum goes over a day of every node."""
        if self._turns is None or now - self._turns[0] >= TURNS_FRESH:
            since = now - TODAY
            found = await self._database.run(lambda connection: turns_of_fleet(connection, since))
            self._turns = (now, found)
        return self._turns[1]

    async def node(self, node_id: str) -> tuple[NodeView, tuple[CountView, ...]]:
        """One node and its counts of the last day. Raises UnknownNode."""
        now = self._clock()

        def read(connection: sa.Connection) -> tuple[_Found, tuple[str, ...]]:
            row = require_node(connection, node_id)
            totals = counts_since(connection, now - TODAY, node_id).get(node_id, {})
            found = _Found(row, totals, _wanted_of(connection, [row]))
            return found, names_since(connection, now - TODAY, node_id)

        found, names = await self._database.run(read)
        row, totals = found.row, found.counts
        state = node_state(self._presence.overlay(row), self._presence.connection_lost(row), now)
        counts = tuple(CountView(name, totals.get(name)) for name in names)
        return self._view(row, state, turns_of(totals), found.wanted.of(row), now), counts

    async def history(self, node_id: str) -> NodeHistory:
        """A node's last days, and what is wanted of it beside what it applied. Raises UnknownNode."""
        now = self._clock()

        def read(connection: sa.Connection) -> NodeHistory:
            row = require_node(connection, node_id)
            counts = cells_of_node(connection, node_id, now - timedelta(days=DAYS), now)
            wanted = _wanted_of(connection, [row]).of(row)
            applied = _applied(connection, row)
            fields = compare(wanted.document if wanted else None, applied)
            return NodeHistory(charts(counts, now), days(counts, now), fields, _applied_known(row))

        return await self._database.run(read)

    async def gaps_of(self, node_id: str) -> tuple[GapView, ...]:
        """What of a node's outbox will never come, the newest first."""
        rows = await self._database.run(
            lambda connection: newest_gaps(connection, node_id, GAP_ROWS_SHOWN_MAX)
        )
        return tuple(
            GapView(row.first_seq, row.last_seq, row.outbox_class, row.reason, row.bytes, row.found_at)
            for row in rows
        )

    async def ledgers_of(self, node_id: str) -> tuple[LedgerView, ...]:
        """What the witness knows of a node's ledgers, the newest first."""
        logs, refusals = await self._database.run(
            lambda connection: (logs_of(connection, node_id), refusals_of(connection, node_id))
        )
        return tuple(
            LedgerView(
                row.origin,
                row.size,
                row.first_at,
                row.witnessed_at,
                row.set_aside_at,
                refusals.get(row.origin, ()),
            )
            for row in logs
        )

    async def audit_of(self, subject: str) -> tuple[AuditView, ...]:
        """The newest changes of a node."""
        rows = await self._database.run(
            lambda connection: audit_of(connection, subject, AUDIT_ROWS_SHOWN_MAX)
        )
        return _audit_views(rows)

    async def audit_by_action(self, action: str) -> tuple[AuditView, ...]:
        """The newest rows of one action."""
        return _audit_views(
            await self._database.run(
                lambda connection: audit_by_action(connection, action, AUDIT_ROWS_SHOWN_MAX)
            )
        )

    async def search_audit(
        self, wanted: AuditFilter, before: int | None = None, rows_max: int = AUDIT_ROWS_SHOWN_MAX
    ) -> AuditSearchView:
        """The newest rows that fit, of those before the row `before`."""

        def read(connection: sa.Connection) -> tuple[AuditPage, tuple[str, ...]]:
            return search_audit(connection, wanted, rows_max, before), audit_areas(connection)

        page, areas = await self._database.run(read)
        return AuditSearchView(_audit_views(page.rows), page.older, areas)

    async def audit_exported(self, actor: str, what: str) -> None:
        """Write down that somebody took rows of audit out."""
        row = AuditRow(self._clock(), actor, "audit.exported", "", what)
        await self._database.run(lambda connection: add_audit(connection, row))

    async def ready(self) -> None:
        """Raises StoreUnavailable when the database does not answer."""
        await self._database.run(lambda connection: connection.execute(sa.text("SELECT 1")).scalar_one())

    def _view(
        self, stored: NodeRow, state: str, turns: int | None, desired: DesiredRow | None, now: datetime
    ) -> NodeView:
        row = self._presence.overlay(stored)
        config, text = config_state(row, desired.generation if desired else None)
        return NodeView(
            id=row.id,
            site=row.site,
            name=row.name,
            group=row.group_name,
            labels=row.labels,
            state=state,
            state_text=state_text(state, row, now),
            enrolled_at=row.enrolled_at,
            revoked_at=row.revoked_at,
            first_seen=row.first_seen,
            last_seen=row.last_seen,
            certificate_expires=row.certificate_expires,
            software_version=row.software_version,
            models=tuple(ModelView(**model) for model in row.models),
            queue_percent=row.queue_percent,
            outbox_rows=row.outbox_rows,
            outbox_oldest_s=row.outbox_oldest_s,
            devices_online=row.devices_online,
            documents=row.documents,
            chunks=row.chunks,
            fallbacks=row.fallbacks,
            turns_today=turns,
            desired_generation=desired.generation if desired else None,
            observed_generation=row.observed_generation,
            applied_generation=row.applied_generation,
            config_state=config,
            config_text=text,
            rejected_field=row.rejected_field,
            rejected_reason=row.rejected_reason,
            disk_free_percent=row.disk_free_percent,
        )


def _audit_views(rows: Iterable[AuditRow]) -> tuple[AuditView, ...]:
    return tuple(AuditView(row.at, row.actor, row.action, row.subject, row.detail, row.count) for row in rows)
