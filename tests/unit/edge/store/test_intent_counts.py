"""Counts of intents: one row a day and intent."""

from __future__ import annotations

import sqlcipher3
from sqlite_utils import Database

from edge.store import intent_counts, migrations
from edge.store.intent_counts import DAY_S, OUT_OF_SCOPE


def test_counts_by_day_and_intent() -> None:
    db = Database(sqlcipher3.connect(":memory:", isolation_level=None))
    migrations.site.apply(db)
    for day, intent in ((1, "fees"), (1, "fees"), (1, OUT_OF_SCOPE), (2, "fees"), (2, "parking")):
        intent_counts.count(db, intent, now_s=day * DAY_S + 7)
    assert intent_counts.since(db, 0) == {"fees": 3, OUT_OF_SCOPE: 1, "parking": 1}
    assert intent_counts.since(db, 2) == {"fees": 1, "parking": 1}
    assert db["intent_counts"].count == 4
