"""Files to passages through the real store: whole or not at all, once, replaced, removed, rebuilt."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sqlite_utils import Database

from edge.config import site_paths
from edge.knowledge import commands, uploads, versions
from edge.knowledge.document import Audience, Metadata, State, Validity
from edge.knowledge.files import uploaded_name
from edge.knowledge.ingest import KnowledgeBase, Progress, now_ms
from edge.knowledge.metadata import Bound, MetadataChange
from edge.knowledge.readers import FILE_BYTES_MAX, UnreadableDocument
from edge.knowledge.terms import terms
from edge.privacy import forgetting
from edge.store.outbox import OutboxClass, rows_after
from edge.store.store import Store

DIM = 64
NOW = 1_800_000_000_000
BICYCLES = "Where do bicycles stand?"
PUBLIC, STAFF = MetadataChange(Audience.PUBLIC), MetadataChange(Audience.STAFF)


class HashedWords:
    """A stand-in encoder: counts of hashed words. `fail` makes the next pass fail."""

    dim = DIM

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fail = False

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.fail:
            raise RuntimeError("the encoder is gone")
        self.texts += texts
        found = np.full((len(texts), DIM), 0.01, np.float32)
        for row, text in enumerate(texts):
            for word in terms(text):
                found[row, sum(ord(c) * 31**i for i, c in enumerate(word)) % DIM] += 1.0
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def insert_turn(db: Database) -> None:
    db.execute(
        "INSERT INTO sessions(id, subject, token_hash, channel, locale, created_ms, expires_ms)"
        " VALUES ('session-1', 'somebody', x'00', 'kiosk', 'en', 1, 2)"
    )
    db.execute(
        "INSERT INTO turns(id, session, created_ms, route, label, redactions, body)"
        " VALUES ('turn-1', 'session-1', 1, 'answer', 'public', '[]', x'00')"
    )


@pytest.fixture
def embedder() -> HashedWords:
    return HashedWords()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store.open(site_paths(tmp_path / "site"))
    yield store
    await store.close()


@pytest.fixture
async def base(store: Store, embedder: HashedWords) -> KnowledgeBase:
    return await KnowledgeBase.open(store, embedder, "encoder-1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    (folder / "fees").mkdir(parents=True)
    (folder / "hours.md").write_text("# Hours\n\n## Saturday\n\nWe open at nine on Saturday.\n")
    (folder / "fees" / "parking.txt").write_text("Parking\n\nParking costs two pounds an hour.\n")
    (folder / ".DS_Store").write_bytes(b"\x00")
    return folder


def ids(base: KnowledgeBase, text: str, audience: Audience = Audience.PUBLIC) -> list[str]:
    return [found.passage.doc for found in base.search(text, 5, audience, at_ms=NOW)]


async def test_a_folder_is_added_once(base: KnowledgeBase, folder: Path, embedder: HashedWords) -> None:
    seen: list[Progress] = []
    report = await base.add([folder], PUBLIC, seen.append)
    assert (report.added, report.unchanged, report.failed) == (("fees/parking.txt", "hours.md"), (), ())
    assert (seen[-1].done, seen[-1].of) == (2, 2)
    assert ids(base, "What does parking cost?")[0] == "fees/parking.txt"
    count = len(embedder.texts)
    again = await base.add([folder], PUBLIC)
    assert (again.added, again.unchanged) == ((), ("fees/parking.txt", "hours.md"))
    assert len(embedder.texts) == count


async def test_titles_and_headings_are_embedded_before_the_text(
    base: KnowledgeBase, folder: Path, embedder: HashedWords
) -> None:
    await base.add([folder / "hours.md"], PUBLIC)
    assert embedder.texts == ["Hours › Saturday\nWe open at nine on Saturday."]


async def test_a_changed_document_replaces_its_passages(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], PUBLIC)
    (folder / "fees" / "parking.txt").write_text("Parking\n\nParking costs four pounds an hour.\n")
    assert (await base.add([folder], PUBLIC)).added == ("fees/parking.txt",)
    found = [one.passage for one in base.search("parking pounds", 5, Audience.PUBLIC, at_ms=NOW)]
    assert [(p.version, p.text) for p in found if p.doc == "fees/parking.txt"] == [
        (2, "Parking costs four pounds an hour.")
    ]


async def test_a_removed_document_is_gone(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], PUBLIC)
    assert await base.remove("hours.md")
    assert not await base.remove("hours.md")
    assert ids(base, "open on Saturday at nine") == ["fees/parking.txt"]
    assert [document.id for document in await base.documents()] == ["fees/parking.txt"]


async def test_a_document_moves_to_staff(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], PUBLIC)
    await base.add([folder / "hours.md"], STAFF)
    assert "hours.md" not in ids(base, "open on Saturday at nine")
    assert ids(base, "open on Saturday at nine", Audience.STAFF)[0] == "hours.md"


async def test_bad_files_fail_alone_and_say_why(base: KnowledgeBase, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    report = await commands.add(base, [folder, folder / "missing.md"], PUBLIC)
    assert (report["added"], report["unchanged"]) == (2, 0)
    failed = {item["path"]: item["reason"] for item in report["failed"]}
    assert set(failed) == {"broken.pdf", "photo.png", "missing.md"}
    assert "damaged" in failed["broken.pdf"]
    assert "Save it as PDF" in failed["photo.png"]


async def test_two_files_with_one_name_do_not_silently_become_one(
    base: KnowledgeBase, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "hours.md").write_text("# Other hours\n\nNever open.\n")
    report = await base.add([folder, tmp_path / "other", folder], PUBLIC)
    assert report.added == ("fees/parking.txt", "hours.md")
    assert [name for name, _ in report.failed] == ["hours.md"]


async def test_a_failure_leaves_nothing_of_the_document(
    base: KnowledgeBase, folder: Path, embedder: HashedWords, store: Store
) -> None:
    embedder.fail = True
    with pytest.raises(RuntimeError):
        await base.add([folder], PUBLIC)
    embedder.fail = False
    assert await base.documents() == []
    assert await store.read(lambda db: rows_after(db, 0, 10, 10**6)) == []
    assert (await base.add([folder], PUBLIC)).added == ("fees/parking.txt", "hours.md")


async def test_each_commit_announces_counts_and_nothing_else(
    base: KnowledgeBase, folder: Path, store: Store
) -> None:
    await base.add([folder], PUBLIC)
    await base.remove("hours.md")
    out = await store.read(lambda db: rows_after(db, 0, 10, 10**6))
    assert {row.outbox_class for row in out} == {OutboxClass.STATE}
    assert [(row.kind, json.loads(row.payload)) for row in out] == [
        ("knowledge.changed", {"documents": 2, "chunks": 2, "generation": 1}),
        ("knowledge.changed", {"documents": 1, "chunks": 1, "generation": 2}),
    ]


async def test_the_indexes_are_rebuilt_from_the_store(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords
) -> None:
    await base.add([folder / "hours.md"], PUBLIC)
    await base.add([folder / "fees"], STAFF)
    again = await KnowledgeBase.open(store, embedder, "encoder-1")
    for audience in Audience:
        for text in ("parking pounds an hour", "Saturday at nine"):
            assert again.search(text, 5, audience, at_ms=NOW) == base.search(text, 5, audience, at_ms=NOW)


async def test_the_commands_speak_the_contract(base: KnowledgeBase, folder: Path) -> None:
    await commands.add(base, [folder], PUBLIC)
    found = await commands.search(base, "What does parking cost?", k=1)
    assert found == [
        {
            "doc": "fees/parking.txt",
            "title": "Parking",
            "section": "",
            "text": "Parking costs two pounds an hour.",
            "score": found[0]["score"],
            "version": 1,
            "state": "approved",
            "lexical": {"rank": 1, "score": found[0]["lexical"]["score"]},
            "vector": {"rank": 1, "score": found[0]["vector"]["score"]},
        }
    ]
    listed = await commands.listing(base)
    assert [(item["doc"], item["audience"], item["version"], item["chunks"]) for item in listed] == [
        ("fees/parking.txt", "public", 1, 1),
        ("hours.md", "public", 1, 1),
    ]
    assert await commands.remove(base, "hours.md") == {"removed": "hours.md"}
    with pytest.raises(commands.NoSuchDocument):
        await commands.remove(base, "hours.md")


async def test_what_was_said_of_a_document_stays_when_its_text_changes(
    base: KnowledgeBase, folder: Path
) -> None:
    said = MetadataChange(Audience.STAFF, owner="Desk", valid_until=Bound(NOW + 1))
    await base.add([folder / "hours.md"], said)
    (folder / "hours.md").write_text("# Hours\n\nWe open at ten on Saturday.\n")
    assert (await base.add([folder / "hours.md"])).added == ("hours.md",)
    (document,) = await base.documents()
    assert document.metadata == Metadata(Audience.STAFF, "Desk", State.APPROVED, Validity(None, NOW + 1))
    assert ids(base, "Saturday at ten") == []
    assert ids(base, "Saturday at ten", Audience.STAFF) == ["hours.md"]


async def test_metadata_changes_without_the_encoder(
    base: KnowledgeBase, folder: Path, embedder: HashedWords
) -> None:
    await base.add([folder])
    count = len(embedder.texts)
    report = await base.add([folder], MetadataChange(owner="Desk", state=State.RETIRED))
    assert (report.added, report.unchanged, report.updated) == ((), (), ("fees/parking.txt", "hours.md"))
    changed = await base.set_metadata("hours.md", MetadataChange(state=State.APPROVED))
    assert changed == (Metadata(owner="Desk", state=State.RETIRED), Metadata(owner="Desk"))
    assert await base.set_metadata("no.md", MetadataChange()) is None
    assert len(embedder.texts) == count
    assert ids(base, "parking on Saturday") == ["hours.md"]
    assert {document.version for document in await base.documents()} == {1}


@pytest.mark.parametrize("state", [State.DRAFT, State.RETIRED])
async def test_what_is_not_approved_is_found_by_nobody_also_after_a_restart(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords, state: State
) -> None:
    await base.add([folder / "hours.md"], MetadataChange(state=state))
    await base.add([folder / "fees"])
    for opened in (base, await KnowledgeBase.open(store, embedder, "encoder-1")):
        for audience in Audience:
            assert ids(opened, "open on Saturday at nine", audience) == ["parking.txt"]
            known, unknown = terms("Saturday unheard")
            rarity = opened.searcher.rarity("Saturday unheard", audience)
            assert rarity[known] == rarity[unknown]
        assert len(opened.drafts) == (1 if state is State.DRAFT else 0)


async def test_a_document_ends_at_its_date_without_a_restart(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder / "hours.md"], MetadataChange(valid_from=Bound(NOW), valid_until=Bound(NOW + 10)))

    def found(at_ms: int) -> bool:
        return bool(base.search("Saturday at nine", 5, Audience.PUBLIC, at_ms=at_ms))

    assert [found(NOW + after) for after in (-1, 0, 9, 10)] == [False, True, True, False]


async def test_a_folder_is_followed(base: KnowledgeBase, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text("# Own\n\nAdded by itself.\n")
    await base.add([folder, tmp_path / "own.md"], mirror=True)
    (folder / "hours.md").unlink()
    (folder / "fees" / "parking.txt").write_bytes(b"\x00\x81")  # unreadable now, but not gone
    report = await base.add([folder], mirror=True)
    assert (report.removed, [name for name, _ in report.failed]) == (("hours.md",), ["fees/parking.txt"])
    assert [document.id for document in await base.documents()] == ["fees/parking.txt", "own.md"]


async def test_a_folder_that_is_away_takes_nothing_with_it(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], mirror=True)
    shutil.rmtree(folder)
    folder.mkdir()
    report = await base.add([folder], mirror=True)
    assert (report.removed, len(report.failed)) == ((), 1)
    assert "nothing was removed" in report.failed[0][1]
    assert len(await base.documents()) == 2


async def test_a_document_that_does_not_fit_what_is_said_fails_alone(
    base: KnowledgeBase, folder: Path
) -> None:
    await base.add([folder / "hours.md"], MetadataChange(valid_from=Bound(NOW)))
    report = await base.add([folder], MetadataChange(valid_until=Bound(NOW)))
    assert report.added == ("fees/parking.txt",)
    assert [name for name, _ in report.failed] == ["hours.md"]
    assert "before it begins" in report.failed[0][1]


async def test_old_texts_stay_while_a_turn_quotes_them(
    base: KnowledgeBase, folder: Path, store: Store
) -> None:
    await base.add([folder])
    await store.write(lambda db: versions.cite(db, "turn-1", [("hours.md", 1), ("hours.md", 1)]))
    await store.write(insert_turn)
    (folder / "hours.md").write_text("# Hours\n\nWe open at ten on Saturday.\n")
    await base.add([folder])
    await base.remove("fees/parking.txt")
    later = now_ms() + versions.UNCITED_MS
    await store.write(lambda db: versions.prune(db, later - versions.UNCITED_MS))
    kept = await store.read(lambda db: versions.old_versions(db, "fees/parking.txt"))
    assert [old.version for old in kept] == [1]  # a turn may be about to quote it
    await store.write(lambda db: versions.prune(db, later))
    assert await store.read(lambda db: versions.old_versions(db, "fees/parking.txt")) == []
    (old,) = await store.read(lambda db: versions.old_versions(db, "hours.md"))
    assert (old.version, old.citations, old.chunks) == (1, 1, (("Saturday", "We open at nine on Saturday."),))
    await store.write(lambda db: forgetting.forget_conversation(db, "session-1"))
    await store.write(lambda db: versions.prune(db, later))
    assert await store.read(lambda db: versions.old_versions(db, "hours.md")) == []
    assert await store.read(lambda db: db.execute("SELECT count(*) FROM citations").fetchone()[0]) == 0


async def test_a_version_number_is_never_used_twice(base: KnowledgeBase, folder: Path, store: Store) -> None:
    await base.add([folder / "hours.md"])
    await store.write(lambda db: versions.cite(db, "turn-1", [("hours.md", 1)]))
    await base.remove("hours.md")
    await base.add([folder / "hours.md"])
    assert [document.version for document in await base.documents()] == [2]


async def test_staff_may_look_at_drafts_beside_what_is_approved(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder / "fees"])
    written = await commands.write(base, "Where do *bicycles* stand?", "Behind the house.", STAFF)
    assert (written["doc"], written["state"], written["audience"]) == (
        "answers/where-do-bicycles-stand.md",
        "draft",
        "staff",
    )
    assert written["passages"] == [{"section": "", "text": "Behind the house."}]
    for audience in Audience:
        shown = await commands.search(base, BICYCLES, audience=audience)
        assert [one["doc"] for one in shown] == ["parking.txt"]
    hidden = await commands.search(base, BICYCLES, audience=Audience.PUBLIC, drafts=True)
    assert [one["doc"] for one in hidden] == ["parking.txt"]
    shown = await commands.search(base, BICYCLES, audience=Audience.STAFF, drafts=True)
    assert [(one["doc"], one["state"]) for one in shown] == [
        (written["doc"], "draft"),
        ("parking.txt", "approved"),
    ]
    assert (shown[0]["lexical"]["rank"], shown[0]["vector"]["rank"]) == (1, 1)
    await commands.set_metadata(base, written["doc"], MetadataChange(state=State.APPROVED))
    shown = await commands.search(base, BICYCLES, audience=Audience.STAFF)
    assert shown[0]["doc"] == written["doc"]


async def test_a_second_answer_to_a_question_is_a_second_document(base: KnowledgeBase) -> None:
    names = [
        (await commands.write(base, question, "An answer.", MetadataChange()))["doc"]
        for question in ("Why?", "Why?", "为什么？", "?!")
    ]
    assert names == ["answers/why.md", "answers/why-2.md", "answers/为什么.md", "answers/answer.md"]


@pytest.mark.parametrize(("question", "answer"), [("  ", "Yes."), ("Why?", " \n "), ("Why?", "<b></b>")])
async def test_an_answer_that_says_nothing_is_refused(
    base: KnowledgeBase, question: str, answer: str
) -> None:
    with pytest.raises(UnreadableDocument):
        await commands.write(base, question, answer, MetadataChange())
    assert await base.documents() == []


async def test_an_upload_is_taken_in_under_its_name_and_leaves_no_file(
    base: KnowledgeBase, tmp_path: Path
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"# Lockers\n\nLockers cost "
        yield b"one pound.\n"

    folder = tmp_path / "run"
    folder.mkdir()
    async with uploads.received(pieces(), folder) as file:
        assert file.stat().st_mode & 0o077 == 0
        report = await commands.upload(base, file, "C:\\papers\\lockers.md", MetadataChange(owner="Desk"))
    assert (report["doc"], report["added"], report["owner"]) == ("lockers.md", 1, "Desk")
    assert list(folder.iterdir()) == []
    assert ids(base, "lockers") == ["lockers.md"]


@pytest.mark.parametrize(
    ("size", "taken"), [(FILE_BYTES_MAX - 1, True), (FILE_BYTES_MAX, True), (FILE_BYTES_MAX + 1, False)]
)
async def test_an_upload_ends_with_its_limit(tmp_path: Path, size: int, taken: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 2**20):
            yield bytes(min(2**20, size - start))

    with contextlib.nullcontext() if taken else pytest.raises(UnreadableDocument):
        async with uploads.received(pieces(), tmp_path) as file:
            assert file.stat().st_size == size
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a/", ".hidden.md", "x\ny.md", "x" * 301])
def test_names_of_uploads_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(UnreadableDocument):
        uploaded_name(name)


async def test_a_document_is_shown_with_its_old_texts(
    base: KnowledgeBase, folder: Path, store: Store
) -> None:
    await base.add([folder])
    (folder / "hours.md").write_text("# Hours\n\nWe open at ten.\n")
    await base.add([folder])
    shown = await commands.show(base, "hours.md")
    assert (shown["version"], shown["shown_version"], shown["removed"]) == (2, 2, False)
    assert shown["passages"] == [{"section": "", "text": "We open at ten."}]
    assert [(old["version"], old["citations"]) for old in shown["old_versions"]] == [(1, 0)]
    shown = await commands.show(base, "hours.md", 1)
    assert shown["passages"] == [{"section": "Saturday", "text": "We open at nine on Saturday."}]
    assert (await commands.show(base, "hours.md", first=1))["passages"] == []
    with pytest.raises(commands.NoSuchDocument):
        await commands.show(base, "hours.md", 3)
    with pytest.raises(commands.NoSuchDocument):
        await commands.show(base, "nowhere.md")
    await base.remove("hours.md")
    assert (await commands.show(base, "hours.md"))["removed"]
