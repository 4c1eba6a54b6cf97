"""When a node is live, what its configuration is called, what counts are shown: as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud_sync.fleet import rules
from cloud_sync.fleet.steering import InvalidDesired, read_document
from cloud_sync.store.node_search import STATES_BY_TROUBLE
from cloud_sync.store.nodes import ACTIVE, REVOKED, NodeRow

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NODE = NodeRow("node-1", "St. Anna", "St. Anna 1", "default", ACTIVE, b"", NOW, NOW)
TICK = timedelta(microseconds=1)


def _seen(ago: timedelta) -> NodeRow:
    return replace(NODE, first_seen=NOW - ago, last_seen=NOW - ago)


STATES: list[tuple[NodeRow, bool, str]] = [
    (NODE, False, "new"),
    (_seen(timedelta(0)), False, "live"),
    (_seen(rules.LATE_AFTER), False, "live"),
    (_seen(rules.LATE_AFTER + TICK), False, "late"),
    (_seen(timedelta(0)), True, "late"),
    (_seen(rules.OFFLINE_AFTER), False, "late"),
    (_seen(rules.OFFLINE_AFTER + TICK), False, "offline"),
    (_seen(rules.OFFLINE_AFTER + TICK), True, "offline"),
    (replace(_seen(timedelta(0)), status=REVOKED), False, "revoked"),
    (replace(NODE, status=REVOKED), False, "revoked"),
    (_seen(-timedelta(minutes=5)), False, "live"),  # a clock that was set back
]


@pytest.mark.parametrize(("row", "connection_lost", "state"), STATES)
def test_the_state_of_a_node(row: NodeRow, connection_lost: bool, state: str) -> None:
    assert rules.node_state(row, connection_lost, NOW) == state
    assert state in STATES_BY_TROUBLE
    assert rules.state_text(state, row, NOW).endswith(".")


@pytest.mark.parametrize(
    ("wanted", "observed", "applied", "rejected", "state"),
    [
        (None, None, None, "", "none"),
        (3, None, None, "", "pending"),
        (3, 3, 2, "", "pending"),
        (3, 3, 3, "", "current"),
        (3, 3, 2, "answer_mode", "rejected"),
        (4, 3, 2, "answer_mode", "pending"),  # it rejected the one before; the new one is on its way
    ],
)
def test_the_state_of_a_configuration(
    wanted: int | None, observed: int | None, applied: int | None, rejected: str, state: str
) -> None:
    row = replace(NODE, observed_generation=observed, applied_generation=applied, rejected_field=rejected)
    found, text = rules.config_state(row, wanted)
    assert found == state
    assert text.endswith(".")


def test_suppressed_turns_are_not_counted_as_none() -> None:
    assert rules.turns_of({}) is None
    assert rules.turns_of({"feedback.useful": 9}) is None
    assert rules.turns_of({"turns.answer": 9, "turns.refuse": 6, "turn_seconds.0.1": 99}) == 15


def test_a_desired_document_is_canonical_data() -> None:
    assert read_document('b = 1\na = ["x", true]\n') == b'{"a":["x",true],"b":1}'
    for toml in ("not toml", "when = 2026-03-01", "x = inf", f'x = "{"y" * 57_400}"', "updates = []"):
        with pytest.raises(InvalidDesired):
            read_document(toml)
