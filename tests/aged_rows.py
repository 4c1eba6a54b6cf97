"""Rows that go by their age, in every table that has such, with marks that can be looked for in the files' bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database

from core.clock_trust import DAY_MS, Moment
from edge.config import RetentionSection, SitePaths
from edge.privacy import retention
from edge.privacy.retention import Rule
from edge.store.schema import KEY_TABLES
from edge.store.store import Store
from tests.raw_pages import pages

# Noon of a day that is long past, so that rows of years before are after 1970.
START_MS = 20_000 * DAY_MS + DAY_MS // 2
# How a row of each table carries a mark; the date is :at, in the unit of the table's rule.
ROWS = {
    "consents": (
        "INSERT INTO consents(digest, purpose, notice_version, given, at_ms) VALUES (x'00', 'notice', :mark, 1, :at)"
    ),
    "lan_uses": (
        "INSERT INTO lan_uses(at_ms, service, host, bytes, session, outcome) VALUES (:at, '', :mark, 1, :session, '')"
    ),
    "text_uses": "INSERT INTO text_uses(at_ms, purpose, session, label, bytes) VALUES (:at, :mark, :session, '', 1)",
    "unanswered": "INSERT INTO unanswered(created_ms, text, vector, state) VALUES (:at, :mark, x'', 'open')",
    "notices": "INSERT INTO notices VALUES (:mark, 'words', :at)",
    "operator_sessions": (
        "INSERT INTO operator_sessions(token_hash, operator, expires_ms, seen_ms) "
        "VALUES (CAST(:mark AS BLOB), '', :at, 0)"
    ),
    "continuations": "INSERT INTO continuations VALUES (CAST(:mark AS BLOB), 0, :at)",
    "api_keys": (
        "INSERT INTO api_keys(name, key_hash, scopes, requests_per_minute, tokens_per_minute, concurrent_max, "
        "created_ms, revoked_ms) VALUES (:mark, CAST(:mark AS BLOB), '', 1, 1, 1, 0, :at)"
    ),
    "audit": "INSERT INTO audit(at_ms, actor, action, object, outcome) VALUES (:at, 'a', 'b', :mark, 'done')",
    "intent_counts": "INSERT INTO intent_counts VALUES (:at, :mark, 1)",
    "daily_counts": "INSERT INTO daily_counts VALUES (:at, :mark, '', 1)",
    "erasures": "INSERT INTO erasures(digest, erased_ms, receipt) VALUES (CAST(:mark AS BLOB), :at, '{}')",
    "backups": "INSERT INTO backups(id, made_ms, file, keys_file, bytes) VALUES (:mark, :at, '', '', 1)",
}
MARK = re.compile(rb"mark-[a-z_]+-\d+-")
# Some rows at the moment of a look, some a moment after it, some during the day, some a moment before the next look.
OFFSETS_MS = (0, 1, DAY_MS // 3, DAY_MS - 1)


class Clocks:
    """Both clocks of a machine, as a test moves them."""

    def __init__(self) -> None:
        self.wall_ms = START_MS
        self.boot_ms = 1000
        self.boot = "boot"

    def __call__(self) -> Moment:
        return Moment(self.wall_ms, self.boot_ms, self.boot)

    def run(self, ms: int) -> None:
        """Time passes."""
        self.wall_ms += ms
        self.boot_ms += ms


@dataclass(frozen=True)
class AgedRow:
    """One row: its mark, how it is dated, and when it is due."""

    table: str
    mark: str
    dated: int
    due_ms: int


def rules(settings: RetentionSection | None = None) -> dict[str, Rule]:
    """Of the tables whose rows go by their age."""
    found = retention.rules(settings or RetentionSection())
    return {table: rule for table, rule in found.items() if rule.purged}


def row_due(table: str, at_ms: int, number: int) -> AgedRow:
    """A row that is due at `at_ms`; of a day the last one that is over by then."""
    rule = rules()[table]
    dated = rule.due_until(at_ms)
    due_ms = rule.due_ms(dated)
    assert due_ms is not None
    return AgedRow(table, f"mark-{table}-{number}-", dated, due_ms)


def year(days: int, each_day: int = 1) -> list[AgedRow]:
    """Rows of every table that are due on each of the next `days`."""
    return [
        row_due(
            table, START_MS + day * DAY_MS + OFFSETS_MS[(day + one) % len(OFFSETS_MS)], day * each_day + one
        )
        for table in ROWS
        for day in range(days)
        for one in range(each_day)
    ]


async def put(store: Store, rows: Iterable[AgedRow]) -> None:
    """Keep them."""
    by_file: dict[bool, list[AgedRow]] = {}
    for row in rows:
        by_file.setdefault(row.table in KEY_TABLES, []).append(row)
    for in_keys, some in by_file.items():

        def insert(db: Database, some: list[AgedRow] = some) -> None:
            for row in some:
                db.execute(ROWS[row.table], {"at": row.dated, "mark": row.mark, "session": ""})

        await (store.write_keys if in_keys else store.write)(insert)


def found_in_files(store: Store, paths: SitePaths) -> set[str]:
    """Marks in any page of either file, in use or free, and in the logs."""
    found: set[str] = set()
    for path, key in ((paths.store, store.keys.store), (paths.subject_keys, store.keys.subjects)):
        content = b"".join(pages(path, key))
        found |= {mark.decode() for mark in MARK.findall(content)}
    return found
