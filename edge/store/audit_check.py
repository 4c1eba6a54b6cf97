"""Is the audit complete and unaltered? Its rows are numbered without a gap, and retention counts what it takes away.

What this shows: rows that somebody deleted who has the store's key, at the end, in the middle or at the beginning,
unless they altered the counts too; against that a checkpoint helps, which somebody keeps elsewhere. Who has no key can
alter no page unseen: each carries a MAC of its own (SQLCipher).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database

from edge.store.audit import REFUSALS_TOGETHER_MS, AuditRow

GAPS_MAX: Final = 100
"""That are told one by one; a person reads the first few."""

_PURGED: Final = "audit-purged"
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True)
class Completeness:
    """What is there of all rows that were ever written."""

    rows: int
    first: int
    last: int
    """Numbers of the oldest and the newest row; 0 without any."""
    written: int
    """The highest number that was ever given."""
    purged: int
    """Taken away by retention, as it says."""
    gaps: tuple[tuple[int, int], ...]
    """First and last number of rows that are missing and too young for retention, GAPS_MAX at most."""

    @property
    def missing(self) -> int:
        """Rows that nothing explains; below 0 when fewer were written than there are."""
        return self.written - self.purged - self.rows


def note_purged(db: Database, rows: int) -> None:
    """Retention has deleted so many; in the transaction of the deletion."""
    total = (_purged(db) + rows).to_bytes(_NUMBER_BYTES, "big")
    db.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", [_PURGED, total])


@dataclass(frozen=True)
class Totals:
    """What is counted beside the rows."""

    written: int
    """The highest number that was ever given."""
    purged: int
    """Taken away by retention, as it says."""
    newest: int
    """Number of the newest row: no higher than `written`, unless that was altered."""


def totals(db: Database) -> Totals:
    """As they are now."""
    given = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    (newest,) = db.execute("SELECT max(id) FROM audit").fetchone()
    return Totals(int(given[0]) if given else 0, _purged(db), newest or 0)


def numbers(db: Database, after: int, up_to: int, rows_max: int) -> list[tuple[int, int]]:
    """Number and moment of rows, in order."""
    return db.execute(
        "SELECT id, at_ms FROM audit WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", [after, up_to, rows_max]
    ).fetchall()


class Numbering:
    """Looks at every row's number in order, a part at a time. `kept_since_ms`: retention leaves younger rows alone."""

    def __init__(self, kept_since_ms: int) -> None:
        self._kept_since_ms = kept_since_ms
        self._rows = self._first = 0
        self._before: tuple[int, int] | None = None
        self._gaps: list[tuple[int, int]] = []

    @property
    def last(self) -> int:
        """Number of the newest row that was looked at."""
        return self._before[0] if self._before else 0

    def add(self, rows: Iterable[tuple[int, int]]) -> None:
        """More rows: number and moment."""
        for row in rows:
            if self._before is None:
                self._first = row[0]
            elif row[0] > self._before[0] + 1 and self._before[1] >= self._kept_since_ms:
                self._gap(self._before[0] + 1, row[0] - 1)
            self._rows, self._before = self._rows + 1, row

    def found(self, totals: Totals) -> Completeness:
        """What it comes to."""
        if totals.written > self.last:
            self._gap(self.last + 1, totals.written)
        return Completeness(
            self._rows, self._first, self.last, totals.written, totals.purged, tuple(self._gaps)
        )

    def _gap(self, first: int, last: int) -> None:
        if len(self._gaps) < GAPS_MAX:
            self._gaps.append((first, last))


def settled(db: Database, now_ms: int) -> int:
    """Number of the newest row that will not change any more: one of a refusal counts on for a minute."""
    found = db.execute("SELECT max(id) FROM audit WHERE at_ms <= ?", [now_ms - REFUSALS_TOGETHER_MS])
    return int(found.fetchone()[0] or 0)


class Digest:
    """SHA-256 of rows in their order, each as a line of JSON."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, rows: Iterable[AuditRow]) -> None:
        """More rows."""
        for row in rows:
            fields = [row.id, row.at_ms, row.actor, row.action, row.object, row.outcome, row.count]
            self._hash.update(json.dumps(fields, separators=(",", ":")).encode() + b"\n")

    def hex(self) -> str:
        """Of what was added."""
        return self._hash.hexdigest()


def _purged(db: Database) -> int:
    found = db.execute("SELECT value FROM meta WHERE name = ?", [_PURGED]).fetchone()
    return int.from_bytes(found[0], "big") if found else 0
