"""Purges what has been kept long enough: every hour, a few rows a transaction, so that no turn waits for it.

The rules are in `edge.privacy.retention`; conversations and tickets, where seconds count, see to their own. Deleted
rows are overwritten in the file (`secure_delete`), the write-ahead logs are emptied every hour, and pages written anew,
so that nothing forgotten stays there (`Store.tidy`). While the wall clock is in doubt (`core.clock_trust`)
nothing goes by age.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from core import clock_trust
from core.clock_trust import DAY_MS, Moment, Trust
from core.machine_clocks import machine_clocks
from edge import metrics
from edge.config import RetentionSection
from edge.privacy import retention
from edge.privacy.holds import held_subjects
from edge.privacy.retention import Rule
from edge.repeating import repeat
from edge.store import audit_check
from edge.store.schema import KEY_TABLES
from edge.store.store import Store
from edge.store.subjects import TICKET

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
"""What is due today goes within the hour."""

STEP_ROWS: Final = 500
"""Of a transaction: some milliseconds, as much as a turn in the same group can wait."""

STEP_PAUSE_S: Final = 0.05
"""Between transactions: turns go first. Still 10,000 rows a second."""

COMPACT_EVERY_MS: Final = DAY_MS
"""Of running time: what it writes is as large as the store."""

COMPACTED_WITHIN_MS: Final = 30 * DAY_MS
"""A store that was not written anew for so long is too large for it, or somebody is always in a conversation."""

IDLE_MAX: Final = 1000
"""People without a conversation that one look forgets: ten seconds' work, one after the other."""

COMPONENT: Final = "clock"
LEAPT: Final = "leapt_ahead"
PAGES: Final = "pages"
NOT_ANEW: Final = "not_written_anew"
_TRUST: Final = "retention_clock"
_ANEW: Final = "retention_pages"

Clocks = Callable[[], Moment]


@dataclass(frozen=True)
class Purge:
    """What one look did. `rows`: by table; `doubted_s`: for how much longer the clock is doubted, 0 if it is not.

    `alarming`: whether somebody should look at the clock.
    """

    at_ms: int
    rows: Mapping[str, int]
    doubted_s: int = 0
    alarming: bool = False


