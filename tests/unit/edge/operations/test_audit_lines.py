"""Rows of audit as lines: read back by a grammar of its own, whatever somebody managed to be called."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.operations import audit_lines
from edge.operations.audit_lines import LINE_BYTES_MAX, json_line, rfc5424
from edge.store.audit import ACTOR_CHARS_MAX, OBJECT_CHARS_MAX, AuditRow, Outcome
from tests.unit.edge.operations.syslog_grammar import read

AT_MS = 1_772_348_400_007
ROW = AuditRow(7, AT_MS, "ada", "inbox.show", "T-7", "done", 1)
NASTY = st.text(st.characters(codec="utf-8"), max_size=OBJECT_CHARS_MAX)


def shown(text: str) -> str:
    """A control character as # and octal digits."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda found: f"#{ord(found[0]):03o}", text)


def test_a_row_is_a_message_with_what_an_auditor_asks_for() -> None:
    found = read(rfc5424(ROW, "node.clinic.lan", "clinic").encode())
    assert (found.facility, found.severity) == (13, 6)
    assert found.timestamp == "2026-03-01T07:00:00.007Z"
    assert (found.hostname, found.app_name, found.procid, found.msgid) == (
        "node.clinic.lan", "postern", "-", "inbox.show",
    )  # fmt: skip
    assert found.data["postern@32473"] == {
        "site": "clinic", "id": "7", "actor": "ada", "action": "inbox.show", "kind": "view", "object": "T-7",
        "outcome": "done", "count": "1",
    }  # fmt: skip
    assert found.data["origin"]["enterpriseId"] == "32473"
    assert found.text == "inbox.show, done"


@pytest.mark.parametrize(("outcome", "severity"), [("begun", 6), ("done", 6), ("refused", 4), ("failed", 3)])
def test_the_severity_says_how_it_ended(outcome: str, severity: int) -> None:
    row = AuditRow(7, AT_MS, "eve", "audit.view", "", outcome, 12)
    found = read(rfc5424(row, "node", "s").encode())
    assert found.severity == severity
    assert set(audit_lines.SEVERITIES) == set(Outcome)
    assert found.text.endswith(", 12 times")


@given(NASTY, NASTY, NASTY)
@settings(max_examples=200, deadline=None)
def test_whatever_somebody_is_called_the_line_reads_back(actor: str, object: str, host: str) -> None:
    row = AuditRow(2**62, AT_MS, actor[:ACTOR_CHARS_MAX], "kb.show", object, "done", 1)
    line = rfc5424(row, host, "s")
    assert "\n" not in line
    assert len(line.splitlines()) == 1
    found = read(line.encode())
    fields = found.data["postern@32473"]
    assert (fields["actor"], fields["object"]) == (shown(row.actor), shown(object))


@pytest.mark.parametrize("character", ["x", '"', "\n", "\u0085", "€", "\U0001f600"])
def test_the_longest_row_is_a_line_that_every_receiver_takes(character: str) -> None:
    row = AuditRow(
        2**62, AT_MS, character * ACTOR_CHARS_MAX, "a" * 40, character * OBJECT_CHARS_MAX, "refused", 2**40
    )
    raw = rfc5424(row, "h" * 300, "s" * 64).encode()
    assert read(raw).msgid == "a" * 32
    assert len(raw) <= LINE_BYTES_MAX


def test_nothing_said_is_a_hyphen_and_odd_hosts_are_printed() -> None:
    assert read(rfc5424(ROW, "", "s").encode()).hostname == "-"
    assert read(rfc5424(ROW, "münchen 1", "s").encode()).hostname == "m?nchen?1"


def test_json_has_the_same_fields_and_the_moment() -> None:
    found = json.loads(json_line(ROW))
    assert found == {
        "at": "2026-03-01T07:00:00.007Z", "id": 7, "actor": "ada", "action": "inbox.show", "kind": "view",
        "object": "T-7", "outcome": "done", "count": 1,
    }  # fmt: skip
