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
        ("attempts", 41, "more by framing"),
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
        (ledger, "No, by the kernel's counters, but for "),
        (_nothing_compared, "Nobody can tell"),
        (_leaked, "Yes: 777 bytes"),
        (_with_a_gap, "Not while it was compared"),
        (_compared_and_then_not, "Not while it was compared"),
    ],
)
def test_whether_anything_else_left_is_a_sentence(made: Callable[[], Ledger], begins: str) -> None:
    document = told(exports.export(made().entries()))
    assert str(document["anything_else"]).startswith(begins)
    assert f"Did anything else leave this host? {begins}" in verify.in_words(document)


@pytest.mark.parametrize("unexplained", [0, 777])
def test_over_what_other_users_sent_nothing_is_called_complete_for_the_host(unexplained: int) -> None:
    found = ledger()
    found.time_ms += 60_000
    found.compare(unexplained, others_sent=54_321)
    document = told(exports.export(found.entries()))
    said = str(document["anything_else"])
    assert said.startswith("Yes: other users of this host, or machines")
    assert f"Of the courier: {'yes: 777 bytes' if unexplained else 'no, by the kernel'}" in said
    assert "54,321 bytes, which no entry tells" in str(document["anything_else"])
    claimed, not_claimed = " ".join(document["claimed"]), " ".join(document["not_claimed"])
    assert "egress of this host " not in claimed
    assert "egress of the courier of this host " in claimed
    assert "sent 54,321 bytes: what and to whom is not in it" in not_claimed


def test_what_the_node_sent_in_the_sites_network_is_told() -> None:
    found = ledger()
    found.time_ms += 60_000
    found.compare(lan=12_345)
    said = str(told(exports.export(found.entries()))["anything_else"])
    assert said.startswith("No, ")
    assert said.endswith("and 12,345 bytes from the node to the site's own network.")


def test_what_the_kernel_refused_is_laid_to_nobody() -> None:
    found = ledger()
    found.time_ms += 60_000
    found.compare(unexplained=777, other=500)
    words = verify.in_words(told(exports.export(found.entries())))
    assert "; refused by the kernel, of any user: 500 bytes, 10 packets" in words


def test_where_nothing_was_compared_nobody_counted_what_others_sent() -> None:
    said = told(exports.export(_nothing_compared().entries()))["not_claimed"]
    assert "What other users of this host sent is not in it." in said
