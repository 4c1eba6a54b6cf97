"""The single-file verifier's words: what is ordinary is no alarm, and what nobody stands for says so first."""

from __future__ import annotations

from edge.egress import verify
from tests import ledger_exports as exports
from tests.ledger_exports import WITNESS_VKEYS
from tests.unit.edge.egress.test_verify import ledger, told


def test_what_was_not_closed_counts_as_left() -> None:
    found = ledger()
    found.intent(size=5_000)
    document = told(exports.export(found.entries()))
    assert document["ok"]
    assert document["open"] == 1
    assert [one["bytes_perhaps"] for one in document["left"] if not one["destination_key"]] == [5_000]  # type: ignore[attr-defined]
    words = verify.in_words(document)
    assert "up to 5,000 bytes" in words
    assert "to cloud.example:7443, no answer from it is recorded" in words
    assert "What was never explained:\n  nothing\n" in words
    assert "Open when this was signed, as what is under way is: 0 connections, 1 envelope." in words


def test_a_link_that_is_up_is_no_alarm_and_stands_below_what_went_over_it() -> None:
    found = ledger()
    found.link()
    words = verify.in_words(told(exports.export(found.entries())))
    assert words.count("to cloud.example:7443") == 1
    assert "connections: once, 0 bytes; of 1 the end is not recorded" in words
    assert "What was never explained:\n  nothing\n" in words
    assert "1 connection, 0 envelopes" in words


def test_a_record_that_nobody_of_ours_stands_for_says_so_first() -> None:
    """Whoever has the machine can sign all of it anew."""
    files = exports.export(ledger().entries())
    first, *_ = verify.in_words(told(files, log_key=None, witnesses=())).split("\n")
    assert "whole in itself, and no key and no witness of yours stands for it" in first
    unchecked = verify.in_words(told(files, witnesses=WITNESS_VKEYS[:1]))
    assert "(witness.example/customer)" in unchecked
    assert "It carries signatures that nobody checked" in unchecked
    assert "nobody checked" not in verify.in_words(told(files))
