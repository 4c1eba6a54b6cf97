"""Figures as rows with bars."""

from __future__ import annotations

from edge.chat.generating import OUTCOMES
from edge.store.counters import CELLS
from edge.web.console import charts


def test_bars_are_relative_to_the_largest_and_keep_their_order() -> None:
    found = charts.bars({"a": "A", "b": "B", "c": "C"}, {"b": 1}, {"a": 1, "b": 200})
    assert [(bar.label, bar.today, bar.total, bar.percent) for bar in found] == [
        ("A", 0, 1, 1),
        ("B", 1, 200, 100),
        ("C", 0, 0, 0),
    ]
    assert all(bar.percent == 0 for bar in charts.bars({"a": "A"}, {}, {}))


def test_every_route_and_every_cell_of_the_histogram_has_a_row() -> None:
    assert charts.ROUTES.keys() == CELLS["turns"]
    assert charts.GENERATED.keys() == CELLS["generated"] == set(OUTCOMES)
    assert len(charts.latency({})) == len(CELLS["turn_seconds"])


def test_the_share_within_the_promise() -> None:
    assert charts.within_promise({}) is None
    assert charts.within_promise({"0.05": 98, "1": 1, "2.5": 1}) == 99
    assert charts.within_promise({"more": 3}) == 0


def test_the_most_frequent_come_first_and_equal_ones_by_name() -> None:
    found = charts.most({"b": 2, "a": 2, "c": 5, "d": 1}, 3)
    assert [bar.label for bar in found] == ["c", "a", "b"]
