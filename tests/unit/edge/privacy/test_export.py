"""A person's export: everything of theirs, nothing of others', the same bytes for the same data."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from edge.chat import session_rows
from edge.privacy import export, forgetting
from edge.privacy.export import EXPORTED, ExportTooLarge, canonical, data_of
from edge.privacy.people import People
from edge.store import audit, operators
from edge.store.audit import AuditFilter
from edge.store.operators import Role
from edge.store.schema import KEY_TABLES, TABLES, Kind
from edge.store.store import Store
from edge.store.subject_rows import ABOUT_PEOPLE, Person, count
from edge.store.subjects import shred_key
from tests.unit.edge.privacy.people_rig import NOTICE, Seeded, seed

SUBJECT = "patient-0815"


@pytest_asyncio.fixture
async def seeded(store: Store) -> Seeded:
    return await seed(store, SUBJECT, "conversation-1")


def person(store: Store, subject: str) -> Person:
    return Person(subject, store.digests.of(subject))


async def audited(store: Store) -> list[tuple[str, str, str, str]]:
    rows = await store.read(lambda db: audit.search(db, AuditFilter(), 100))
    return [(row.actor, row.action, row.object, row.outcome) for row in reversed(rows)]


# --- the schema ---


@pytest.mark.proves("export")
@pytest.mark.parametrize("name", list(TABLES | KEY_TABLES))
def test_what_is_exported_of_a_table_can_be_found_and_is_named(name: str) -> None:
    """A new table with exported columns says whose its rows are, and how people call it."""
    table = (TABLES | KEY_TABLES)[name]
    exported = [column for column, tag in table.columns.items() if tag.exported]
    if not exported:
        return
    assert name in TABLES, "the file of keys has no way to a person's rows"
    assert table.whose
    assert table.title
    assert EXPORTED[name] == exported


@pytest.mark.parametrize("name", list(ABOUT_PEOPLE))
def test_every_way_to_a_persons_rows_is_one(name: str) -> None:
    table = TABLES[name]
    assert {way.column for way in table.whose} <= set(table.columns)
    assert not table.sealed_by or table.sealed_by in table.columns


@pytest.mark.proves("export")
def test_what_names_a_person_is_found_with_the_person() -> None:
    """Customers' words and names stand in no table that erasure and export do not know."""
    for name, table in TABLES.items():
        kinds = {tag.kind for tag in table.columns.values()}
        assert name in ABOUT_PEOPLE or not kinds & {Kind.CONTENT, Kind.PSEUDONYM}, name


async def test_export_and_erasure_mean_the_same_rows(store: Store, seeded: Seeded) -> None:
    await seed(store, "somebody-else", "conversation-2")
    for name in (SUBJECT, f"ticket:{seeded.ticket}", "nobody"):
        whom = person(store, name)
        here = await store.read(partial(count, person=whom))
        assert await store.read(partial(forgetting.count_rows, subject=name, digest=whom.digest)) == here


# --- the document ---


@pytest.mark.proves("export")
async def test_everything_of_a_person_and_nothing_of_others(store: Store, seeded: Seeded) -> None:
    await seed(store, "somebody-else", "conversation-2", "Where is my giraffe?")
    data = await data_of(store, person(store, SUBJECT))
    assert {name: len(table["rows"]) for name, table in data["tables"].items()} == {
        "subjects": 1, "sessions": 1, "turns": 1, "citations": 1, "consents": 2, "feedback": 1, "handoffs": 1,
        "messages": 2, "lan_uses": 1, "text_uses": 2,
    }  # fmt: skip
    for name, table in data["tables"].items():
        assert all(set(row) == set(EXPORTED[name]) for row in table["rows"]), name
        assert set(table["columns"]) == set(EXPORTED[name])
        assert table["unreadable"] == 0
    told = canonical(data).decode()
    for theirs in ("Where is my zebra?", "In the <zoo>.", "no zebra there", NOTICE, "10.0.0.7"):
        assert theirs in told
    for not_theirs in ("giraffe", "somebody-else", "conversation-2", "miranda-login", "canary-hash"):
        assert not_theirs not in told


