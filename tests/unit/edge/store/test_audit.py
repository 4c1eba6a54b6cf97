"""Refusals count on in one row and never fill the disk; what was seen of a person is found."""

from __future__ import annotations

import sqlite3

import pytest
from sqlite_utils import Database

from edge.store import audit, migrations
from edge.store.audit import REFUSAL_ROWS_MAX, REFUSALS_TOGETHER_MS, AuditFilter, AuditRow, rest_of

NOW_MS = 1_750_000_000_000


@pytest.fixture
def db() -> Database:
    opened = Database(sqlite3.connect(":memory:"))
    migrations.site.apply(opened)
    return opened


def rows(db: Database, **fields: str | int) -> list[AuditRow]:
    return audit.search(db, AuditFilter(**fields), 1000)[::-1]  # type: ignore[arg-type]


def test_a_repeated_refusal_counts_on_in_its_row_for_a_minute(db: Database) -> None:
    for later_ms in (0, 1, REFUSALS_TOGETHER_MS - 1):
        audit.refused(db, "eve", "audit.view", "", NOW_MS + later_ms)
    assert [(row.at_ms, row.count) for row in rows(db)] == [(NOW_MS, 3)]
    audit.refused(db, "eve", "audit.view", "", NOW_MS + REFUSALS_TOGETHER_MS, times=5)
    assert [row.count for row in rows(db)] == [3, 5]


def test_another_actor_action_or_object_has_a_row_of_its_own(db: Database) -> None:
    for what in (("eve", "a", ""), ("bob", "a", ""), ("eve", "b", ""), ("eve", "a", "x"), ("eve", "a", "")):
        audit.refused(db, *what, NOW_MS)
    assert [row.count for row in rows(db, outcome="refused")] == [2, 1, 1, 1]


def test_what_was_done_is_never_counted_together_with_what_was_refused(db: Database) -> None:
    audit.append(db, "eve", "a", at_ms=NOW_MS)
    audit.refused(db, "eve", "a", "", NOW_MS)
    audit.append(db, "eve", "a", at_ms=NOW_MS)
    assert [(row.outcome, row.count) for row in rows(db)] == [("done", 1), ("refused", 1), ("done", 1)]


@pytest.mark.parametrize("different", [REFUSAL_ROWS_MAX - 1, REFUSAL_ROWS_MAX, REFUSAL_ROWS_MAX + 3])
def test_past_a_minutes_rows_the_rest_of_an_actors_are_counted_together(db: Database, different: int) -> None:
    for number in range(different):
        audit.refused(db, "eve", "a", f"object {number}", NOW_MS + number)
    found = rows(db)
    assert len(found) == min(different, REFUSAL_ROWS_MAX + 1)
    assert sum(row.count for row in found) == different
    assert (rest_of("eve") in [(row.actor, row.action, row.object) for row in found]) is (
        different > REFUSAL_ROWS_MAX
    )


@pytest.mark.proves("audit")
def test_a_flood_hides_neither_what_another_is_refused_nor_whose_password_is_guessed(db: Database) -> None:
    for number in range(REFUSAL_ROWS_MAX + 5):
        audit.refused(db, "eve", "documents.show", f"object {number}", NOW_MS)
    hidden = (("bob", "inbox.show", "T-7"), ("bob", "login.refused", "bob"), ("eve", "login.refused", "eve"))
    for what in hidden:
        audit.refused(db, *what, NOW_MS)
    for number in range(2):
        audit.refused(db, "eve", "inbox.show", f"T-{number}", NOW_MS)
    found = {(row.actor, row.action, row.object): row.count for row in rows(db)}
    assert [found.get(what) for what in hidden] == [1, 1, 1]
    assert found[rest_of("eve")] == 5 + 2


def test_known_refusals_count_on_though_the_minute_is_full_and_the_next_minute_is_empty(db: Database) -> None:
    for number in range(REFUSAL_ROWS_MAX + 1):
        audit.refused(db, "eve", "a", f"object {number}", NOW_MS)
    audit.refused(db, "eve", "a", "object 0", NOW_MS + 1)
    assert [row.count for row in rows(db, object="object 0")] == [2]
    audit.refused(db, "eve", "a", "new", NOW_MS + REFUSALS_TOGETHER_MS)
    assert [row.count for row in rows(db, object="new")] == [1]


def test_a_clock_that_was_put_back_begins_a_row(db: Database) -> None:
    audit.refused(db, "eve", "a", "", NOW_MS)
    audit.refused(db, "eve", "a", "", NOW_MS - 3_600_000)
    assert [row.count for row in rows(db)] == [1, 1]


def test_rows_are_found_by_their_time(db: Database) -> None:
    for second in range(4):
        audit.append(db, "ada", f"a{second}", at_ms=NOW_MS + 1000 * second)
    assert [row.action for row in rows(db, since_ms=NOW_MS + 1000, until_ms=NOW_MS + 3000)] == ["a1", "a2"]


def test_who_saw_what_of_one_person_is_found_by_label_and_tickets(db: Database) -> None:
    audit.append(db, "ada", "privacy.export", "subject:0123456789abcdef")
    audit.append(db, "bob", "inbox.show", "T-7")
    audit.append(db, "bob", "inbox.show", "T-8")
    audit.append(db, "bob", "audit.view")
    seen = audit.of_subject(db, "subject:0123456789abcdef", ["T-7"], 10)
    assert [(row.actor, row.object) for row in seen] == [("bob", "T-7"), ("ada", "subject:0123456789abcdef")]
    assert [row.action for row in audit.of_subject(db, "subject:0123456789abcdef", [], 10)] == [
        "privacy.export"
    ]
    assert len(audit.of_subject(db, "subject:0123456789abcdef", ["T-7"], 1)) == 1
