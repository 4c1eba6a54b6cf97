"""The rules of retention: one for every table, in line with the columns' tags, and due to the millisecond."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.clock_trust import DAY_MS
from edge.config import RetentionSection
from edge.config.retention import YEARS_3, YEARS_6
from edge.privacy import retention
from edge.privacy.retention import Keeper, Rule
from edge.store.schema import KEY_TABLES, TABLES, Retention

RULES = retention.rules(RetentionSection())
EVERY_TABLE = TABLES | KEY_TABLES
# What the tags of a table's columns say of a row that goes by its age; a tag of its own means less than the row.
DAYS = {30: Retention.DAYS_30, YEARS_3: Retention.YEARS_3, YEARS_6: Retention.YEARS_6}
KEEPERS = {
    Retention.SESSION: {Keeper.CONVERSATION},
    Retention.TICKET: {Keeper.TICKET},
    Retention.UNTIL_REMOVED: {Keeper.STAFF, Keeper.PART},
    Retention.UNTIL_ACKNOWLEDGED: {Keeper.PART},
}
# Rows that stay until they are over, and then for so many days.
OVER_FIRST = {"api_keys", "continuations", "operator_sessions"}


@pytest.mark.proves("retention")
def test_every_table_has_a_rule_and_no_other() -> None:
    assert RULES.keys() == EVERY_TABLE.keys()


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_a_rule_says_what_the_columns_tags_say(table: str) -> None:
    rule, tags = RULES[table], {tag.retention for tag in EVERY_TABLE[table].columns.values()}
    if table in OVER_FIRST:
        assert tags == {Retention.UNTIL_REMOVED}
    elif rule.purged:
        assert rule.days is not None
        assert DAYS[rule.days] in tags
        assert tags <= {DAYS[rule.days], Retention.SESSION}
    else:
        (tag,) = tags
        assert rule.keeper in KEEPERS[tag]


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_a_row_is_dated_by_a_column_that_is_there(table: str) -> None:
    rule = RULES[table]
    assert rule.dated_by in {"", *EVERY_TABLE[table].columns}
    assert not rule.purged or (rule.dated_by and rule.days is not None)


def test_what_is_purged_is_in_no_index_in_memory() -> None:
    """The search indexes are built from documents and their chunks; no other table feeds one."""
    assert not {table for table, rule in RULES.items() if rule.purged} & {
        "documents",
        "chunks",
        "document_versions",
    }


@pytest.mark.proves("retention")
@pytest.mark.parametrize("dated", [0, 1, 1_700_000_000_123])
def test_a_row_is_due_on_the_millisecond(dated: int) -> None:
    rule = Rule("", Keeper.RETENTION, "at_ms", 30)
    due = rule.due_ms(dated)
    assert due == dated + 30 * DAY_MS
    assert rule.due_until(due - 1) < dated
    assert rule.due_until(due) >= dated


@pytest.mark.parametrize("day", [0, 19_000])
def test_a_day_counts_from_its_end(day: int) -> None:
    rule = Rule("", Keeper.RETENTION, "day", 30, by_day=True)
    due = rule.due_ms(day)
    assert due == (day + 31) * DAY_MS
    assert rule.due_until(due - 1) == day - 1
    assert rule.due_until(due) == day


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (30, "30 days"),
        (365, "365 days"),
        (366, "1 year"),
        (1095, "1095 days"),
        (1096, "3 years"),
        (2192, "6 years"),
        (7305, "20 years"),
        (7306, "7306 days"),
    ],
)
def test_whole_years_are_said_as_years(days: int, words: str) -> None:
    assert retention.said(days) == words


@pytest.mark.proves("retention")
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("unanswered_days", 1, 366),
        ("daily_counts_days", 1, 3653),
        ("intent_counts_days", 30, 7305),
        ("uses_days", 2, 1096),
        ("consents_days", 366, 3653),
        ("audit_days", 2192, 7305),
        ("revoked_keys_days", 1, 3653),
    ],
)
def test_a_site_may_change_terms_within_bounds(name: str, least: int, most: int) -> None:
    for allowed in (least, least + 1, most - 1, most):
        assert getattr(RetentionSection.model_validate({name: allowed}), name) == allowed
    for refused in (least - 1, most + 1):
        with pytest.raises(ValidationError):
            RetentionSection.model_validate({name: refused})


def test_what_a_site_sets_is_what_holds() -> None:
    settings = RetentionSection(unanswered_days=7, consents_days=400, audit_days=3000, uses_days=5)
    found = retention.rules(settings)
    assert [found[table].days for table in ("unanswered", "consents", "audit", "lan_uses", "text_uses")] == [
        7,
        400,
        3000,
        5,
        5,
    ]
    assert found["unanswered"].kept == "7 days"