async def test_sealed_documents_are_taken_apart_and_words_are_left_as_they_are(
    store: Store, seeded: Seeded
) -> None:
    tables = (await data_of(store, person(store, SUBJECT)))["tables"]
    assert tables["turns"]["rows"][0]["body"]["citations"][0]["title"] == "The zoo"
    assert tables["turns"]["rows"][0]["redactions"] == ["PERSON"]
    assert tables["feedback"]["rows"][0]["reason"] == {"reason": "wrong", "words": "no zebra there"}
    assert tables["feedback"]["rows"][0]["useful"] is False
    assert tables["sessions"]["rows"][0]["overflow_consent"] is False
    assert [row["given"] for row in tables["consents"]["rows"]] == [True, False]
    assert [row["body"] for row in tables["messages"]["rows"]] == ["Where is my zebra?", '{"at": "the gate"}']


async def test_who_got_something_is_told_once_each(store: Store, seeded: Seeded) -> None:
    found = (await data_of(store, person(store, SUBJECT)))["recipients"]
    assert [(one["recipient"], one["times"], one["bytes"]) for one in found] == [
        ("llm_server at 10.0.0.7", 1, 321),
        ("text for lan_llm", 1, 321),  # the one that was refused is nobody's
    ]


async def test_the_same_data_are_the_same_bytes(store: Store, seeded: Seeded) -> None:
    first, again = [await People(store, "The clinic").export(SUBJECT, "olga") for _ in range(2)]
    assert canonical(first["data"]) == canonical(again["data"])
    assert first["request"]["data_sha256"] == again["request"]["data_sha256"]
    await store.write(lambda db: db.execute("UPDATE sessions SET overflow_consent = 1"))
    changed = await People(store, "The clinic").export(SUBJECT, "olga")
    assert changed["request"]["data_sha256"] != first["request"]["data_sha256"]
    assert json.loads(json.dumps(changed)) == changed


async def test_what_has_no_key_any_more_is_said_and_the_rest_is_there(store: Store, seeded: Seeded) -> None:
    await store.write_keys(lambda keys: shred_key(keys, SUBJECT))
    tables = (await data_of(store, person(store, SUBJECT)))["tables"]
    assert [tables[name]["unreadable"] for name in ("turns", "feedback", "messages")] == [1, 1, 0]
    assert tables["turns"]["rows"][0]["body"] is None


async def test_a_value_that_was_moved_is_not_read_as_somebodys(store: Store, seeded: Seeded) -> None:
    await store.write(lambda db: db.execute("UPDATE turns SET id = 'moved'"))
    turns = (await data_of(store, person(store, SUBJECT)))["tables"]["turns"]
    assert (turns["unreadable"], turns["rows"][0]["body"]) == (1, None)


@pytest.mark.parametrize(("most", "fits"), [(3, True), (2, True), (1, False)])
async def test_a_document_is_bounded(
    store: Store, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool
) -> None:
    monkeypatch.setattr(export, "ROWS_MAX", most)  # there are two messages
    people = People(store, "The clinic")
    if fits:
        await people.export(SUBJECT, "olga")
    else:
        with pytest.raises(ExportTooLarge):
            await people.export(SUBJECT, "olga")
    assert (await audited(store))[-1][3] == ("done" if fits else "failed")


# --- who asks, and who is meant ---


@pytest.mark.proves("export")
async def test_each_look_is_written_down_without_the_name(store: Store, seeded: Seeded) -> None:
    people, label = People(store, "The clinic"), store.digests.label(SUBJECT)
    shown = await people.show(SUBJECT, "olga")
    await people.export(SUBJECT, "olga")
    assert await audited(store) == [
        ("olga", "privacy.subject", label, "done"),
        ("olga", "privacy.export", label, "begun"),
        ("olga", "privacy.export", label, "done"),
    ]
    assert shown["label"] == label == f"subject:{store.digests.of(SUBJECT).hex()[:16]}"


async def test_staff_appear_under_the_name_that_people_see(store: Store) -> None:
    await store.write(
        lambda db: operators.add(
            db, "test", "olga-login", [Role.DATA_PROTECTION], "x", display_name="Olga Petrova"
        )
    )
    people = People(store, "The clinic")
    asked = [(await people.export("x", actor))["request"]["asked_by"] for actor in ("olga-login", "root")]
    assert asked == ["Olga", "staff of The clinic"]


