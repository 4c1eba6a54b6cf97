"""What the single-file verifier makes of a leaf that compares the ledger with the kernel's counters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.egress import verify
from tests import ledger_exports as exports
from tests.ledger_exports import Ledger
from tests.unit.edge.egress.test_verify import check, ledger, told


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("unexplained_bytes", 0, "777 are not explained"),
        ("framing_bytes", 1, "leaves out bytes"),
        ("type", "reconciled", "leaves out bytes"),
        ("header_bytes", 12 * 100 + 1, "more by framing"),
        ("header_bytes", 12 * 28 - 1, "more by framing"),
        ("attempts", 31, "more by framing"),
        ("connections", 13, "more by framing"),
        ("frames", 65, "more by framing"),
        ("frame_bytes", 16_385, "more by framing"),
        ("from_entry", 9, "does not begin where"),
        ("from_entry", 7, "does not begin where"),
    ],
)
def test_a_leaf_that_explains_more_than_it_may_is_found(name: str, value: object, words: str) -> None:
    found = ledger()
    found.time_ms += 60_000
    found.compare(unexplained=777)
    assert check(exports.export(found.entries())).problems == []
    found.bodies[-1][name] = value
    assert any(words in problem for problem in check(exports.export(found.entries())).problems)


def test_what_one_time_had_too_little_hides_nothing_of_another() -> None:
    found = ledger()
    for unexplained in (100_000, 0):
        found.time_ms += 60_000
        found.compare(unexplained)
    found.bodies[-1] |= {"kernel_bytes": found.bodies[-1]["header_bytes"], "framing_bytes": 0}
    assert "but for 100,000 bytes" in verify.in_words(told(exports.export(found.entries())))


def _nothing_compared() -> Ledger:
    found = Ledger()
    found.begin()
    found.close(found.intent())
    return found


def _leaked() -> Ledger:
    found = ledger()
    found.time_ms += 60_000
    found.compare(unexplained=777)
    return found


def _with_a_gap() -> Ledger:
    found = ledger()
    for skip in (True, False):
        found.time_ms += 60_000
        found.compare(skip=skip)
    return found


def _compared_and_then_not() -> Ledger:
    found = ledger()
    found.time_ms += 3_600_000
    found.close(found.intent())
    return found


@pytest.mark.parametrize(
    ("made", "begins"),
    [
        (ledger, "No, by the kernel's counters of this host, but for "),
        (_nothing_compared, "Nobody can tell"),
        (_leaked, "Yes: 777 bytes"),
        (_with_a_gap, "Not while it was compared"),
        (_compared_and_then_not, "Not while it was compared"),
    ],
)
def test_whether_anything_else_left_is_a_sentence(made: Callable[[], Ledger], begins: str) -> None:
    document = told(exports.export(made().entries()))
    assert str(document["anything_else"]).startswith(begins)
    assert f"Did the courier send anything else? {begins}" in verify.in_words(document)
