"""What webhooks are told, and when they are tried again. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud_sync.fleet.alerts.rules import KINDS
from cloud_sync.store.alerts import AlertRow

# The fleet may be offline as a whole: one message says so, and how many it does not name.
ALERTS_NAMED_MAX = 100
# Between attempts. About two days: over a weekend somebody repairs the other side, or nobody will.
PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 3_600, 10_800, 21_600, 43_200, 86_400))
# Up to this part of a pause is added by chance, so that what failed together is not tried together.
JITTER = 0.2


def news(organisation: str, raised: Sequence[AlertRow], resolved: Sequence[AlertRow], now: datetime) -> bytes:
    """The body that tells of alerts that began or ended."""
    named = {
        "raised": [_alert(alert) for alert in raised[:ALERTS_NAMED_MAX]],
        "resolved": [
            _alert(alert) for alert in resolved[: ALERTS_NAMED_MAX - len(raised[:ALERTS_NAMED_MAX])]
        ],
    }
    left_out = len(raised) + len(resolved) - len(named["raised"]) - len(named["resolved"])
    return _body("alerts.changed", now, {"organisation": organisation, "left_out": left_out} | named)


def trial(organisation: str, now: datetime) -> bytes:
    """The body of a message that only shows that messages arrive."""
    return _body("alerts.test", now, {"organisation": organisation})


def next_attempt(attempts: int, now: datetime, chance: float) -> datetime | None:
    """When to try again after `attempts` in vain; None: give up. `chance` from 0 to 1."""
    if attempts > len(PAUSES):
        return None
    return now + PAUSES[attempts - 1] * (1 + JITTER * chance)


def _alert(alert: AlertRow) -> dict[str, Any]:
    kind = KINDS.get(alert.kind)
    return {
        "id": alert.id,
        "kind": alert.kind,
        "title": kind.title if kind else alert.kind,
        "severity": alert.severity,
        "subject": alert.subject,
        "site": alert.site,
        "group": alert.group_name,
        "detail": alert.detail,
        "opened_at": _moment(alert.opened_at),
    }


def _body(type_: str, now: datetime, data: dict[str, Any]) -> bytes:
    body = {"type": type_, "timestamp": _moment(now), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
