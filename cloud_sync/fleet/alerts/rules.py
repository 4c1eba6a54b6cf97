"""What is worth an alert, when one begins and when it ends. Pure: no I/O, no clock.

Two sorts. A *state* is true or not (a node is offline): its alert ends when it has been untrue for CLEAR_AFTER. An
*event* has happened (personal text came): its alert ends when somebody acknowledges it, and another event of that
sort is a new alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_sync.store.alerts import AlertRow, SilenceRow
from cloud_sync.store.audit import AuditRow
from cloud_sync.store.gaps import GapRow
from cloud_sync.store.nodes import ACTIVE, NodeRow
from core.webshell.formats import span, utc

CRITICAL = "critical"
WARNING = "warning"

# A state that comes and goes is one alert, not one a minute.
CLEAR_AFTER = timedelta(minutes=5)
# How exactly an open alert knows when it was last true; a fleet that is offline is not written anew at each look.
SEEN_INTERVAL = timedelta(minutes=1)
# An event is noticed by whoever drives alerts within this time; a fleet without a control plane for longer than a
# week has other worries.
EVENTS_LOOKED_BACK = timedelta(days=7)
# Of a detail; codes and names, so this is never reached by what is well.
DETAIL_CHARACTERS_MAX = 400


@dataclass(frozen=True)
class Kind:
    """A sort of alert."""

    name: str
    title: str
    severity: str
    event: bool = False
    hold: timedelta = timedelta()
    """How long a state lasts before it is worth an alert."""


OFFLINE = Kind("offline", "Node is offline", CRITICAL)
OUTBOX = Kind("outbox", "Outbox is not drained", WARNING)
FALLBACK = Kind("fallback", "Node runs weaker than asked", WARNING, hold=timedelta(minutes=5))
CERTIFICATE = Kind("certificate", "Certificate ends soon", CRITICAL)
DISK = Kind("disk", "Disk is nearly full", CRITICAL)
DISCREPANCY = Kind("discrepancy", "Node does not run what is wanted", WARNING, hold=timedelta(minutes=10))
ROLLOUT = Kind("rollout", "Rollout stopped itself", CRITICAL, event=True)
PERSONAL = Kind("personal", "Personal text was received", CRITICAL, event=True)
GAP = Kind("gap", "Rows of a node are lost", CRITICAL, event=True)
LEDGER_REFUSED = Kind("ledger_refused", "A ledger does not continue what was signed", CRITICAL, event=True)
LEDGER_ANEW = Kind("ledger_anew", "A node began another ledger", CRITICAL, event=True)
LEDGER_MOVED = Kind("ledger_moved", "Another node goes on with a ledger", WARNING, event=True)
# The hold is for a node that comes back after days: it has submitted long before.
LEDGER_UNWITNESSED = Kind(
    "ledger_unwitnessed", "A ledger is not shown to the witness", WARNING, hold=timedelta(hours=1)
)
UNEXPLAINED = Kind("unexplained", "Bytes left that the ledger does not explain", CRITICAL)
UNEXPLAINED_FALLBACK = "ledger:unexplained"
"""As a node says it for a day: its kernel counted them."""
UNWITNESSED_AFTER = timedelta(hours=24)

KINDS = {
    kind.name: kind
    for kind in (
        OFFLINE,
        OUTBOX,
        FALLBACK,
        CERTIFICATE,
        DISK,
        DISCREPANCY,
        ROLLOUT,
        PERSONAL,
        GAP,
        LEDGER_REFUSED,
        LEDGER_ANEW,
        LEDGER_MOVED,
        LEDGER_UNWITNESSED,
        UNEXPLAINED,
    )
}
# What is written into the audit trail in the transaction in which it happens, and is an alert too.
EVENT_ACTIONS = {
    "rollout.stopped": ROLLOUT,
    "overflow.personal": PERSONAL,
    "ledger.refused": LEDGER_REFUSED,
    "ledger.anew": LEDGER_ANEW,
    "ledger.moved": LEDGER_MOVED,
}


@dataclass(frozen=True)
class Limits:
    """Where a state begins; the operator's decisions."""

    offline: timedelta
    outbox: timedelta
    certificate: timedelta
    disk_free_percent: int


@dataclass(frozen=True)
class Condition:
    """Something that is so now."""

    kind: Kind
    subject: str
    detail: str
    site: str = ""
    group: str = ""
    evidence: str = ""
    """Of an event: what tells it from another one."""

    @property
    def key(self) -> str:
        """At most one alert of a key is open."""
        return f"{self.kind.name} {self.subject}"


def node_conditions(
    node: NodeRow, limits: Limits, listening_since: datetime, witnessed_at: datetime | None, now: datetime
) -> tuple[Condition, ...]:
    """What is wrong with a node. Nobody is called silent for the time in which nobody listened. Pure.

    `witnessed_at`: when a ledger of it was signed last; None: never.
    """
    if node.status != ACTIVE or node.last_seen is None:
        return ()
    found: list[tuple[Kind, str]] = []
    silent = now - max(node.last_seen, listening_since)
    if silent >= limits.offline:
        found.append((OFFLINE, f"Last heard from at {utc(node.last_seen)}."))
    if node.certificate_expires - now <= limits.certificate:
        ends = "ends" if node.certificate_expires > now else "ended"
        found.append((CERTIFICATE, f"It {ends} at {utc(node.certificate_expires)}."))
    if silent < limits.offline:
        found += _said_by(node, limits)
        if now - (witnessed_at or node.enrolled_at) >= UNWITNESSED_AFTER:
            text = f"Last at {utc(witnessed_at)}." if witnessed_at else "It never was."
            found.append((LEDGER_UNWITNESSED, text))
    return tuple(
        Condition(kind, node.id, text[:DETAIL_CHARACTERS_MAX], node.site, node.group_name)
        for kind, text in found
    )


