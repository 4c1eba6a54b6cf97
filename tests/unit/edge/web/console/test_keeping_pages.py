"""The page of retention: what goes soonest stands first."""

from __future__ import annotations

from edge.web.console.keeping_pages import due_next, in_order, titles


def test_what_goes_soonest_is_first_and_what_goes_by_no_clock_last() -> None:
    rows = [{"table": name, "due_ms": due} for name, due in (("a", None), ("b", 9), ("c", 0), ("d", None))]
    assert [row["table"] for row in in_order(rows)] == ["c", "b", "a", "d"]
    assert due_next(rows) == {"table": "c", "due_ms": 0}
    assert due_next(rows[:1]) is None


def test_tables_have_names() -> None:
    assert all(titles().values())
    assert titles()["turns"] == "Questions and answers"
    assert titles()["subject_keys"] == "Keys of people"
