"""Looks every hour whether rows of audit are missing that nothing explains, and says so loudly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from sqlite_utils import Database

from core.clock_trust import DAY_MS
from core.errors import PosternError
from edge import metrics
from edge.store import audit_check
from edge.store.audit_check import Completeness, Numbering
from edge.store.store import Store

log = logging.getLogger(__name__)

COMPONENT: Final = "audit_rows"
"""In `postern_fallback_active`, while rows are missing."""

EVERY_S: Final = 3600.0
"""Two million rows, six years of a busy site, take a few seconds of a reader that others use between."""

PART_ROWS: Final = 10_000
"""Of numbers that are looked at: some ten milliseconds."""


async def completeness(store: Store, kept_days: int) -> Completeness:
    """Of all rows, a part at a time: customers' reads go between. Once more where retention came between, too."""
    kept_since_ms = time.time_ns() // 1_000_000 - kept_days * DAY_MS
    while True:
        totals = await store.read(audit_check.totals)
        numbering = Numbering(kept_since_ms)
        while rows := await store.read(partial(_numbers, after=numbering.last, up_to=totals.newest)):
            numbering.add(rows)
        if totals.purged == (await store.read(audit_check.totals)).purged:
            return numbering.found(totals)


async def watch(
    store: Store, kept_days: int, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """For as long as the node runs."""
    while True:
        try:
            await look(store, kept_days)
        except PosternError as error:
            log.warning("the audit was not looked at", extra={"code": error.code})
        await pause(EVERY_S)


async def look(store: Store, kept_days: int) -> None:
    """Once."""
    found = await completeness(store, kept_days)
    if found.missing:
        metrics.fall_back(COMPONENT, "missing")
        log.error("rows of audit are missing", extra={"missing": found.missing, "first_gaps": found.gaps[:3]})
    else:
        metrics.recover(COMPONENT)


def _numbers(db: Database, after: int, up_to: int) -> list[tuple[int, int]]:
    return audit_check.numbers(db, after, up_to, PART_ROWS)
