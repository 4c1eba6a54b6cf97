"""Takes away what nodes sent when it is old enough. One replica does, for all; each transaction is short."""

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
    epochs_of,
    forget_audit,
    forget_counts,
    forget_gaps,
    forget_records,
    node_ids,
)
from cloud_sync.store.database import Database, StoreBusy, StoreUnavailable

log = logging.getLogger(__name__)

PURGE_INTERVAL_S: Final = 3600.0
"""A day's rows go in 24 portions rather than in one."""
ROWS_AT_A_TIME: Final = 500
"""In a transaction, so that no row of a node waits for long behind it."""


@dataclass(frozen=True)
class RetentionTerms:
    """How long rows are kept; None: for good."""

    records: timedelta
    telemetry: timedelta
    gaps: timedelta
    audit: timedelta | None


class Retention:
    """Purges by age. Used by one task."""

    def __init__(self, database: Database, terms: RetentionTerms, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._terms = terms
        self._clock = clock

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

        Raises StoreUnavailable, StoreBusy, and what `check` raises.
        """
        gone: Counter[str] = Counter()
        before = self._before()
        for node in await self._database.run(node_ids):
            for epoch in await self._database.run(partial(epochs_of, node_id=node)):
                old = partial(forget_records, node_id=node, epoch=epoch, before=before.records)
                gone["records"] += await self._all_of(old, check)
            old = partial(forget_counts, node_id=node, before=before.telemetry)
            gone["telemetry"] += await self._all_of(old, check)
            gone["gaps"] += await self._all_of(partial(forget_gaps, node_id=node, before=before.gaps), check)
        if before.audit is not None:
            gone["audit"] += await self._all_of(partial(forget_audit, before=before.audit), check)
        return +gone

    def _before(self) -> _Before:
        now, terms = self._clock(), self._terms
        # Counts go by whole days (UTC), as they are exported: a day is there or is not.
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        audit = None if terms.audit is None else now - terms.audit
        return _Before(now - terms.records, today - terms.telemetry, now - terms.gaps, audit)

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
    audit: datetime | None
