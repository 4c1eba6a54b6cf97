"""Takes away what nodes sent, and alerts that are over, when they are old enough. One replica does, for all.

Each transaction is short. While the clock is in doubt (`core.clock_trust`) nothing goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa

from cloud_sync.fleet.leases import Lease
from cloud_sync.store.ages import (
    clock_trust,
    epochs_of,
    forget_alerts,
    forget_audit,
    forget_counts,
    forget_gaps,
    forget_records,
    keep_clock_trust,
    node_ids,
)
from cloud_sync.store.database import Database, StoreBusy, StoreUnavailable
from core.clock_trust import Moment, Trust, after

log = logging.getLogger(__name__)

PURGE_INTERVAL_S: Final = 3600.0
"""A day's rows go in 24 portions rather than in one."""
ROWS_AT_A_TIME: Final = 500
"""In a transaction, so that no row of a node waits for long behind it."""
ALERTS_KEPT: Final = timedelta(days=400)
"""After they are over: what an auditor asks of the last year."""


@dataclass(frozen=True)
class RetentionTerms:
    """How long rows are kept; None: for good."""

    records: timedelta
    telemetry: timedelta
    gaps: timedelta
    audit: timedelta | None


class Retention:
    """Purges by age. Used by one task."""

    def __init__(self, database: Database, terms: RetentionTerms, clocks: Callable[[], Moment]) -> None:
        self._database = database
        self._terms = terms
        self._clocks = clocks

    async def keep_purging(self, lease: Lease) -> None:
        """Purge at intervals, while the lease is held. Raises LeaseLost.

        A database that is away is said, and tried again.
        """
        while True:
            try:
                if gone := await self.purge(lease.check):
                    log.info("old rows removed", extra=dict(gone))
            except (StoreUnavailable, StoreBusy) as error:
                log.warning("old rows not removed", extra={"code": error.code})
            await asyncio.sleep(PURGE_INTERVAL_S)

    async def purge(self, check: Callable[[sa.Connection], None]) -> Counter[str]:
        """Remove all that is old enough now; how many rows of each table. `check` is called in each transaction.

        Nothing goes while the clock is in doubt. Raises StoreUnavailable, StoreBusy, and what `check` raises.
        """
        now, gone = self._clocks(), Counter[str]()
        trust = await self._database.run(partial(_look, now=now, check=check))
        if trust.doubted_ms:
            _say_doubted(trust)
            return gone
        before = self._before(datetime.fromtimestamp(now.wall_ms / 1000, UTC))
        for node in await self._database.run(node_ids):
            for epoch in await self._database.run(partial(epochs_of, node_id=node)):
                old = partial(forget_records, node_id=node, epoch=epoch, before=before.records)
                gone["records"] += await self._all_of(old, check)
            old = partial(forget_counts, node_id=node, before=before.telemetry)
            gone["telemetry"] += await self._all_of(old, check)
            gone["gaps"] += await self._all_of(partial(forget_gaps, node_id=node, before=before.gaps), check)
        gone["alerts"] += await self._all_of(partial(forget_alerts, before=before.alerts), check)
        if before.audit is not None:
            gone["audit"] += await self._all_of(partial(forget_audit, before=before.audit), check)
        return +gone

    def _before(self, now: datetime) -> _Before:
        terms = self._terms
        # Counts go by whole days (UTC), as they are exported: a day is there or is not.
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        audit = None if terms.audit is None else now - terms.audit
        return _Before(
            now - terms.records, today - terms.telemetry, now - terms.gaps, now - ALERTS_KEPT, audit
        )

    async def _all_of(self, forget: Callable[..., int], check: Callable[[sa.Connection], None]) -> int:
        def some(connection: sa.Connection) -> int:
            check(connection)
            return forget(connection, rows_max=ROWS_AT_A_TIME)

        gone = 0
        while removed := await self._database.run(some):
            gone += removed
        return gone


@dataclass(frozen=True)
class _Before:
    """What is older than these goes."""

    records: datetime
    telemetry: datetime
    gaps: datetime
    alerts: datetime
    audit: datetime | None


def _look(connection: sa.Connection, now: Moment, check: Callable[[sa.Connection], None]) -> Trust:
    """What to think of the clock, kept for the next look."""
    check(connection)
    kept = clock_trust(connection)
    trust = after(None if kept is None else Trust.read(kept), now)
    keep_clock_trust(connection, trust.kept())
    return trust


def _say_doubted(trust: Trust) -> None:
    say, why = (
        (log.warning, "the clock leapt ahead") if trust.alarming else (log.info, "nothing ran for a while")
    )
    say(
        f"{why}: no old rows are removed for a day of running, so that the clock can be put right",
        extra={"ahead_s": trust.ahead_ms // 1000, "held_back_s": -(-trust.doubted_ms // 1000)},
    )