async def test_somebody_of_whom_nothing_is_stored(store: Store, seeded: Seeded) -> None:
    found = await People(store, "The clinic").show("nobody", "olga")
    assert (found["found"], sum(found["counts"].values()), found["hold"]) == (False, 0, None)
    document = await People(store, "The clinic").export("nobody", "olga")
    assert not any(table["rows"] for table in document["data"]["tables"].values())


@pytest.mark.proves("export")
@pytest.mark.parametrize("named", ["subject", "session", "ticket"])
async def test_whatever_a_person_can_name_leads_to_them(store: Store, seeded: Seeded, named: str) -> None:
    people = People(store, "The clinic")
    name = getattr(seeded, named)
    for text in (name, name.lower(), f"{named}:{name}" if named != "subject" else name):
        assert (await people.find(text)).subject == SUBJECT
    await store.write_keys(lambda keys: shred_key(keys, SUBJECT))
    assert (await people.find(name)).subject == SUBJECT


@pytest.mark.parametrize("text", ["gone", "session:gone"])
async def test_a_conversation_that_is_over_is_found_by_what_is_kept_of_it(store: Store, text: str) -> None:
    people = People(store, "The clinic")
    assert (await people.find(text)).subject == text
    hold = ["session:gone", "case 7", "olga", 1]
    await store.write_keys(lambda keys: keys.execute("INSERT INTO holds VALUES (?, ?, ?, ?, NULL)", hold))
    assert (await people.find(text)).subject == "session:gone"


async def test_a_conversation_that_stands_for_its_person(store: Store) -> None:
    seeded = await seed(store, "session:abc", "abc")
    people = People(store, "The clinic")
    await store.write(lambda db: session_rows.delete(db, "abc"))
    for text in ("abc", "session:abc", seeded.ticket):
        found = await people.show(text, "olga")
        assert (found["subject"], found["tickets"]) == ("session:abc", [seeded.ticket])
        assert found["counts"]["consents"] == 2
        assert found["counts"]["turns"] == 0


async def test_a_ticket_of_nobody_stands_for_its_person(store: Store) -> None:
    seeded = await seed(store, "session:abc", "abc")
    await store.write(lambda db: session_rows.delete(db, "abc"))
    await store.write(lambda db: db.execute("UPDATE handoffs SET subject = ''"))
    found = await People(store, "The clinic").show(seeded.ticket, "olga")
    assert found["subject"] == f"ticket:{seeded.ticket}"
    assert (found["counts"]["handoffs"], found["counts"]["messages"]) == (1, 2)
    data = await data_of(store, person(store, found["subject"]))
    assert data["tables"]["messages"]["rows"][0]["body"] == "Where is my zebra?"


async def test_a_hold_an_erasure_and_who_looked_are_shown(store: Store, seeded: Seeded) -> None:
    people: Any = People(store, "The clinic")
    await store.write_keys(
        lambda keys: keys.execute("INSERT INTO holds VALUES (?, 'case 7', 'olga', 1, 2)", [SUBJECT])
    )
    await store.write_keys(
        lambda keys: keys.execute(
            "INSERT INTO erasures VALUES (?, 3, ?)", [store.digests.of(SUBJECT), '{"signature": "x"}']
        )
    )
    await store.write(lambda db: audit.append(db, "dora", "inbox.show", seeded.ticket))
    found = await people.show(SUBJECT, "olga")
    assert found["hold"] == {
        "reference": "case 7",
        "placed_by": "olga",
        "placed_ms": 1,
        "erasure_asked_ms": 2,
    }
    assert found["erasures"] == [{"erased_ms": 3, "receipt": {"signature": "x"}}]
    assert [(row["actor"], row["action"]) for row in found["seen"]] == [
        ("olga", "privacy.subject"),
        ("dora", "inbox.show"),
    ]
    assert [(one["purpose"], one["given"]) for one in found["consents"]] == [
        ("notice", True),
        ("overflow", False),
    ]


# --- how it is written ---


def test_the_canonical_bytes_are_those_of_any_json_writer() -> None:
    """Compact, keys in order, UTF-8: whoever checks `data_sha256` needs nothing of ours."""
    data = {"ü": [1, True, None, 'a\u2028\x00\x7f"\\/\t'], "a": {"b": 1.5, "A": -(2**53)}, "𝄞": {}}
    assert (
        canonical(data)
        == json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    )
