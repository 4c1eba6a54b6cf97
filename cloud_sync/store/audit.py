"""Queries on the audit trail: who changed or was refused what, when. Rows are only added; of refusals, counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.schema import audit

# A node that is refused comes again each minute, for months: one row of it an hour says as much.
REFUSAL_WINDOW = timedelta(hours=1)
_COLUMNS = sa.select(
    audit.c.at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail, audit.c.count
)


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


def newest_audit(connection: sa.Connection, rows_max: int) -> tuple[AuditRow, ...]:
    """The newest rows of all."""
    return _rows(connection, _COLUMNS, rows_max)


def _rows(connection: sa.Connection, query: sa.Select[Any], rows_max: int) -> tuple[AuditRow, ...]:
    newest_first = query.order_by(audit.c.id.desc()).limit(rows_max)
    return tuple(AuditRow(**row._mapping) for row in connection.execute(newest_first))
