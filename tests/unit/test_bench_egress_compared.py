"""The bench's figure of what the ledger does not explain is one of whole minutes, with texts among the traffic."""

from __future__ import annotations

import pytest

from edge.egress.ledger import Leaf
from edge.egress.reconciliation.framing import MINUTE_MS
from tests.bench.egress_compared import figures
from tests.bench.harness import BenchRefused


def text(index: int) -> Leaf:
    return Leaf(index, 0, "intent", {"kind": "generate"})


def compared(index: int, length_ms: int = MINUTE_MS, unexplained: int = 0) -> Leaf:
    sizes = {
        "kernel_bytes": 1_000,
        "header_bytes": 200,
        "ledger_bytes": 500,
        "framing_bytes": 300 - unexplained,
    }
    times = {"from_ms": 0, "to_ms": length_ms}
    kind = "discrepancy" if unexplained else "reconciled"
    return Leaf(index, 0, kind, {**times, **sizes, "unexplained_bytes": unexplained})


def test_framing_stands_beside_what_is_not_explained() -> None:
    found = figures([text(1), compared(2), text(3), compared(4, unexplained=100), text(5)])
    assert (found["comparisons"], found["texts_compared"], found["kernel_bytes"]) == (2, 2, 2_000)
    shares = ("header_bytes_pct", "framing_bytes_pct", "unexplained_bytes_pct")
    assert [found[name] for name in shares] == [20.0, 25.0, 5.0]


def test_less_than_a_minute_would_have_the_bound_of_a_whole_one() -> None:
    with pytest.raises(BenchRefused, match="2000 ms"):
        figures([text(1), compared(2), compared(3, length_ms=2_000)])


def test_without_a_text_in_what_was_compared_there_is_no_figure() -> None:
    for leaves in ([compared(1)], [compared(1), text(2)]):
        with pytest.raises(BenchRefused, match="No text"):
            figures(leaves)
    with pytest.raises(BenchRefused, match="compared"):
        figures([text(1)])
