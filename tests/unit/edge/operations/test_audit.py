"""The audit listed, exported page by page, and verified: what is missing or altered is said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge.config import site_paths
from edge.operations import audit as operations
from edge.operations.arguments import BadArguments
from edge.operations.audit import COUNTED_MAX, EXPORT_MS_MAX, PAGE_ROWS, AuditOperations, NoSuchExport
from edge.store import audit, audit_check
from edge.store.audit import Outcome
from edge.store.store import Store
from tests.unit.edge.operations.syslog_grammar import read

DAY_MS = 86_400_000
KEPT_DAYS = 2192


class Site:
    """An audit with rows in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.operations = AuditOperations(store, "clinic", "node", KEPT_DAYS)

    async def rows(self, count: int, *, days_ago: int = 0, action: str = "documents.view") -> None:
        at_ms = operations._now_ms() - 120_000 - days_ago * DAY_MS
        values = [(at_ms + number, "ada", action, f"d{number}", "done") for number in range(count)]
        insert = "INSERT INTO audit(at_ms, actor, action, object, outcome) VALUES (?, ?, ?, ?, ?)"
        await self.store.write(lambda db: [db.execute(insert, value) for value in values])

    async def run(self, name: str, **arguments: Any) -> Any:
        return await self.operations.table()[f"audit.{name}"](arguments, lambda _: None)

    async def sql(self, statement: str) -> None:
        await self.store.write(lambda db: db.execute(statement))

    async def export(self, **wanted: Any) -> list[list[str]]:
        """Pages of lines."""
        pages, more = list[list[str]](), dict[str, Any]()
        while True:
            page = await self.run("export", **wanted, **more)
            pages.append(page["lines"])
            if page["done"]:
                return pages
            more = {"export": page["export"], "after": page["after"]}


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    opened = Store.open(site_paths(tmp_path))
    yield Site(opened)
    await opened.close()


async def test_a_listing_has_the_newest_and_says_how_many_there_are(site: Site) -> None:
    await site.rows(5)
    await site.rows(2, action="inbox.show")
    found = await site.run("list", action="documents", rows=2)
    assert [row["object"] for row in found["rows"]] == ["d4", "d3"]
    assert (found["count"], found["more"], found["missing"]) == (5, False, None)
    older = await site.run("list", action="documents", rows=3, before=found["older"])
    assert ([row["object"] for row in older["rows"]], older["older"]) == (["d2", "d1", "d0"], None)


@pytest.mark.parametrize("count", [COUNTED_MAX - 1, COUNTED_MAX, COUNTED_MAX + 1])
async def test_a_count_ends_where_nobody_reads_on(site: Site, count: int) -> None:
    await site.rows(count)
    found = await site.run("list")
    assert (found["count"], found["more"]) == (min(count, COUNTED_MAX), count > COUNTED_MAX)


async def test_days_and_moments_are_those_of_this_machine(site: Site) -> None:
    for day in (3, 2, 1):
        await site.rows(1, days_ago=day, action=f"a{day}.view")
    rows = (await site.run("list"))["rows"]
    days = [operations.datetime.fromtimestamp(row["at_ms"] / 1000).astimezone() for row in rows]
    found = await site.run("list", since=f"{days[1]:%Y-%m-%d}", until=f"{days[1]:%Y-%m-%d}")
    assert [row["action"] for row in found["rows"]] == ["a2.view"]
    found = await site.run("list", since=days[1].isoformat(), until=days[0].isoformat())
    assert [row["action"] for row in found["rows"]] == ["a2.view"]
    with pytest.raises(BadArguments, match="since"):
        await site.run("list", since="yesterday")


@pytest.mark.parametrize("count", [0, PAGE_ROWS - 2, PAGE_ROWS - 1, PAGE_ROWS, 2 * PAGE_ROWS])
async def test_an_export_has_every_row_once_and_is_a_row_itself(site: Site, count: int) -> None:
    await site.rows(count)
    pages = await site.export(actor="ada")
    assert all(len(page) <= PAGE_ROWS for page in pages)
    found = [read(line.encode()).data["postern@32473"] for page in pages for line in page]
    assert [int(fields["id"]) for fields in found] == list(range(1, count + 2))
    assert (found[-1]["action"], found[-1]["outcome"], found[-1]["kind"]) == (
        "audit.export",
        "begun",
        "export",
    )
    assert (await site.run("list", action="audit.export"))["rows"][0]["outcome"] == "done"


async def test_rows_that_come_while_it_runs_are_not_in_it(site: Site) -> None:
    await site.rows(PAGE_ROWS)
    first = await site.run("export", actor="ada")
    await site.rows(10)
    second = await site.run("export", actor="ada", export=first["export"], after=first["after"])
    assert (len(second["lines"]), second["done"]) == (1, True)


async def test_a_filtered_export_is_json_when_asked(site: Site) -> None:
    await site.rows(3)
    await site.rows(2, action="inbox.show")
    (page,) = await site.export(actor="ada", format="json", action="inbox")
    assert [json.loads(line)["object"] for line in page] == ["d0", "d1"]
    row = (await site.run("list", action="audit.export"))["rows"][0]
    assert row["object"] == "json first to last by action"


