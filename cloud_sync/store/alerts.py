"""Queries on alerts and silences. At most one alert of a kind and subject is open: `open_key` is unique."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.audit import AuditRow
from cloud_sync.store.schema import alerts, audit, silences


@dataclass(frozen=True)
class AlertRow:
    """One alert, open or over."""

    id: int
    kind: str
    subject: str
    site: str
    group_name: str
    severity: str
    detail: str
    evidence: str
    open_key: str | None
    opened_at: datetime
    last_true_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    told_at: datetime | None


@dataclass(frozen=True)
class NewAlert:
    """What an alert says, at first and when it is seen again."""

    open_key: str
    kind: str
    subject: str
    site: str
    group_name: str
    severity: str
    detail: str
    evidence: str


@dataclass(frozen=True)
class SilenceRow:
    """Alerts that are not told for a while."""

    id: int
    scope: str
    kind: str
    until: datetime
    reason: str
    created_at: datetime
    created_by: str
    ended_at: datetime | None


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts; "" is any."""

    open_only: bool = True
    kind: str = ""
    severity: str = ""
    subject: str = ""


_COLUMNS = [alerts.c[field.name] for field in fields(AlertRow)]
_SILENCE_COLUMNS = [silences.c[field.name] for field in fields(SilenceRow)]


def open_alerts(connection: sa.Connection) -> dict[str, AlertRow]:
    """Every open alert, by key."""
    rows = connection.execute(sa.select(*_COLUMNS).where(alerts.c.open_key.is_not(None)))
    return {row.open_key: AlertRow(**row._mapping) for row in rows}


def newest_evidence(connection: sa.Connection, keys: Collection[tuple[str, str]]) -> dict[str, str]:
    """The evidence of the newest alert of each (kind, subject), by key."""
    if not keys:
        return {}
    wanted = alerts.c.subject.in_({subject for _, subject in keys})
    newest = sa.select(sa.func.max(alerts.c.id)).where(wanted).group_by(alerts.c.kind, alerts.c.subject)
    columns = sa.select(alerts.c.kind, alerts.c.subject, alerts.c.evidence)
    rows = connection.execute(columns.where(alerts.c.id.in_(newest)))
    return {f"{row.kind} {row.subject}": row.evidence for row in rows if (row.kind, row.subject) in keys}


def add_alerts(connection: sa.Connection, rows: Sequence[NewAlert], now: datetime) -> None:
    """Open alerts."""
    blank = {"acknowledged_by": "", "note": "", "opened_at": now, "last_true_at": now}
    if rows:
        connection.execute(alerts.insert(), [vars(row) | blank for row in rows])


def see_alerts(connection: sa.Connection, seen: Sequence[tuple[int, NewAlert]], now: datetime) -> None:
    """Open alerts that are true now: what they say, and when they were last true."""
    change = alerts.update().where(alerts.c.id == sa.bindparam("which"))
    change = change.values(
        detail=sa.bindparam("new_detail"),
        evidence=sa.bindparam("new_evidence"),
        last_true_at=sa.bindparam("now", type_=alerts.c.last_true_at.type),
    )
    values = [
        {"which": alert_id, "new_detail": row.detail, "new_evidence": row.evidence, "now": now}
        for alert_id, row in seen
    ]
    if values:
        connection.execute(change, values)


def resolve_alerts(connection: sa.Connection, ids: Collection[int], now: datetime) -> None:
    """What these said is not so any more."""
    if ids:
        change = alerts.update().where(alerts.c.id.in_(ids))
        connection.execute(change.values(open_key=None, resolved_at=now))


def tell_alerts(connection: sa.Connection, ids: Collection[int], now: datetime) -> None:
    """Whoever is to be told of these, was."""
    if ids:
        connection.execute(alerts.update().where(alerts.c.id.in_(ids)).values(told_at=now))


def get_alert(connection: sa.Connection, alert_id: int) -> AlertRow | None:
    """One alert, or None."""
    row = connection.execute(sa.select(*_COLUMNS).where(alerts.c.id == alert_id)).one_or_none()
    return None if row is None else AlertRow(**row._mapping)


def acknowledge_alert(
    connection: sa.Connection, alert_id: int, actor: str, note: str, now: datetime, close: bool
) -> bool:
    """Somebody looks after an open alert; `close`: which ends it. Whether it was open and nobody's."""
    mine = (alerts.c.id == alert_id, alerts.c.open_key.is_not(None), alerts.c.acknowledged_at.is_(None))
    values: dict[str, Any] = {"acknowledged_at": now, "acknowledged_by": actor, "note": note}
    if close:
        values |= {"open_key": None, "resolved_at": now}
    return connection.execute(alerts.update().where(*mine).values(**values)).rowcount == 1


def list_alerts(
    connection: sa.Connection, wanted: AlertFilter, before_id: int | None, rows_max: int
) -> tuple[AlertRow, ...]:
    """The newest alerts, or those older than `before_id`."""
    query = sa.select(*_COLUMNS).order_by(alerts.c.id.desc()).limit(rows_max)
    if wanted.open_only:
        query = query.where(alerts.c.open_key.is_not(None))
    for column, value in (("kind", wanted.kind), ("severity", wanted.severity), ("subject", wanted.subject)):
        if value:
            query = query.where(alerts.c[column] == value)
    if before_id is not None:
        query = query.where(alerts.c.id < before_id)
    return tuple(AlertRow(**row._mapping) for row in connection.execute(query))


def count_open(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """How many alerts are open and nobody's, by kind and severity."""
    query = sa.select(alerts.c.kind, alerts.c.severity, sa.func.count()).where(
        alerts.c.open_key.is_not(None), alerts.c.acknowledged_at.is_(None)
    )
    rows = connection.execute(query.group_by(alerts.c.kind, alerts.c.severity))
    return {(kind, severity): number for kind, severity, number in rows}


def add_silence(connection: sa.Connection, row: SilenceRow) -> int:
    """A new silence; its number. That of `row` is not used."""
    values = {name: value for name, value in vars(row).items() if name != "id"}
    number: int = connection.execute(silences.insert().values(**values).returning(silences.c.id)).scalar_one()
    return number


def end_silence(connection: sa.Connection, silence_id: int, now: datetime) -> bool:
    """End a silence before its time; whether it lasted still."""
    mine = (silences.c.id == silence_id, silences.c.ended_at.is_(None), silences.c.until > now)
    return connection.execute(silences.update().where(*mine).values(ended_at=now)).rowcount == 1


def current_silences(connection: sa.Connection, now: datetime) -> tuple[SilenceRow, ...]:
    """Those that last, the newest first."""
    lasting = (silences.c.ended_at.is_(None), silences.c.until > now)
    query = sa.select(*_SILENCE_COLUMNS).where(*lasting).order_by(silences.c.id.desc())
    return tuple(SilenceRow(**row._mapping) for row in connection.execute(query))


def events_since(
    connection: sa.Connection, actions: Iterable[str], since: datetime
) -> tuple[tuple[int, AuditRow], ...]:
    """The newest row of audit of each of these actions and each subject, with its number."""
    newest = sa.select(sa.func.max(audit.c.id)).where(audit.c.action.in_(list(actions)), audit.c.at > since)
    newest = newest.group_by(audit.c.action, audit.c.subject)
    names = [field.name for field in fields(AuditRow)]
    columns = sa.select(audit.c.id, *(audit.c[name] for name in names))
    rows = connection.execute(columns.where(audit.c.id.in_(newest)).order_by(audit.c.id))
    return tuple((row.id, AuditRow(**{name: row._mapping[name] for name in names})) for row in rows)