class Retaining:
    """Keeps each table's term, for as long as the node runs.

    `notice`: the version in force, whose words stay; `idle`: whether nobody would notice that no write is served;
    `forget_idle`: forgets whoever has no conversation any more, unless one has begun meanwhile.
    """

    def __init__(
        self,
        store: Store,
        settings: RetentionSection,
        notice: str,
        idle: Callable[[], bool],
        forget_idle: Callable[[str], Awaitable[bool]],
        *,
        clocks: Clocks = machine_clocks,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._rules = {name: rule for name, rule in retention.rules(settings).items() if rule.purged}
        self._notice = notice
        self._clocks = clocks
        self._pause = pause
        self._idle = idle
        self._forget_idle = forget_idle
        # Not at once: whoever has just started the node waits for it.
        self._compact_from_ms = clocks().boot_ms + int(EVERY_S * 1000)
        self.last: Purge | None = None
        self.anew_ms: int | None = None
        """When the store was last written anew; before the first time, the first look. None: not known yet."""

    async def run(self) -> None:
        """Look every hour."""
        metrics.watch(COMPONENT, lambda: LEAPT if self.last and self.last.alarming else "")
        metrics.watch(PAGES, self._pages_behind)
        await repeat("retention", self.look, EVERY_S, self._pause)

    async def look(self) -> Purge:
        """Purge what is due by now."""
        self.last = await self._purge_due()
        await self._forget_idle_people()
        await self._tidy()
        return self.last

    async def _forget_idle_people(self) -> None:
        """Keys and names that belong to no conversation: of a stop in the wrong moment, a hold that was released."""
        known, here = await self._store.read(_people)
        with_key = await self._store.read_keys(_with_key)
        for subject in sorted((known | with_key) - here)[:IDLE_MAX]:
            await self._forget_idle(subject)

    async def _tidy(self) -> None:
        """Nothing of deleted rows stays in logs and keys; nor, once a day while nobody is here, in the site's pages."""
        now = self._clocks()
        all_pages = now.boot_ms >= self._compact_from_ms and self._idle()
        done = await self._store.tidy(all_pages=all_pages)
        if all_pages and done:
            self._compact_from_ms = now.boot_ms + COMPACT_EVERY_MS
            self.anew_ms = now.wall_ms  # kept at the next look, as a write would fill the log again

    def _pages_behind(self) -> str:
        behind = self.anew_ms is not None and self._clocks().wall_ms - self.anew_ms > COMPACTED_WITHIN_MS
        return NOT_ANEW if behind else ""

    async def _purge_due(self) -> Purge:
        now = self._clocks()
        trust, self.anew_ms = await self._store.write(
            lambda db: (_look(db, now), _keep_anew(db, self.anew_ms, now.wall_ms))
        )
        if trust.doubted_ms:
            doubted_s = -(-trust.doubted_ms // 1000)
            say, why = (
                (log.warning, "the clock leapt ahead")
                if trust.alarming
                else (log.info, "the machine was off")
            )
            say(
                f"{why}: nothing is purged by age for a day of running, so that the clock can be put right",
                extra={"ahead_s": trust.ahead_ms // 1000, "held_back_s": doubted_s},
            )
            return Purge(now.wall_ms, {}, doubted_s, trust.alarming)
        rows = {name: await self._purge(name, rule, now.wall_ms) for name, rule in self._rules.items()}
        gone = {name: count for name, count in rows.items() if count}
        if gone:
            log.info("purged by age", extra={"rows": gone})
        return Purge(now.wall_ms, gone)

    async def _purge(self, table: str, rule: Rule, now_ms: int) -> int:
        """Every due row of a table, in steps; how many."""
        write = self._store.write_keys if table in KEY_TABLES else self._store.write
        values = {"until": rule.due_until(now_ms), "rows": STEP_ROWS, "notice": self._notice}
        count = 0
        while True:
            # Before each step: one may have been placed since the last.
            values.update(self._named(await self._store.read_keys(held_subjects)))
            done = await write(lambda db: _purge_step(db, table, rule, values))
            count += done
            if done < STEP_ROWS:
                metrics.purged_rows.labels(table).inc(count)
                return count
            await self._pause(STEP_PAUSE_S)

    def _named(self, held: Collection[str]) -> dict[str, str]:
        """Those under a legal hold, in the forms in which rows name somebody."""
        of = self._store.digests
        return {
            "subjects": json.dumps(list(held)),
            "digests": json.dumps([of.of(subject).hex().upper() for subject in held]),
            "labels": json.dumps([of.label(subject) for subject in held]),
        }


def _purge_step(db: Database, table: str, rule: Rule, values: Mapping[str, Any]) -> int:
    """Delete the next due rows; how many."""
    count = int(db.execute(purge_statement(table, rule), dict(values)).rowcount)
    if table == "audit" and count:  # whoever verifies the audit tells these from rows that somebody took away
        audit_check.note_purged(db, count)
    return count


def purge_statement(table: str, rule: Rule) -> str:
    """The SQL that deletes the next `:rows` due rows; parameters as of `Rule`, and `:until` in the unit of its date."""
    old = f"{rule.dated_by} <= :until"
    if rule.rows_max is not None:
        old = f"({old} OR rowid <= (SELECT max(rowid) FROM {table}) - {rule.rows_max})"  # noqa: S608 - ours
    tests = [old, rule.only, rule.held and f"NOT ({rule.held})"]
    due = " AND ".join(filter(None, tests))
    return f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {due} LIMIT :rows)"  # noqa: S608 - ours


def _people(db: Database) -> tuple[frozenset[str], frozenset[str]]:
    """Everybody whose name is kept, and everybody with a conversation."""
    known, here = (
        frozenset(row[0] for row in db.execute(query))
        for query in ("SELECT id FROM subjects", "SELECT subject FROM sessions")
    )
    return known, here


def _with_key(keys: Database) -> frozenset[str]:
    """Everybody who has a key, but for tickets, which see to theirs (`edge.chat.handoff`)."""
    return frozenset(
        row[0] for row in keys.execute("SELECT subject FROM subject_keys") if not row[0].startswith(TICKET)
    )


def _look(db: Database, now: Moment) -> Trust:
    """What to think of the clocks, kept for the next look."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", [_TRUST]).fetchone()
    trust = clock_trust.after(Trust.read(json.loads(row[0])) if row else None, now)
    kept = json.dumps(trust.kept()).encode()
    db.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", [_TRUST, kept])
    return trust


def _keep_anew(db: Database, anew_ms: int | None, now_ms: int) -> int:
    """When the pages were last written anew: `anew_ms`, else what is kept, else now."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", [_ANEW]).fetchone()
    known_ms = anew_ms if anew_ms is not None else int(bytes(row[0])) if row else now_ms
    db.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", [_ANEW, str(known_ms).encode()])
    return known_ms
