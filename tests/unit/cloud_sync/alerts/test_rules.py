"""When an alert begins and ends, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud_sync.fleet.alerts.rules import (
    CERTIFICATE,
    CLEAR_AFTER,
    DISCREPANCY,
    DISK,
    FALLBACK,
    GAP,
    KINDS,
    LEDGER_UNWITNESSED,
    OFFLINE,
    OUTBOX,
    PERSONAL,
    ROLLOUT,
    SEEN_INTERVAL,
    UNEXPLAINED,
    Condition,
    Held,
    Limits,
    changes,
    event_condition,
    gap_condition,
    node_conditions,
    silenced,
)
from cloud_sync.store.alerts import AlertRow, SilenceRow
from cloud_sync.store.audit import AuditRow
from cloud_sync.store.gaps import GapRow
from cloud_sync.store.nodes import ACTIVE, REVOKED, NodeRow

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=3)
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
LIMITS = Limits(timedelta(minutes=10), timedelta(hours=1), timedelta(days=30), 10)
NODE = NodeRow(
    id="node-1",
    site="Harbour",
    name="Harbour 1",
    group_name="north",
    status=ACTIVE,
    certificate_fingerprint=b"f",
    certificate_expires=NOW + timedelta(days=300),
    enrolled_at=LONG_AGO,
    last_seen=NOW - SECOND,
    observed_generation=4,
    applied_generation=4,
)


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({}, []),
        ({"last_seen": NOW - 10 * MINUTE + SECOND}, []),
        ({"last_seen": NOW - 10 * MINUTE}, [OFFLINE]),
        ({"last_seen": None}, []),
        ({"last_seen": NOW - 10 * MINUTE, "status": REVOKED}, []),
        ({"outbox_rows": 7, "outbox_oldest_s": 3599}, []),
        ({"outbox_rows": 7, "outbox_oldest_s": 3600}, [OUTBOX]),
        ({"outbox_rows": 0, "outbox_oldest_s": 3600}, []),
        ({"fallbacks": ("egress:unprivileged",)}, [FALLBACK]),
        ({"fallbacks": ("ledger:unexplained",)}, [FALLBACK, UNEXPLAINED]),
        ({"certificate_expires": NOW + timedelta(days=30) + SECOND}, []),
        ({"certificate_expires": NOW + timedelta(days=30)}, [CERTIFICATE]),
        ({"certificate_expires": NOW - SECOND}, [CERTIFICATE]),
        ({"disk_free_percent": 20}, []),
        ({"disk_free_percent": 10}, [DISK]),
        ({"disk_free_percent": 0}, [DISK]),
        ({"rejected_field": "policy", "rejected_reason": "policy_looser"}, [DISCREPANCY]),
        ({"applied_generation": 3}, [DISCREPANCY]),
        # What a silent node said last is not what it is now; its certificate's end is.
        (
            {
                "last_seen": LONG_AGO,
                "fallbacks": ("a:b",),
                "disk_free_percent": 0,
                "certificate_expires": NOW + MINUTE,
            },
            [OFFLINE, CERTIFICATE],
        ),
    ],
)
def test_what_is_wrong_with_a_node(changed: dict[str, Any], kinds: list[Any]) -> None:
    found = node_conditions(replace(NODE, **changed), LIMITS, LONG_AGO, NOW, NOW)
    assert [condition.kind for condition in found] == kinds
    assert all((one.subject, one.site, one.group) == ("node-1", "Harbour", "north") for one in found)


def test_nobody_is_called_silent_for_the_time_in_which_nobody_listened() -> None:
    silent = replace(NODE, last_seen=LONG_AGO)
    assert node_conditions(silent, LIMITS, NOW - 9 * MINUTE, NOW, NOW) == ()
    assert [one.kind for one in node_conditions(silent, LIMITS, NOW - 10 * MINUTE, NOW, NOW)] == [OFFLINE]


@pytest.mark.parametrize(
    ("changed", "witnessed_at", "said"),
    [
        ({}, NOW - DAY + SECOND, None),
        ({}, NOW - DAY, "Last at 2026-02-28 12:00 UTC."),
        ({"enrolled_at": NOW - DAY + SECOND}, None, None),
        ({"enrolled_at": NOW - DAY}, None, "It never was."),
        ({"last_seen": LONG_AGO}, None, None),  # it could not
    ],
)
def test_a_node_that_is_connected_shows_its_ledger(
    changed: dict[str, Any], witnessed_at: datetime | None, said: str | None
) -> None:
    found = node_conditions(replace(NODE, **changed), LIMITS, LONG_AGO, witnessed_at, NOW)
    assert [one.detail for one in found if one.kind is LEDGER_UNWITNESSED] == ([said] if said else [])


def test_an_event_that_is_counted_up_is_another_event() -> None:
    row = AuditRow(NOW, "node-1", "overflow.personal", "node-1", "EMAIL PERSON")
    once, twice = (event_condition(replace(row, count=n), 7, {"node-1": NODE}) for n in (1, 2))
    assert (once.kind, once.site, once.detail) == (PERSONAL, "Harbour", "EMAIL PERSON")
    assert twice.detail == "EMAIL PERSON (2 times)"
    assert once.evidence != twice.evidence
    gone = event_condition(replace(row, action="rollout.stopped", subject="r-9"), 8, {"node-1": NODE})
    assert (gone.kind, gone.subject, gone.site) == (ROLLOUT, "r-9", "")


def test_a_gap_says_which_rows_and_why() -> None:
    gap = GapRow("node-1", b"e", 6, 10, "", "lost", None, NOW)
    found = gap_condition(gap, 3, {"node-1": NODE})
    assert (found.kind, found.site, found.detail) == (GAP, "Harbour", "Rows 6 to 10: lost.")
    assert found.evidence != gap_condition(gap, 4, {}).evidence


def test_a_state_is_an_alert_when_it_has_lasted() -> None:
    held, one = Held(), Condition(FALLBACK, "node-1", "a:b")
    assert held.lasting([one], NOW) == ()
    assert held.lasting([one], NOW + FALLBACK.hold - SECOND) == ()
    assert held.lasting([one], NOW + FALLBACK.hold) == (one,)
    assert held.lasting([], NOW + FALLBACK.hold + SECOND) == ()
    assert held.lasting([one], NOW + FALLBACK.hold + 2 * SECOND) == ()  # it counts anew


def open_alert(condition: Condition, **values: Any) -> AlertRow:
    row = AlertRow(
        id=3,
        kind=condition.kind.name,
        subject=condition.subject,
        site=condition.site,
        group_name=condition.group,
        severity=condition.kind.severity,
        detail=condition.detail,
        evidence=condition.evidence,
        open_key=condition.key,
        opened_at=LONG_AGO,
        last_true_at=NOW,
        resolved_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        note="",
        told_at=None,
    )
    return replace(row, **values)


STATE = Condition(DISK, "node-1", "10 to 19 %")
EVENT = Condition(PERSONAL, "node-1", "EMAIL", evidence="7 1")
SILENT_SINCE = {"last_true_at": NOW - CLEAR_AFTER}


@pytest.mark.parametrize(
    ("known", "evidence", "lasting", "true", "opened", "seen", "resolved"),
    [
        ([], {}, [STATE], [STATE.key], [STATE], [], []),
        ([open_alert(STATE)], {}, [STATE], [STATE.key], [], [], []),
        ([open_alert(STATE, detail="0 to 9 %")], {}, [STATE], [STATE.key], [], [(3, STATE)], []),
        (
            [open_alert(STATE, last_true_at=NOW - SEEN_INTERVAL)],
            {},
            [STATE],
            [STATE.key],
            [],
            [(3, STATE)],
            [],
        ),
        ([open_alert(STATE, last_true_at=NOW - CLEAR_AFTER + SECOND)], {}, [], [], [], [], []),
        ([open_alert(STATE, **SILENT_SINCE)], {}, [], [], [], [], [3]),
        # True, though not yet for long: it is not over.
        ([open_alert(STATE, **SILENT_SINCE)], {}, [], [STATE.key], [], [], []),
        ([], {}, [EVENT], [EVENT.key], [EVENT], [], []),
        ([], {EVENT.key: "7 1"}, [EVENT], [EVENT.key], [], [], []),
        ([], {EVENT.key: "6 9"}, [EVENT], [EVENT.key], [EVENT], [], []),
        (
            [open_alert(EVENT, evidence="6 9", detail="PERSON")],
            {EVENT.key: "6 9"},
            [EVENT],
            [EVENT.key],
            [],
            [(3, EVENT)],
            [],
        ),
        # Only somebody ends an event, and a kind that this release does not know.
        ([open_alert(EVENT, **SILENT_SINCE)], {}, [], [], [], [], []),
        ([open_alert(STATE, kind="newer", open_key="newer node-1", **SILENT_SINCE)], {}, [], [], [], [], []),
    ],
)
def test_what_a_look_changes(
    known: list[AlertRow],
    evidence: dict[str, str],
    lasting: list[Condition],
    true: list[str],
    opened: list[Condition],
    seen: list[tuple[int, Condition]],
    resolved: list[int],
) -> None:
    found = changes({str(row.open_key): row for row in known}, evidence, lasting, true, NOW)
    assert (list(found.opened), list(found.seen), list(found.resolved)) == (opened, seen, resolved)


@pytest.mark.parametrize(
    ("scope", "kind", "until", "ended", "expected"),
    [
        ("all", "", NOW + SECOND, None, True),
        ("all", "", NOW, None, False),
        ("all", "", NOW + SECOND, NOW, False),
        ("node:node-1", "disk", NOW + SECOND, None, True),
        ("node:node-2", "", NOW + SECOND, None, False),
        ("group:north", "", NOW + SECOND, None, True),
        ("site:Harbour", "offline", NOW + SECOND, None, False),
        ("site:Harbour", "", NOW + SECOND, None, True),
    ],
)
def test_what_a_silence_covers(
    scope: str, kind: str, until: datetime, ended: datetime | None, expected: bool
) -> None:
    alert = open_alert(replace(STATE, site="Harbour", group="north"))
    silence = SilenceRow(1, scope, kind, until, "repair", NOW, "ada", ended)
    assert silenced(alert, [silence], NOW) is expected


def test_each_kind_has_a_name_of_its_own() -> None:
    assert [kind.name for kind in KINDS.values()] == list(KINDS)
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS) == 14
