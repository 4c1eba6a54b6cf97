"""Counts of a day outlive the buckets that go up."""

from __future__ import annotations

import sqlite3

import pytest
from sqlite_utils import Database

from edge.store import counters, daily_counts, migrations
from edge.store.daily_counts import DAY_S
from edge.sync.telemetry import close_buckets

TODAY = 20_000
HOUR_S = 3600


@pytest.fixture
def db() -> Database:
    opened = Database(sqlite3.connect(":memory:"))
    migrations.site.apply(opened)
    return opened


def count(db: Database, day: int, hour: int = 0, cell: str = "answer") -> None:
    counters.count(db, "turns", cell, now_s=day * DAY_S + hour * HOUR_S)


def test_a_day_has_what_went_up_and_what_still_waits(db: Database) -> None:
    count(db, TODAY, 1)
    count(db, TODAY, 1, "handoff")
    close_buckets(db, TODAY * DAY_S + 2 * HOUR_S, HOUR_S)
    count(db, TODAY, 2)
    assert daily_counts.since(db, TODAY) == {"turns": {"answer": 2, "handoff": 1}}
    assert daily_counts.since(db, TODAY + 1) == {}


def test_days_are_told_apart_and_a_bucket_is_counted_once(db: Database) -> None:
    count(db, TODAY - 1, 23)
    count(db, TODAY, 0)
    for _ in range(2):
        close_buckets(db, TODAY * DAY_S + 5 * HOUR_S, HOUR_S)
    assert daily_counts.since(db, TODAY - 1) == {"turns": {"answer": 2}}
    assert daily_counts.since(db, TODAY) == {"turns": {"answer": 1}}


def test_every_day_of_a_span_has_its_sum(db: Database) -> None:
    count(db, TODAY - 2, 3)
    count(db, TODAY - 2, 4, "handoff")
    close_buckets(db, (TODAY - 2) * DAY_S + 5 * HOUR_S, HOUR_S)
    count(db, TODAY, 0)
    found = daily_counts.by_day(db, "turns", TODAY - 2, TODAY)
    assert found == [(TODAY - 2, 2), (TODAY - 1, 0), (TODAY, 1)]
