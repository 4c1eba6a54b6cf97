"""The fleet as admins see it: rows of the database, what is newer in memory, and the rules that name it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cloud_sync.fleet.composing import composed
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.rules import STATES_BY_TROUBLE, config_state, node_state, state_text, turns_of
from cloud_sync.fleet.steering import require_node
from cloud_sync.fleet.views import AuditView, CountView, FleetView, GapView, ModelView, NodeView
from cloud_sync.store.assignments import Assignment, assignments_of
from cloud_sync.store.audit import AuditRow, audit_by_action, audit_of, newest_audit
from cloud_sync.store.database import Database
from cloud_sync.store.desired import DesiredRow, current_desired, group_scope, node_scope
from cloud_sync.store.gaps import newest_gaps
from cloud_sync.store.nodes import NodeRow, all_nodes
from cloud_sync.store.streams import counts_since, names_since

# "Today" is the last 24 hours: fleets span time zones.
TODAY = timedelta(hours=24)
AUDIT_ROWS_SHOWN_MAX = 50
GAP_ROWS_SHOWN_MAX = 50


@dataclass(frozen=True)
class _Found:
    """What one look at the database gave; memory is laid over it on the event loop, not on the store's thread."""

    rows: tuple[NodeRow, ...]
    counts: dict[str, dict[str, int]]
    wanted: dict[str, DesiredRow]
    assigned: dict[str, tuple[Assignment, ...]]


class Overview:
    """Reads; changes nothing."""

    def __init__(self, database: Database, presence: Presence, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._presence = presence
        self._clock = clock

    async def list_nodes(self) -> tuple[NodeView, ...]:
        """Every node, troubled ones first."""
        now = self._clock()

        def read(connection: sa.Connection) -> _Found:
            counts = counts_since(connection, now - TODAY)
            return _Found(
                all_nodes(connection), counts, current_desired(connection), assignments_of(connection)
            )

        found = await self._database.run(read)
        views = [self._view(row, found, now) for row in found.rows]
        return tuple(sorted(views, key=lambda view: STATES_BY_TROUBLE.index(view.state)))

    async def fleet(self) -> FleetView:
        """Every node, and how many are in which state."""
        nodes = await self.list_nodes()
        states = Counter(node.state for node in nodes)
        turns = [node.turns_today for node in nodes if node.turns_today is not None]
        return FleetView(
            nodes=nodes,
            live=states["live"],
            late=states["late"],
            offline=states["offline"],
            new=states["new"],
            revoked=states["revoked"],
            total=len(nodes),
            turns_today=sum(turns) if turns else None,
        )

    async def node(self, node_id: str) -> tuple[NodeView, tuple[CountView, ...]]:
        """One node and its counts of the last day. Raises UnknownNode."""
        now = self._clock()

        def read(connection: sa.Connection) -> tuple[_Found, tuple[str, ...]]:
            row = require_node(connection, node_id)
            totals = counts_since(connection, now - TODAY, node_id)
            wanted = current_desired(connection, (node_scope(row.id), group_scope(row.group_name)))
            found = _Found((row,), totals, wanted, assignments_of(connection, [row.id]))
            return found, names_since(connection, now - TODAY, node_id)

        found, names = await self._database.run(read)
        totals = found.counts.get(node_id, {})
        counts = tuple(CountView(name, totals.get(name)) for name in names)
        return self._view(found.rows[0], found, now), counts

    async def gaps_of(self, node_id: str) -> tuple[GapView, ...]:
        """What of a node's outbox will never come, the newest first."""
        rows = await self._database.run(
            lambda connection: newest_gaps(connection, node_id, GAP_ROWS_SHOWN_MAX)
        )
        return tuple(
            GapView(row.first_seq, row.last_seq, row.outbox_class, row.reason, row.bytes, row.found_at)
            for row in rows
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

    async def audit(self) -> tuple[AuditView, ...]:
        """The newest rows of all."""
        return _audit_views(
            await self._database.run(lambda connection: newest_audit(connection, AUDIT_ROWS_SHOWN_MAX))
        )

    async def ready(self) -> None:
        """Raises StoreUnavailable when the database does not answer."""
        await self._database.run(lambda connection: connection.execute(sa.text("SELECT 1")).scalar_one())

    def _view(self, stored: NodeRow, found: _Found, now: datetime) -> NodeView:
        row = self._presence.overlay(stored)
        state = node_state(row, self._presence.connection_lost(row.id), now)
        desired = composed(row, found.wanted, found.assigned.get(row.id, ()))
        config, text = config_state(row, desired.generation if desired else None)
        return NodeView(
            id=row.id,
            site=row.site,
            name=row.name,
            group=row.group_name,
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
            turns_today=turns_of(found.counts.get(row.id, {})),
            labels=row.labels,
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