def _said_by(node: NodeRow, limits: Limits) -> list[tuple[Kind, str]]:
    """What a node that is heard says about itself."""
    found: list[tuple[Kind, str]] = []
    oldest = timedelta(seconds=node.outbox_oldest_s or 0)
    if node.outbox_rows and oldest >= limits.outbox:
        found.append((OUTBOX, f"{node.outbox_rows} rows wait, the oldest for {span(oldest)}."))
    if node.fallbacks:
        found.append((FALLBACK, ", ".join(node.fallbacks)))
    if UNEXPLAINED_FALLBACK in node.fallbacks:
        found.append((UNEXPLAINED, "Its kernel counted bytes of the courier's user that are in no entry."))
    free = node.disk_free_percent
    if free is not None and free <= limits.disk_free_percent:
        found.append((DISK, f"{free} to {free + 9} % of its disk are free."))
    if node.rejected_field or node.rejected_reason:
        reason = f"Generation {node.observed_generation}, {node.rejected_field}: {node.rejected_reason}."
        found.append((DISCREPANCY, reason))
    elif node.observed_generation != node.applied_generation:
        text = f"It saw generation {node.observed_generation} and runs {node.applied_generation}."
        found.append((DISCREPANCY, text))
    return found


def event_condition(row: AuditRow, row_id: int, nodes: Mapping[str, NodeRow]) -> Condition:
    """The alert of a row of EVENT_ACTIONS. A row that is counted up is another event. Pure."""
    node = nodes.get(row.subject)
    detail = f"{row.detail} ({row.count} times)" if row.count > 1 else row.detail
    return Condition(
        EVENT_ACTIONS[row.action],
        row.subject,
        detail[:DETAIL_CHARACTERS_MAX],
        node.site if node else "",
        node.group_name if node else "",
        f"{row_id} {row.count}",
    )


def gap_condition(gap: GapRow, number: int, nodes: Mapping[str, NodeRow]) -> Condition:
    """The alert of the newest gap of a node. Pure."""
    node = nodes.get(gap.node_id)
    detail = f"Rows {gap.first_seq} to {gap.last_seq}: {gap.reason}."
    site, group = (node.site, node.group_name) if node else ("", "")
    return Condition(GAP, gap.node_id, detail[:DETAIL_CHARACTERS_MAX], site, group, str(number))


class Held:
    """Since when states have lasted. In memory: a driver that takes over begins to count anew."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def lasting(self, conditions: Iterable[Condition], now: datetime) -> tuple[Condition, ...]:
        """Those that have lasted as long as their kind asks."""
        found = list(conditions)
        self._since = {one.key: self._since.get(one.key, now) for one in found}
        return tuple(one for one in found if now - self._since[one.key] >= one.kind.hold)


@dataclass(frozen=True)
class Changes:
    """What one look at the fleet changes."""

    opened: tuple[Condition, ...]
    seen: tuple[tuple[int, Condition], ...]
    """Open alerts that are true now, where that is news."""
    resolved: tuple[int, ...]


def changes(
    open_alerts: Mapping[str, AlertRow],
    evidence: Mapping[str, str],
    lasting: Iterable[Condition],
    now_true: Iterable[str],
    now: datetime,
) -> Changes:
    """What to write, from the open alerts by key, the evidence of each key's newest alert (open or not), the states
    that have lasted and the events there are, and the keys of all that is true, lasting or not. Pure.
    """
    opened, seen = [], []
    for condition in lasting:
        known = open_alerts.get(condition.key)
        if condition.kind.event and evidence.get(condition.key) == condition.evidence:
            continue
        if known is None:
            opened.append(condition)
        elif known.detail != condition.detail or now - known.last_true_at >= SEEN_INTERVAL:
            seen.append((known.id, condition))
    true = frozenset(now_true)
    resolved = [
        alert.id
        for key, alert in open_alerts.items()
        if key not in true and not _is_event(alert) and now - alert.last_true_at >= CLEAR_AFTER
    ]
    return Changes(tuple(opened), tuple(seen), tuple(resolved))


def _is_event(alert: AlertRow) -> bool:
    # A kind of a newer release, which this one cannot judge, stays open too.
    return alert.kind not in KINDS or KINDS[alert.kind].event


def silenced(alert: AlertRow, silences: Iterable[SilenceRow], now: datetime) -> bool:
    """Whether somebody said that this alert is not to be told now. Pure."""
    scopes = {"all", f"node:{alert.subject}", f"group:{alert.group_name}", f"site:{alert.site}"}
    return any(
        silence.ended_at is None
        and silence.until > now
        and silence.scope in scopes
        and silence.kind in ("", alert.kind)
        for silence in silences
    )