@pytest.mark.proves("audit")
async def test_what_was_looked_for_is_not_kept_for_years(site: Site) -> None:
    typed = {"who": "Maria Schmidt", "action": "Zuckerkrank", "object": "Zimmer 12", "outcome": "failed"}
    await site.export(actor="ada", since="2026-03-01", until="2026-03-02", **typed)
    rows = (await site.run("list", action="audit.export"))["rows"]
    assert {row["object"] for row in rows} == {
        "rfc5424 2026-03-01 to 2026-03-02 by who, action, object, outcome"
    }


async def test_a_page_without_its_row_is_refused(site: Site) -> None:
    await site.rows(PAGE_ROWS)
    begun = (await site.run("export", actor="ada"))["export"]
    for other in (
        {"actor": "eve"},
        {"export": 1},
        {"action": "inbox"},
        {"format": "json"},
        {"export": begun + 9},
    ):
        with pytest.raises(NoSuchExport):
            await site.run("export", **{"actor": "ada", "export": begun, "after": 1, **other})
    await site.sql(f"UPDATE audit SET at_ms = at_ms - {EXPORT_MS_MAX} WHERE id = {begun}")
    with pytest.raises(NoSuchExport):
        await site.run("export", actor="ada", export=begun, after=1)


async def test_a_whole_audit_is_ok(site: Site) -> None:
    assert (await site.run("verify"))["ok"]
    await site.rows(20)
    found = await site.run("verify")
    assert (found["ok"], found["rows"], found["first"], found["last"], found["missing"]) == (
        True,
        20,
        1,
        20,
        0,
    )


@pytest.mark.proves("audit")
@pytest.mark.parametrize(
    ("gone", "gaps"),
    [("id IN (5, 6, 9)", [(5, 6), (9, 9)]), ("id > 18", [(19, 20)]), ("id <= 2", []), ("1", [(1, 20)])],
)  # fmt: skip
async def test_rows_that_somebody_deleted_are_missed(
    site: Site, gone: str, gaps: list[tuple[int, int]]
) -> None:
    await site.rows(20)
    await site.sql(f"DELETE FROM audit WHERE {gone}")
    found = await site.run("verify")
    assert not found["ok"]
    assert found["gaps"] == tuple(gaps)
    assert str(found["missing"]) in found["problem"]
    listed = await site.run("list")
    assert listed["missing"] == sum(last - first + 1 for first, last in gaps)
    assert len((await site.export(actor="ada"))[0]) == found["rows"] + 1


async def test_what_retention_took_away_is_not_missed_and_what_else_went_is(site: Site) -> None:
    await site.rows(10, days_ago=KEPT_DAYS + 1)
    await site.rows(10)

    def purge(db: Any) -> None:
        db.execute("DELETE FROM audit WHERE id <= 8")
        audit_check.note_purged(db, 5)
        audit_check.note_purged(db, 3)

    await site.store.write(purge)
    found = await site.run("verify")
    assert (found["ok"], found["purged"], found["gaps"]) == (True, 8, ())
    await site.sql("DELETE FROM audit WHERE id = 9")  # old enough for retention, which does not say so
    found = await site.run("verify")
    assert (found["ok"], found["missing"], found["gaps"]) == (False, 1, ())
    assert "oldest" in found["problem"]


@pytest.mark.proves("audit")
async def test_counts_that_were_altered_are_noticed(site: Site) -> None:
    await site.rows(3)
    await site.sql("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'audit'")
    assert "altered" in (await site.run("verify"))["problem"]


@pytest.mark.parametrize(
    "altered",
    ["UPDATE audit SET actor = 'bob' WHERE id = 3", "UPDATE audit SET count = 2 WHERE id = 3",
     "UPDATE audit SET at_ms = at_ms + 1 WHERE id = 3", "UPDATE audit SET object = '' WHERE id = 3"],
)  # fmt: skip
async def test_a_checkpoint_notices_rows_that_were_altered(site: Site, altered: str) -> None:
    await site.rows(5)
    remembered = (await site.run("verify"))["checkpoint"]
    await site.rows(5)
    assert (await site.run("verify", checkpoint=remembered))["same_as_checkpoint"] is True
    await site.sql(altered)
    found = await site.run("verify", checkpoint=remembered)
    assert (found["ok"], found["same_as_checkpoint"]) == (False, False)


async def test_a_checkpoint_of_purged_rows_cannot_be_compared_and_a_row_of_this_minute_is_in_none(
    site: Site,
) -> None:
    await site.rows(5)
    remembered = (await site.run("verify"))["checkpoint"]
    await site.store.write(lambda db: audit.append(db, "ada", "audit.view", outcome=Outcome.REFUSED))
    assert (await site.run("verify"))["checkpoint"] == remembered

    def purge(db: Any) -> None:
        db.execute("DELETE FROM audit WHERE id = 1")
        audit_check.note_purged(db, 1)

    await site.store.write(purge)
    found = await site.run("verify", checkpoint=remembered)
    assert (found["ok"], found["same_as_checkpoint"]) == (True, None)
