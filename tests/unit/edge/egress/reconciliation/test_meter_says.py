"""What root's meter writes into the journal, for whoever does not believe the courier."""

from __future__ import annotations

import logging

import pytest

from edge.egress.reconciliation import meter
from edge.egress.reconciliation.confinement import Counted


def test_it_says_what_was_counted(caplog: pytest.LogCaptureFixture) -> None:
    counters = {"courier_sent": (7, 900), "courier_dns": (1, 60), "node_lan": (9, 9)}
    with caplog.at_level(logging.INFO):
        meter.say(Counted(1.0, 1, {}, "count", counters))
    (said,) = caplog.records
    assert (said.message, said.packets, said.bytes, said.names_bytes) == ("counted", 7, 900, 60)  # type: ignore[attr-defined]
