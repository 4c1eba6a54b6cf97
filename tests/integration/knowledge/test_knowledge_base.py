"""Files to passages through the real store: whole or not at all, once, replaced, removed, rebuilt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.config import site_paths
from edge.knowledge import commands, rows
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase, Progress
from edge.knowledge.terms import terms
from edge.store.outbox import OutboxClass, rows_after
from edge.store.store import Store

DIM = 64


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
    return [passage.doc for passage in base.search(text, 5, audience)]


async def test_a_folder_is_added_once(base: KnowledgeBase, folder: Path, embedder: HashedWords) -> None:
    seen: list[Progress] = []
    report = await base.add([folder], Audience.PUBLIC, seen.append)
    assert (report.added, report.unchanged, report.failed) == (("fees/parking.txt", "hours.md"), (), ())
    assert (seen[-1].done, seen[-1].of) == (2, 2)
    assert ids(base, "What does parking cost?")[0] == "fees/parking.txt"
    count = len(embedder.texts)
    again = await base.add([folder], Audience.PUBLIC)
    assert (again.added, again.unchanged) == ((), ("fees/parking.txt", "hours.md"))
    assert len(embedder.texts) == count


async def test_titles_and_headings_are_embedded_before_the_text(
    base: KnowledgeBase, folder: Path, embedder: HashedWords
) -> None:
    await base.add([folder / "hours.md"], Audience.PUBLIC)
    assert embedder.texts == ["Hours › Saturday\nWe open at nine on Saturday."]


async def test_a_changed_document_replaces_its_passages(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], Audience.PUBLIC)
    (folder / "fees" / "parking.txt").write_text("Parking\n\nParking costs four pounds an hour.\n")
    assert (await base.add([folder], Audience.PUBLIC)).added == ("fees/parking.txt",)
    found = base.search("parking pounds", 5, Audience.PUBLIC)
    assert [(p.version, p.text) for p in found if p.doc == "fees/parking.txt"] == [
        (2, "Parking costs four pounds an hour.")
    ]


async def test_a_removed_document_is_gone(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], Audience.PUBLIC)
    assert await base.remove("hours.md")
    assert not await base.remove("hours.md")
    assert ids(base, "open on Saturday at nine") == ["fees/parking.txt"]
    assert [document.id for document in await base.documents()] == ["fees/parking.txt"]


async def test_a_document_moves_to_staff(base: KnowledgeBase, folder: Path) -> None:
    await base.add([folder], Audience.PUBLIC)
    await base.add([folder / "hours.md"], Audience.STAFF)
    assert "hours.md" not in ids(base, "open on Saturday at nine")
    assert ids(base, "open on Saturday at nine", Audience.STAFF)[0] == "hours.md"


async def test_bad_files_fail_alone_and_say_why(base: KnowledgeBase, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    report = await commands.add(base, [folder, folder / "missing.md"], Audience.PUBLIC)
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
    report = await base.add([folder, tmp_path / "other", folder], Audience.PUBLIC)
    assert report.added == ("fees/parking.txt", "hours.md")
    assert [name for name, _ in report.failed] == ["hours.md"]


async def test_a_failure_leaves_nothing_of_the_document(
    base: KnowledgeBase, folder: Path, embedder: HashedWords, store: Store
) -> None:
    embedder.fail = True
    with pytest.raises(RuntimeError):
        await base.add([folder], Audience.PUBLIC)
    embedder.fail = False
    assert await base.documents() == []
    assert await store.read(lambda db: rows_after(db, 0, 10, 10**6)) == []
    assert (await base.add([folder], Audience.PUBLIC)).added == ("fees/parking.txt", "hours.md")


async def test_each_commit_announces_counts_and_nothing_else(
    base: KnowledgeBase, folder: Path, store: Store
) -> None:
    await base.add([folder], Audience.PUBLIC)
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
    await base.add([folder / "hours.md"], Audience.PUBLIC)
    await base.add([folder / "fees"], Audience.STAFF)
    again = await KnowledgeBase.open(store, embedder, "encoder-1")
    for audience in Audience:
        for text in ("parking pounds an hour", "Saturday at nine"):
            assert again.search(text, 5, audience) == pytest.approx(base.search(text, 5, audience))


async def test_another_encoder_embeds_everything_again(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords
) -> None:
    await base.add([folder], Audience.PUBLIC)
    before = sorted(embedder.texts)
    embedder.texts.clear()
    again = await KnowledgeBase.open(store, embedder, "encoder-2")
    assert sorted(embedder.texts) == before
    assert await store.read(rows.encoder_of) == "encoder-2"
    assert ids(again, "What does parking cost?")[0] == "fees/parking.txt"


async def test_the_commands_speak_the_contract(base: KnowledgeBase, folder: Path) -> None:
    await commands.add(base, [folder], Audience.PUBLIC)
    found = await commands.search(base, "What does parking cost?", k=1)
    assert found == [
        {
            "doc": "fees/parking.txt",
            "title": "Parking",
            "section": "",
            "text": "Parking costs two pounds an hour.",
            "score": found[0]["score"],
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
