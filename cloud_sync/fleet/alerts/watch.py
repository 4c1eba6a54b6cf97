"""Looks at the fleet again and again and writes which alerts begin and end. One replica does, for all.

Each look is one transaction that reads rows and applies the rules, so that a driver that is killed in the middle of
one has changed nothing, and another one finds what is open in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.fleet.alerts.rules import (
    EVENT_ACTIONS,
    EVENTS_LOOKED_BACK,
    KINDS,
    Condition,
    Held,
    Limits,
    changes,
    event_condition,
    gap_condition,
    node_conditions,
    silenced,
)
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.store.alerts import (
    AlertRow,
    NewAlert,
    add_alerts,
    count_open,
    current_silences,
    events_since,
    newest_evidence,
    open_alerts,
    resolve_alerts,
    see_alerts,
    tell_alerts,
)
from cloud_sync.store.database import Database, StoreBusy, StoreUnavailable
from cloud_sync.store.gaps import gaps_since
from cloud_sync.store.nodes import all_nodes
from cloud_sync.store.witnessed import last_witnessed

log = logging.getLogger(__name__)

# A heartbeat's interval: more often there is nothing new to see.
LOOK_INTERVAL_S = 10.0

Tell = Callable[[sa.Connection, tuple[AlertRow, ...], tuple[AlertRow, ...], datetime], None]
"""Called in the transaction of a look with the alerts that begin to be told and those told before that ended."""


class Watch:
    """Raises and ends alerts. Used by one task."""

    def __init__(
        self,
        database: Database,
        limits: Limits,
        tell: Tell,
        metrics: FleetMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._limits = limits
        self._tell = tell
        self._metrics = metrics
        self._clock = clock
        self._held = Held()
        self._listening_since = clock()

    def begin(self) -> None:
        """This replica watches from now on: what another one may have missed in between is nobody's silence."""
        self._held = Held()
        self._listening_since = self._clock()

    async def keep_looking(self, check: Callable[[sa.Connection], None]) -> None:
        """Look at intervals, for ever; `check` is called in each transaction and raises when it must not write.

        A database that is away for a while is said once a time, and asked again. Raises what `check` raises.
        """
        self.begin()
        try:
            while True:
                try:
                    await self.look(check)
                except (StoreUnavailable, StoreBusy) as error:
                    log.warning("alerts not looked for", extra={"code": error.code})
                await asyncio.sleep(LOOK_INTERVAL_S)
        finally:
            self._metrics.alerts.clear()

    async def look(self, check: Callable[[sa.Connection], None]) -> None:
        """One look at the fleet. Raises StoreUnavailable, StoreBusy, and what `check` raises."""
        now = self._clock()
        counted = await self._database.run(lambda connection: self._look(connection, now, check))
        for kind in KINDS:
            self._metrics.alerts.labels(kind).set(counted[kind])

    def _look(
        self, connection: sa.Connection, now: datetime, check: Callable[[sa.Connection], None]
    ) -> Counter[str]:
        """How many alerts nobody looks after, by kind."""
        check(connection)
        states, events = self._states(connection, now), _events(connection, now)
        true = {condition.key for condition in (*states, *events)}
        lasting = (*self._held.lasting(states, now), *events)
        before = open_alerts(connection)
        evidence = newest_evidence(connection, {(event.kind.name, event.subject) for event in events})
        found = changes(before, evidence, lasting, true, now)
        add_alerts(connection, [_row(condition) for condition in found.opened], now)
        see_alerts(connection, [(number, _row(condition)) for number, condition in found.seen], now)
        resolve_alerts(connection, found.resolved, now)
        self._tell_news(connection, before, frozenset(found.resolved), now)
        counted: Counter[str] = Counter()
        for (kind, _), number in count_open(connection).items():
            counted[kind] += number
        return counted

    def _states(self, connection: sa.Connection, now: datetime) -> tuple[Condition, ...]:
        witnessed = last_witnessed(connection)
        return tuple(
            condition
            for node in all_nodes(connection)
            for condition in node_conditions(
                node, self._limits, self._listening_since, witnessed.get(node.id), now
            )
        )

    def _tell_news(
        self,
        connection: sa.Connection,
        before: dict[str, AlertRow],
        resolved: frozenset[int],
        now: datetime,
    ) -> None:
        silences = current_silences(connection, now)
        untold = tuple(
            alert
            for alert in open_alerts(connection).values()
            if alert.told_at is None and alert.acknowledged_at is None and not silenced(alert, silences, now)
        )
        over = tuple(alert for alert in before.values() if alert.id in resolved and alert.told_at is not None)
        if untold or over:
            self._tell(connection, untold, over, now)
            tell_alerts(connection, [alert.id for alert in untold], now)


def _events(connection: sa.Connection, now: datetime) -> tuple[Condition, ...]:
    since = now - EVENTS_LOOKED_BACK
    rows, gaps = events_since(connection, EVENT_ACTIONS, since), gaps_since(connection, since)
    nodes = {node.id: node for node in all_nodes(connection)} if rows or gaps else {}
    return (
        *(event_condition(row, number, nodes) for number, row in rows),
        *(gap_condition(gap, number, nodes) for number, gap in gaps),
    )


def _row(condition: Condition) -> NewAlert:
    kind = KINDS[condition.kind.name]
    return NewAlert(
        open_key=condition.key,
        kind=kind.name,
        subject=condition.subject,
        site=condition.site,
        group_name=condition.group,
        severity=kind.severity,
        detail=condition.detail,
        evidence=condition.evidence,
    )
