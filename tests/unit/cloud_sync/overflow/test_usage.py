"""Counts in memory and in the database: added up, kept when the database is away, read back for the budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cloud_sync.config import OverflowSettings, ProviderSettings
from cloud_sync.overflow.shares import Shares, Standing, UseView, overflow_view
from cloud_sync.overflow.usage import UsageBook, estimated_tokens
from cloud_sync.store.database import Database, StoreUnavailable
from cloud_sync.store.nodes import ACTIVE, DEFAULT_GROUP, NodeRow, add_node
from cloud_sync.store.overflow import Spending, Use, add_uses, spending_since, spent_on
from tests.cloud_store import opened_store

NOW = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
TODAY = NOW.date()
ONE = Spending(answers=1, failures=0, prompt_tokens=10, new_tokens=5, cost_micros=150)
LOST = Spending(failures=1, prompt_tokens=10, new_tokens=1, cost_micros=110)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path) as opened:
        for node in ("n1", "n2"):
            row = NodeRow(node, node, node, DEFAULT_GROUP, ACTIVE, node.encode(), NOW, NOW)
            await opened.run(lambda connection, row=row: add_node(connection, row))
        yield opened


async def test_what_is_added_is_spent_at_once_and_stays_so_when_it_is_saved(
    store: Database, clock: Clock
) -> None:
    book = UsageBook(store, clock)
    for spending in (ONE, ONE, LOST):
        book.add("p", "n1", spending)
    book.add("p", "n2", ONE)
    book.add("q", "n1", ONE)
    assert (book.spent_micros("p"), book.spent_micros("q"), book.spent_micros("r")) == (560, 150, 0)
    await book.save()
    assert book.spent_micros("p") == 560
    book.add("p", "n1", ONE)
    await book.save()
    await book.save()
    assert book.spent_micros("p") == 710
    rows = await store.run(lambda connection: spending_since(connection, TODAY))
    assert rows["p", "n1"] == ONE + ONE + ONE + LOST
    assert sum(row.answers for row in rows.values()) == 5


async def test_two_replicas_know_of_each_other_after_a_save(store: Database, clock: Clock) -> None:
    ours, theirs = UsageBook(store, clock), UsageBook(store, clock)
    ours.add("p", "n1", ONE)
    theirs.add("p", "n1", ONE)
    await ours.save()
    await theirs.save()
    assert theirs.spent_micros("p") == 300
    await ours.save()
    assert ours.spent_micros("p") == 300


async def test_a_new_day_begins_with_nothing_spent(store: Database, clock: Clock) -> None:
    book = UsageBook(store, clock)
    book.add("p", "n1", ONE)
    await book.save()
    clock.now += timedelta(seconds=1)
    assert book.spent_micros("p") == 0
    book.add("p", "n1", ONE)
    assert book.spent_micros("p") == 150
    await book.save()
    assert await store.run(lambda connection: spent_on(connection, TODAY)) == {"p": 150}


async def test_what_could_not_be_saved_stays_counted(store: Database, clock: Clock) -> None:
    class Away:
        async def run(self, work: object) -> object:
            raise StoreUnavailable

        async def close(self) -> None:
            pass

    book = UsageBook(Away(), clock)  # type: ignore[arg-type]
    book.add("p", "n1", ONE)
    with pytest.raises(StoreUnavailable):
        await book.save()
    assert book.spent_micros("p") == 150
    book._database = store
    await book.save()
    assert (await store.run(lambda connection: spending_since(connection, TODAY)))["p", "n1"] == ONE


@pytest.mark.parametrize(("chars", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2)])
def test_tokens_are_rounded_up(chars: int, tokens: int) -> None:
    assert estimated_tokens(chars) == tokens


async def test_thirty_days_are_shown_and_not_the_day_before(store: Database, clock: Clock) -> None:
    days = {TODAY: 1, TODAY - timedelta(days=29): 2, TODAY - timedelta(days=30): 4}
    uses = {Use(day, "embedded", "n1"): Spending(answers=count) for day, count in days.items()}
    await store.run(lambda connection: add_uses(connection, uses))
    view = await Shares(store, OverflowSettings(), clock).view()
    (one,) = view.providers
    assert (one.today.answers, one.month.answers) == (1, 3)
    assert not view.enabled


def test_shares_are_of_whole_answers_and_old_providers_are_named_last() -> None:
    settings = OverflowSettings(
        enabled=True,
        currency="GBP",
        providers=(
            ProviderSettings(
                name="b", kind="openai", url="https://b.example/v1", model="m", daily_budget=1.0
            ),
            ProviderSettings(name="a", kind="engine"),
        ),
    )
    month = {
        ("b", "n1"): Spending(answers=3, failures=7, cost_micros=900_000),
        ("b", "n2"): Spending(answers=4),
        ("old", "n1"): Spending(answers=1),
    }
    today = {("b", "n1"): Spending(answers=1, cost_micros=400_000)}
    view = overflow_view(settings, today, month, {"b": Standing("open", "llm_server_cut")})
    assert [one.name for one in view.providers] == ["b", "a", "old"]
    b, a, old = view.providers
    assert (b.state, b.last_error, a.state) == ("open", "llm_server_cut", "")
    assert b.budget_left == pytest.approx(0.6)
    assert (a.budget_left, old.kind) == (None, "")
    assert (b.month.share, a.month.share, old.month.share) == (7 / 8, 0.0, 1 / 8)
    assert b.today == UseView(1, 0, 1.0, 0, 0, pytest.approx(0.4))
    assert [(one.node, one.month.answers) for one in view.nodes] == [("n1", 4), ("n2", 4)]


def test_nothing_written_has_no_shares() -> None:
    view = overflow_view(OverflowSettings(), {}, {}, {})
    assert [(one.name, one.today.share) for one in view.providers] == [("embedded", None)]
    assert view.nodes == ()


def test_a_spent_budget_is_not_shown_as_less_than_nothing() -> None:
    settings = OverflowSettings(providers=(ProviderSettings(name="a", kind="engine", daily_budget=1.0),))
    spent = {("a", "n"): Spending(cost_micros=1_200_000)}
    assert overflow_view(settings, spent, spent, {}).providers[0].budget_left == 0.0


def test_a_day_is_a_date() -> None:
    assert UsageBook(None, lambda: NOW).today == date(2026, 3, 1)  # type: ignore[arg-type]
