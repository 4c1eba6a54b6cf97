"""The audit for the command line and the console: operations `audit.*`, plain JSON in and out.

An export goes page by page, so that six years of rows need no memory. Its first page writes down that it has begun,
every other names that row, and the last writes down that it is done: nothing leaves without a row.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

from pydantic import Field
from sqlite_utils import Database

from core.clock_trust import DAY_MS
from core.errors import PosternError
from edge.operations.arguments import BadArguments, OperationArguments, read_arguments
from edge.operations.audit_lines import Format, json_line, rfc5424
from edge.operations.audit_watch import completeness
from edge.store import audit, audit_check
from edge.store.audit import AuditFilter, AuditRow, Outcome
from edge.store.audit_check import Completeness, Digest, Numbering
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation, Progress

PAGE_ROWS: Final = 1000
"""Of an export: some 400 KB, a few milliseconds of the reader's time."""

LISTED_MAX: Final = 1000
COUNTED_MAX: Final = 10_000
"""Past this a listing says "more than": nobody waits for a count of six years."""

EXPORT_MS_MAX: Final = 60 * 60 * 1000
"""A row that an export has begun holds for its pages this long."""

Text = Annotated[str, Field(max_length=audit.OBJECT_CHARS_MAX)]


class NoSuchExport(PosternError):
    """A page of an export that was not begun, or too long ago."""

    code = "no_such_export"
    title = "There is no such export under way"
    remedy = "Begin it again: postern audit export."
    status = 404


class FilterArguments(OperationArguments):
    """Which rows; empty takes all. `since` and `until` are days or moments, ISO 8601; a day `until` is included.

    `who` is whose rows: `actor` is, of any operation, who runs it.
    """

    who: Text = ""
    action: Text = ""
    object: Text = ""
    outcome: Outcome | None = None
    since: str = ""
    until: str = ""

    def filter(self, before_id: int = 0) -> AuditFilter:
        """Raises BadArguments."""
        since_ms, until_ms = _moment("since", self.since, days=0), _moment("until", self.until, days=1)
        outcome = str(self.outcome or "")
        return AuditFilter(self.who, self.action, self.object, outcome, since_ms, until_ms, before_id)

    def said(self) -> str:
        """In a row of audit: the span, and by which fields. Not by what: somebody's name may have been looked for."""
        span = f"{self.since or 'first'} to {self.until or 'last'}"
        fields = ", ".join(name for name in ("who", "action", "object", "outcome") if getattr(self, name))
        return f"{span} by {fields}" if fields else span


class ListArguments(FilterArguments):
    """`postern audit list`: rows before a number, the newest first."""

    before: Annotated[int, Field(ge=0)] = 0
    rows: Annotated[int, Field(ge=1, le=LISTED_MAX)] = 100


class ExportArguments(FilterArguments):
    """`postern audit export`, a page of it. `actor` is who exports; `export` and `after` are of the page before."""

    actor: Annotated[str, Field(min_length=1, max_length=audit.ACTOR_CHARS_MAX)]
    format: Format = Format.RFC5424
    export: int | None = None
    after: Annotated[int, Field(ge=0)] = 0

    def said(self) -> str:
        return f"{self.format} {super().said()}"[: audit.OBJECT_CHARS_MAX]


class Checkpoint(OperationArguments):
    """What somebody remembers of the audit: the digest of rows, by number."""

    first: Annotated[int, Field(ge=0)]
    last: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class VerifyArguments(OperationArguments):
    """`postern audit verify`."""

    checkpoint: Checkpoint | None = None


