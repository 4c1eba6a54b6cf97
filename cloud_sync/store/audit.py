"""Queries on the audit trail: who changed or was refused what, when. Rows are only added; of refusals, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.schema import audit
from cloud_sync.store.text_search import holds

# A node that is refused comes again each minute, for months: one row of it an hour says as much.
REFUSAL_WINDOW = timedelta(hours=1)
_COLUMNS = sa.select(
    audit.c.at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail, audit.c.count
)

_NAMES = tuple(column.name for column in _COLUMNS.selected_columns)


@dataclass(frozen=True)
class AuditRow:
    """One change, or what was refused `count` times."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""
    count: int = 1


def add_audit(connection: sa.Connection, row: AuditRow) -> None:
    """Write a change down, in the transaction that makes it."""
    connection.execute(
        audit.insert().values(
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
            count=row.count,
        )
    )


def add_refusal(connection: sa.Connection, row: AuditRow) -> None:
    """Write a refusal down; the same one again within REFUSAL_WINDOW is counted in the row of the first."""
    same = (
        audit.c.subject == row.subject,
        audit.c.actor == row.actor,
        audit.c.action == row.action,
        audit.c.detail == row.detail,
        audit.c.at > row.at - REFUSAL_WINDOW,
    )
    newest = sa.select(sa.func.max(audit.c.id)).where(*same).scalar_subquery()
    counted = audit.update().where(audit.c.id == newest).values(count=audit.c.count + row.count)
    if not connection.execute(counted).rowcount:
        add_audit(connection, row)


def audit_of(connection: sa.Connection, subject: str, rows_max: int) -> tuple[AuditRow, ...]:
    """The newest changes of a subject."""
    return _rows(connection, _COLUMNS.where(audit.c.subject == subject), rows_max)


def audit_by_action(connection: sa.Connection, action: str, rows_max: int) -> tuple[AuditRow, ...]:
    """The newest rows of one action."""
    return _rows(connection, _COLUMNS.where(audit.c.action == action), rows_max)


@dataclass(frozen=True)
class AuditFilter:
    """Which rows of audit; what is empty leaves none out."""

    actor: str = ""
    action: str = ""
    """The whole code, or its first part: "node" finds "node.revoked"."""
    subject: str = ""
    text: str = ""
    """Part of the subject or the detail."""
    since: datetime | None = None
    until: datetime | None = None
    """Up to, without that instant."""


@dataclass(frozen=True)
class AuditPage:
    """Rows, newest first, and the id to go on before; None when these were the last."""

    rows: tuple[AuditRow, ...]
    older: int | None


def search_audit(
    connection: sa.Connection, wanted: AuditFilter, rows_max: int, before: int | None = None
) -> AuditPage:
    """The newest rows that fit, of those with an id below `before`."""
    query = sa.select(audit.c.id, *_COLUMNS.selected_columns).where(*_fits(wanted))
    if before is not None:
        query = query.where(audit.c.id < before)
    # One more than asked for: whether there is a next page.
    found = connection.execute(query.order_by(audit.c.id.desc()).limit(rows_max + 1)).all()
    rows = tuple(AuditRow(**{name: row._mapping[name] for name in _NAMES}) for row in found[:rows_max])
    return AuditPage(rows, int(found[rows_max - 1].id) if len(found) > rows_max else None)


def audit_areas(connection: sa.Connection) -> tuple[str, ...]:
    """The first parts of all action codes so far."""
    actions = connection.execute(sa.select(audit.c.action).distinct()).scalars()
    return tuple(sorted({action.partition(".")[0] for action in actions}))


def _fits(wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    fits: list[sa.ColumnElement[bool]] = []
    if wanted.actor:
        fits.append(audit.c.actor == wanted.actor)
    if wanted.action:
        inside = audit.c.action.startswith(f"{wanted.action}.", autoescape=True)
        fits.append((audit.c.action == wanted.action) | inside)
    if wanted.subject:
        fits.append(audit.c.subject == wanted.subject)
    if wanted.text:
        fits.append(sa.or_(*(holds(column, wanted.text) for column in (audit.c.subject, audit.c.detail))))
    if wanted.since is not None:
        fits.append(audit.c.at >= wanted.since)
    if wanted.until is not None:
        fits.append(audit.c.at < wanted.until)
    return fits


def _rows(connection: sa.Connection, query: sa.Select[Any], rows_max: int) -> tuple[AuditRow, ...]:
    newest_first = query.order_by(audit.c.id.desc()).limit(rows_max)
    return tuple(AuditRow(**row._mapping) for row in connection.execute(newest_first))
