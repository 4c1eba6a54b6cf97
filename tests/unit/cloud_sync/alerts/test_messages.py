"""What webhooks are told, and when they are tried again: as tables. What waits has a limit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud_sync.config import AlertSettings
from cloud_sync.fleet.alerts.messages import ALERTS_NAMED_MAX, JITTER, PAUSES, news, next_attempt, trial
from cloud_sync.store.alerts import AlertRow
from core.errors import PosternError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALERT = AlertRow(
    id=7, kind="disk", subject="node-1", site="Zürich", group_name="north", severity="critical",
    detail="0 to 9 % of its disk are free.", evidence="", open_key="disk node-1", opened_at=NOW, last_true_at=NOW,
    resolved_at=None, acknowledged_at=None, acknowledged_by="", note="", told_at=None,
)  # fmt: skip


def test_a_message_names_what_began_and_what_ended() -> None:
    body = json.loads(news("Acme", [ALERT], [replace(ALERT, id=3, kind="newer")], NOW))
    assert (body["type"], body["timestamp"]) == ("alerts.changed", "2026-03-01T12:00:00Z")
    data = body["data"]
    assert (data["organisation"], data["left_out"]) == ("Acme", 0)
    assert data["raised"] == [
        {
            "id": 7,
            "kind": "disk",
            "title": "Disk is nearly full",
            "severity": "critical",
            "subject": "node-1",
            "site": "Zürich",
            "group": "north",
            "detail": "0 to 9 % of its disk are free.",
            "opened_at": "2026-03-01T12:00:00Z",
        }
    ]
    assert [(one["id"], one["title"]) for one in data["resolved"]] == [(3, "newer")]
    assert json.loads(trial("Acme", NOW))["type"] == "alerts.test"


@pytest.mark.parametrize(
    ("raised", "resolved", "named", "left_out"),
    [
        (ALERTS_NAMED_MAX, 0, (ALERTS_NAMED_MAX, 0), 0),
        (ALERTS_NAMED_MAX + 1, 5, (ALERTS_NAMED_MAX, 0), 6),
        (ALERTS_NAMED_MAX - 1, 5, (ALERTS_NAMED_MAX - 1, 1), 4),
    ],
)
def test_a_message_has_a_limit(raised: int, resolved: int, named: tuple[int, int], left_out: int) -> None:
    data = json.loads(news("Acme", [ALERT] * raised, [ALERT] * resolved, NOW))["data"]
    assert (len(data["raised"]), len(data["resolved"])) == named
    assert data["left_out"] == left_out


@pytest.mark.parametrize("attempts", range(1, len(PAUSES) + 1))
def test_attempts_are_further_and_further_apart(attempts: int) -> None:
    pause = PAUSES[attempts - 1]
    assert next_attempt(attempts, NOW, 0.0) == NOW + pause
    assert next_attempt(attempts, NOW, 1.0) == NOW + pause * (1 + JITTER)
    assert attempts == 1 or pause > PAUSES[attempts - 2]


def test_then_it_is_given_up() -> None:
    assert next_attempt(len(PAUSES) + 1, NOW, 0.0) is None
    assert timedelta(days=1) < sum(PAUSES, timedelta()) < timedelta(days=3)


@pytest.mark.parametrize(
    "webhooks",
    [
        [{"name": "a", "url": "http://desk.example.org/x", "secret_files": ["s"]}],
        [{"name": "a", "url": "https://u:p@desk.example.org/x", "secret_files": ["s"]}],
        [{"name": "a", "url": "ftp://desk.example.org", "secret_files": ["s"]}],
        [{"name": "a", "url": "https://desk.example.org", "secret_files": []}],
        [{"name": "a", "url": "https://desk.example.org", "secret_files": ["s", "t", "u"]}],
        [{"name": "a", "url": "https://desk.example.org", "secret_files": ["s"]}] * 2,
    ],
)
def test_settings_that_would_tell_others_are_refused(webhooks: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"webhooks|url|secret_files"):
        AlertSettings.model_validate({"webhooks": webhooks})


def test_an_error_of_the_settings_names_the_webhook() -> None:
    from cloud_sync.fleet.alerts.deliveries import read_webhooks

    settings = {"name": "desk", "url": "http://127.0.0.1:1/", "secret_files": ["/nowhere/secret"]}
    with pytest.raises(PosternError, match="desk"):
        read_webhooks(AlertSettings.model_validate({"webhooks": [settings]}).webhooks)
