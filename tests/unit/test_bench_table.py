"""The table that ends `make bench`."""

from __future__ import annotations

from tests.bench.__main__ import names, rows


def test_an_interval_joins_the_figure_it_belongs_to() -> None:
    judged = {"ratio": 0.41234, "ratio_low": 0.4, "ratio_high": 0.42, "peer": "none", "ready_s": 2}
    assert rows(judged) == [("ratio", "0.4123", "0.4 to 0.42"), ("peer", "none", ""), ("ready_s", "2", "")]


def test_a_figure_that_only_looks_like_a_bound_is_a_figure() -> None:
    assert rows({"queue_low": 3}) == [("queue_low", "3", "")]


def test_shared_modules_are_no_benches() -> None:
    assert not {"harness", "__main__", "http_load", "litserve_app", "llm_peer"} & set(names())
    assert {"chat", "device_loss", "encoder", "failover", "llm"} <= set(names())
