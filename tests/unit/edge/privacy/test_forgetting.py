"""What is taken away of a person: every column about people is thought of, and nobody else loses a row."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from edge.privacy import forgetting
from edge.privacy.forgetting import UNLINKED, forget_rows, forget_unreadable, whose
from edge.store.schema import KEY_TABLES, TABLES, Kind
from edge.store.subject_rows import ABOUT_PEOPLE
from edge.store.subjects import create_key, load_key, shred_key
from tests.unit.edge.privacy.erasure_rig import VISITED, Site, open_site

# Of the file of keys: handled by the erasure itself, for these are what it goes by.
KEYS_HANDLED = {
    "subject_keys.subject": "shredded first of all, in the transaction that puts the person on the list",
    "erasures.digest": "the list itself: without it a restored backup would bring the person back",
}


def about_people(tables: object) -> set[str]:
    assert isinstance(tables, dict)
    return {
        f"{table}.{column}"
        for table, described in tables.items()
        for column, tag in described.columns.items()
        if tag.kind in {Kind.PSEUDONYM, Kind.CONTENT}
    }


@pytest.mark.proves("erasure")
def test_each_column_that_stands_for_a_person_or_holds_their_words_is_forgotten() -> None:
    found = {name.split(".")[0] for name in about_people(TABLES)}
    assert found <= ABOUT_PEOPLE.keys(), "say whose its rows are: edge/store/schema"
    kept = {
        f"{table}.{change.split(' = ')[0]}"
        for table, changes in UNLINKED.items()
        for change in changes.split(", ")
    }
    left = {name for name in about_people(TABLES) if name.split(".")[0] in UNLINKED} - kept
    assert left == set(), "a row that stays must not say whose it was"


def test_each_column_of_the_file_of_keys_is_thought_of() -> None:
    assert about_people(KEY_TABLES) == KEYS_HANDLED.keys()


def test_a_visit_leaves_a_row_in_every_table_that_is_forgotten() -> None:
    assert ABOUT_PEOPLE.keys() == VISITED


async def everything(site: Site) -> dict[str, int]:
    found = await site.counts()
    assert all(found.values()), found
    return found


@pytest.mark.proves("erasure")
async def test_all_of_a_person_goes_and_nothing_of_anybody_else(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit("other")
        others = await everything(site)
        await site.visit("patient-7")
        await site.visit("patient-7")
        store = site.desk.store
        digest = store.digests.of("patient-7")
        gone = await store.write(lambda db: forget_rows(db, "patient-7", digest))
        assert {table: rows for table, rows in gone.items() if rows < 1} == {}
        assert await site.counts() == others
        assert (await site.counts(linked=False))["lan_uses"] == 3
        again = await store.write(lambda db: forget_rows(db, "patient-7", digest))
        assert set(again.values()) == {0}


async def test_the_proof_of_consent_is_left_alone_unless_it_is_named(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit("patient-7")
        consents = (await site.counts())["consents"]
        gone = await site.desk.store.write(lambda db: forget_rows(db, "patient-7"))
        assert gone["consents"] == 0
        assert (await site.counts())["consents"] == consents


async def test_rows_after_the_time_stay(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit("patient-7")
        before = await site.counts()
        store = site.desk.store
        digest = store.digests.of("patient-7")
        (first,) = await store.read(lambda db: db.execute("SELECT min(created_ms) FROM sessions").fetchone())
        await store.write(lambda db: forget_rows(db, "patient-7", digest, first - 1))
        assert await site.counts() == before
        (last,) = await store.read(lambda db: db.execute("SELECT max(created_ms) FROM handoffs").fetchone())
        await store.write(lambda db: forget_rows(db, "patient-7", digest, last + 1))
        assert not any((await site.counts()).values())


async def test_a_conversation_that_is_wiped_leaves_its_ticket_with_its_owner(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit("patient-7")
        await site.desk.sessions.wipe(new.session.id)
        rows = await site.counts()
        assert {table for table, count in rows.items() if count} == {
            "consents", "handoffs", "messages", "notifications",
        }  # fmt: skip
        name = await site.desk.store.read(lambda db: whose(db, f"ticket:{number}"))
        assert name == "patient-7"
        assert await site.desk.store.read(lambda db: forgetting.keys_of(db, name)) == [
            name,
            f"ticket:{number}",
        ]


@pytest.mark.parametrize("subject", ["patient-7", None])
async def test_a_conversation_and_a_ticket_are_somebodys(tmp_path: Path, subject: str | None) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit(subject)
        own = f"session:{new.session.id}"
        names = [own, f"ticket:{number}", "session:nobodys", "ticket:NOBODY", "patient-9"]
        found = await site.desk.store.read(lambda db: [whose(db, name) for name in names])
        assert found == [subject or own, subject or own, *names[2:]]


async def test_what_has_no_key_any_more_goes_and_the_rest_stays(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        _, number = await site.visit("patient-7")
        _, others = await site.visit("other")
        store, left = site.desk.store, ("other", f"ticket:{number}")
        keys = {name: await store.read_keys(partial(load_key, subject=name)) for name in left}
        gone = await store.write(lambda db: forget_unreadable(db, keys.get))
        assert gone > 0
        rows = await site.desk.store.read(
            lambda db: (
                [row[0] for row in db.execute("SELECT subject FROM sessions")],
                [row[0] for row in db.execute("SELECT ticket FROM handoffs")],
                [row[0] for row in db.execute("SELECT DISTINCT ticket FROM messages")],
                [row[0] for row in db.execute("SELECT session FROM handoffs")],
            )
        )
        assert rows == (["other"], [number], [number], [""])
        assert others != number


async def test_what_another_key_of_the_same_person_sealed_goes(tmp_path: Path) -> None:
    """As a restore finds it when somebody's conversations had all ended and they came again."""
    async with open_site(tmp_path) as site:
        first, _ = await site.visit("patient-7")
        store = site.desk.store
        await store.write_keys(lambda keys: (shred_key(keys, "patient-7"), create_key(keys, "patient-7")))
        other = await store.read_keys(partial(load_key, subject="patient-7"))
        assert await store.write(lambda db: forget_unreadable(db, lambda _: other)) == 1
        assert await store.read(lambda db: db.execute("SELECT count(*) FROM sessions").fetchone()[0]) == 0
        assert not await store.read(
            lambda db: db.execute("SELECT 1 FROM turns WHERE session = ?", [first.session.id]).fetchone()
        )
