"""Alerts as admins see them and change them: list, acknowledge, silence. `watch` is who raises them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cloud_sync.fleet.alerts.rules import KINDS, silenced
from cloud_sync.store.alerts import (
    AlertFilter,
    AlertRow,
    SilenceRow,
    acknowledge_alert,
    add_silence,
    count_open,
    current_silences,
    end_silence,
    get_alert,
    list_alerts,
)
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from core.errors import ExitCode, PosternError

PAGE_ROWS_MAX = 200
NOTE_CHARACTERS_MAX = 400
SCOPE_CHARACTERS_MAX = 120
SCOPE_KINDS = ("node", "group", "site")
# A silence is for a repair. Longer than this, it is forgotten rather than meant.
SILENCE_MAX = timedelta(days=90)
# Each is looked through for each alert that is to be told.
SILENCES_MAX = 200


class UnknownAlert(PosternError):
    """No alert or silence has this number."""

    code = "unknown_alert"
    title = "There is no such alert or silence"
    remedy = "List them with `postern-cloud alert list` or `postern-cloud alert silences`."
    status = 404


class InvalidSilence(PosternError):
    """A silence or a note cannot be taken as it is."""

    code = "invalid_silence"
    title = "The silence or note cannot be used"
    remedy = "See `postern-cloud alert silence --help` for what can be said."
    status = 400
    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class AlertView:
    """One alert, ready to show."""

    id: int
    kind: str
    title: str
    severity: str
    subject: str
    """A node's or a rollout's identifier."""
    site: str
    group: str
    detail: str
    state: str
    """open | acknowledged | over"""
    silenced: bool
    opened_at: datetime
    last_true_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str


@dataclass(frozen=True)
class SilenceView:
    """One silence that lasts."""

    id: int
    scope: str
    kind: str
    until: datetime
    reason: str
    created_at: datetime
    created_by: str


class Alerts:
    """Reads alerts and takes what admins say of them; every change is a row of audit."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self,
        wanted: AlertFilter = AlertFilter(),
        before_id: int | None = None,
        rows_max: int = PAGE_ROWS_MAX,
    ) -> tuple[AlertView, ...]:
        """The newest alerts, or the next page: those older than `before_id`. At most PAGE_ROWS_MAX."""
        now, rows_max = self._clock(), min(rows_max, PAGE_ROWS_MAX)

        def read(connection: sa.Connection) -> tuple[AlertView, ...]:
            rows = list_alerts(connection, wanted, before_id, rows_max)
            return _views(rows, current_silences(connection, now), now)

        return await self._database.run(read)

    async def counts(self) -> dict[tuple[str, str], int]:
        """How many alerts nobody looks after, by (kind, severity)."""
        return await self._database.run(count_open)

    async def acknowledge(self, alert_id: int, actor: str, note: str = "") -> AlertView:
        """Look after an alert; an event's ends with it. Of one that is over or somebody's, nothing changes.

        Raises UnknownAlert, InvalidSilence.
        """
        note, now = _text(note, NOTE_CHARACTERS_MAX), self._clock()

        def write(connection: sa.Connection) -> AlertView:
            alert = get_alert(connection, alert_id)
            if alert is None:
                raise UnknownAlert(f"No alert has the number {alert_id}.")
            kind = KINDS.get(alert.kind)
            if acknowledge_alert(connection, alert_id, actor, note, now, kind is not None and kind.event):
                detail = f"{alert.kind} {alert_id}"
                add_audit(connection, AuditRow(now, actor, "alert.acknowledged", alert.subject, detail))
            changed = get_alert(connection, alert_id)
            return _views([changed or alert], current_silences(connection, now), now)[0]

        return await self._database.run(write)

    async def silence(
        self, scope: str, lasting: timedelta, actor: str, kind: str = "", reason: str = ""
    ) -> SilenceView:
        """Tell nobody of alerts of a scope (`all`, `node:ID`, `group:NAME`, `site:NAME`) and kind ("": any) for a
        while. They are raised and shown all the same. Raises InvalidSilence.
        """
        now = self._clock()
        _check_silence(scope, lasting, kind)
        row = SilenceRow(
            0, scope, kind, now + lasting, _text(reason, NOTE_CHARACTERS_MAX), now, actor, ended_at=None
        )

        def write(connection: sa.Connection) -> int:
            if len(current_silences(connection, now)) >= SILENCES_MAX:
                raise InvalidSilence(f"{SILENCES_MAX} silences last already; end some.")
            number = add_silence(connection, row)
            detail = f"{number}: {kind or 'every kind'} until {row.until:%Y-%m-%d %H:%M} UTC"
            add_audit(connection, AuditRow(now, actor, "alert.silenced", scope, detail))
            return number

        number = await self._database.run(write)
        return SilenceView(number, scope, kind, row.until, row.reason, now, actor)

    async def silences(self) -> tuple[SilenceView, ...]:
        """Those that last, the newest first."""
        now = self._clock()
        rows = await self._database.run(lambda connection: current_silences(connection, now))
        return tuple(
            SilenceView(row.id, row.scope, row.kind, row.until, row.reason, row.created_at, row.created_by)
            for row in rows
        )

    async def end_silence(self, silence_id: int, actor: str) -> None:
        """End a silence now. Raises UnknownAlert."""
        now = self._clock()

        def write(connection: sa.Connection) -> None:
            if not end_silence(connection, silence_id, now):
                raise UnknownAlert(f"No silence that lasts has the number {silence_id}.")
            add_audit(connection, AuditRow(now, actor, "alert.silence_ended", str(silence_id)))

        await self._database.run(write)


def _check_silence(scope: str, lasting: timedelta, kind: str) -> None:
    sort, colon, name = scope.partition(":")
    if scope != "all" and (sort not in SCOPE_KINDS or not colon or not name):
        raise InvalidSilence("The scope is all, node:ID, group:NAME or site:NAME.")
    if len(scope) > SCOPE_CHARACTERS_MAX or not scope.isprintable():
        raise InvalidSilence(f"The scope has at most {SCOPE_CHARACTERS_MAX} printable characters.")
    if not timedelta() < lasting <= SILENCE_MAX:
        raise InvalidSilence(f"A silence lasts at most {SILENCE_MAX.days} days.")
    if kind and kind not in KINDS:
        raise InvalidSilence(f"The kind is one of {', '.join(KINDS)}, or none for all.")


def _text(value: str, characters_max: int) -> str:
    value = " ".join(value.split())
    if len(value) > characters_max or not value.isprintable():
        raise InvalidSilence(f"A note has at most {characters_max} printable characters.")
    return value


def _views(
    rows: Iterable[AlertRow], silences: tuple[SilenceRow, ...], now: datetime
) -> tuple[AlertView, ...]:
    return tuple(_view(row, silenced(row, silences, now)) for row in rows)


def _view(row: AlertRow, is_silenced: bool) -> AlertView:
    kind = KINDS.get(row.kind)
    state = "over" if row.resolved_at else "acknowledged" if row.acknowledged_at else "open"
    return AlertView(
        id=row.id,
        kind=row.kind,
        title=kind.title if kind else row.kind,
        severity=row.severity,
        subject=row.subject,
        site=row.site,
        group=row.group_name,
        detail=row.detail,
        state=state,
        silenced=is_silenced,
        opened_at=row.opened_at,
        last_true_at=row.last_true_at,
        resolved_at=row.resolved_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        note=row.note,
    )
