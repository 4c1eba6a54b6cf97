"""Queries on the audit trail: who changed what, when. Rows are only added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import audit


@dataclass(frozen=True)
class AuditRow:
    """One change."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""


def add_audit(connection: sa.Connection, row: AuditRow) -> None:
    """Write a change down, in the transaction that makes it."""
    connection.execute(
        audit.insert().values(
            at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=row.detail
        )
    )


def audit_of(connection: sa.Connection, subject: str, rows_max: int) -> tuple[AuditRow, ...]:
    """The newest changes of a subject."""
    columns = sa.select(audit.c.at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail)
    query = columns.where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(rows_max)
    return tuple(AuditRow(**row._mapping) for row in connection.execute(query))