class AuditOperations:
    """The operations, by name. `site` and `host` name where it happened; `kept_days`: retention's term."""

    def __init__(self, store: Store, site: str, host: str, kept_days: int) -> None:
        self._store = store
        self._site = site
        self._host = host
        self._kept_days = kept_days

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"audit.list": self.list, "audit.export": self.export, "audit.verify": self.verify}

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """Rows, newest first; how many fit in all; without a filter, how many are missing between them."""
        wanted = read_arguments(ListArguments, arguments)
        rows = await self._store.read(
            lambda db: audit.search(db, wanted.filter(wanted.before), wanted.rows + 1)
        )
        count = await self._store.read(lambda db: audit.count(db, wanted.filter(), COUNTED_MAX + 1))
        return {
            "rows": [asdict(row) for row in rows[: wanted.rows]],
            "older": rows[wanted.rows - 1].id if len(rows) > wanted.rows else None,
            "count": min(count, COUNTED_MAX),
            "more": count > COUNTED_MAX,
            "missing": await self._missing(wanted, rows),
        }

    async def export(self, arguments: Arguments, _: OnProgress) -> object:
        """A page of lines, oldest first. Raises NoSuchExport."""
        wanted = read_arguments(ExportArguments, arguments)
        fits, now_ms = wanted.filter(), _now_ms()
        if wanted.export is None:
            begun = await self._store.write(partial(_begin, wanted=wanted))
        elif await self._store.read(partial(_is_under_way, wanted=wanted, now_ms=now_ms)):
            begun = wanted.export
        else:
            raise NoSuchExport
        rows = await self._store.read(lambda db: audit.forward(db, fits, wanted.after, begun, PAGE_ROWS))
        done = len(rows) < PAGE_ROWS
        if done:
            await self._store.write(lambda db: audit.append(db, wanted.actor, "audit.export", wanted.said()))
        return {
            "export": begun,
            "after": rows[-1].id if rows else wanted.after,
            "lines": [self._line(row, wanted.format) for row in rows],
            "done": done,
            "missing": (await completeness(self._store, self._kept_days)).missing if done else None,
        }

    async def verify(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Is every row there that was ever written, and are they those of a checkpoint?"""
        checkpoint = read_arguments(VerifyArguments, arguments).checkpoint
        found = await completeness(self._store, self._kept_days)
        last = await self._store.read(partial(audit_check.settled, now_ms=_now_ms()))
        remembered = {"first": found.first, "last": last, "sha256": await self._digest(0, last, on_progress)}
        same = None
        if checkpoint is not None and checkpoint.first >= found.first:
            same = checkpoint.sha256 == await self._digest(checkpoint.first, checkpoint.last, on_progress)
        problem = _problem(found, same)
        return {
            "ok": not problem,
            "problem": problem,
            **asdict(found),
            "missing": found.missing,
            "checkpoint": remembered,
            "same_as_checkpoint": same,
        }

    async def _missing(self, wanted: ListArguments, rows: Sequence[AuditRow]) -> int | None:
        """Rows that no retention took, among these; None where a filter leaves out others anyway."""
        if wanted.filter() != AuditFilter():
            return None
        totals = await self._store.read(audit_check.totals)
        if wanted.before:
            totals = replace(totals, written=wanted.before - 1)
        numbering = Numbering(_now_ms() - self._kept_days * DAY_MS)
        numbering.add((row.id, row.at_ms) for row in reversed(rows))
        return sum(last - first + 1 for first, last in numbering.found(totals).gaps)

    async def _digest(self, first: int, last: int, on_progress: OnProgress) -> str:
        digest, after = Digest(), max(first - 1, 0)
        while rows := await self._store.read(partial(_page, after=after, last=last)):
            digest.add(rows)
            after = rows[-1].id
            on_progress(Progress(after, last, "Reading rows"))
        return digest.hex()

    def _line(self, row: AuditRow, format: Format) -> str:
        return json_line(row) if format is Format.JSON else rfc5424(row, self._host, self._site)


def _page(db: Database, after: int, last: int) -> list[AuditRow]:
    return audit.forward(db, AuditFilter(), after, last, PAGE_ROWS)


def _begin(db: Database, wanted: ExportArguments) -> int:
    return audit.append(db, wanted.actor, "audit.export", wanted.said(), Outcome.BEGUN)


def _is_under_way(db: Database, wanted: ExportArguments, now_ms: int) -> bool:
    """Whether the row that a page names has begun this very export, by the same person, not long ago."""
    rows = audit.forward(db, AuditFilter(), (wanted.export or 0) - 1, wanted.export or 0, 1)
    expected = (wanted.actor, "audit.export", wanted.said(), str(Outcome.BEGUN))
    return any(
        (row.actor, row.action, row.object, row.outcome) == expected and now_ms - row.at_ms < EXPORT_MS_MAX
        for row in rows
    )


def _problem(found: Completeness, same: bool | None) -> str:
    if found.missing > 0:
        where = ", ".join(f"{first} to {last}" for first, last in found.gaps)
        return f"{found.missing} rows are missing: {where or 'among the oldest'}."
    if found.missing < 0:
        return f"There are {-found.missing} rows more than were written: the counts were altered."
    return "" if same is not False else "The rows are not those of the checkpoint."


def _moment(name: str, text: str, days: int) -> int:
    """Milliseconds since the epoch, 0 for an empty text; a day is that of this machine's zone, `days` later."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadArguments(f"{name}: write a day (2026-03-01) or a moment (2026-03-01T14:00).") from None
    if len(text) == len("2026-03-01"):
        moment += timedelta(days=days)
    return round(moment.astimezone().timestamp() * 1000)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
