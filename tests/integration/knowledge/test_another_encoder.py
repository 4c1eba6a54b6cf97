"""Another encoder than the one that made the stored vectors: words first, then its own, and nothing mixed up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.knowledge import rows, vectors
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.metadata import Bound, MetadataChange
from edge.knowledge.vectors import Embedded
from edge.store.store import Store
from tests.integration.knowledge.test_knowledge_base import (
    BICYCLES,
    DIM,
    NOW,
    PUBLIC,
    STAFF,
    HashedWords,
    base,
    embedder,
    folder,
    ids,
    store,
)

__all__ = ["base", "embedder", "folder", "store"]


async def test_another_encoder_embeds_everything_again(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords
) -> None:
    await base.add([folder], PUBLIC)
    before = sorted(embedder.texts)
    embedder.texts.clear()
    again = await KnowledgeBase.open(store, embedder, "encoder-2")
    assert again.behind
    assert not embedder.texts
    assert ids(again, "What does parking cost?") == ["fees/parking.txt"]  # by its words
    await again.catch_up()
    assert sorted(set(embedder.texts)) == sorted({*before, "What does parking cost?"})
    assert not again.behind
    assert again.embedded is None
    assert await store.read(rows.encoder_of) == "encoder-2"
    assert ids(again, "What does parking cost?")[0] == "fees/parking.txt"
    assert len(ids(again, "What does parking cost?")) > 1  # by meaning, everything is somewhere near


class Shorter(HashedWords):
    """Another encoder, with fewer dimensions."""

    dim = DIM // 2

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        found = super().embed(texts)[:, : self.dim]
        return found / np.linalg.norm(found, axis=1, keepdims=True)


async def test_another_dimension_and_what_happens_meanwhile(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords
) -> None:
    await base.add([folder], PUBLIC)
    behind = await KnowledgeBase.open(store, Shorter(), "encoder-2")
    (folder / "bicycles.md").write_text("# Bicycles\n\nBicycles stand behind the house.\n")
    await behind.add([folder / "bicycles.md"], PUBLIC)
    await behind.set_metadata("hours.md", STAFF)
    assert ids(behind, BICYCLES)[0] == "bicycles.md"
    assert "hours.md" not in ids(behind, "open on Saturday")
    assert "hours.md" in ids(behind, "open on Saturday", Audience.STAFF)
    assert await store.read(rows.encoder_of) == rows.MIXED
    # Stopped half-way, and back to the first encoder: nothing is taken for what it is not.
    back = await KnowledgeBase.open(store, embedder, "encoder-1")
    assert back.behind
    assert "fees/parking.txt" in ids(back, "What does parking cost?")
    made = await behind.embed_all(Shorter(), "encoder-2")
    (folder / "late.md").write_text("# Late\n\nThe bell is rung when you are late.\n")
    await behind.add([folder / "late.md"], PUBLIC)
    await behind.exchange(made, "encoder-2")
    again = await KnowledgeBase.open(store, Shorter(), "encoder-2")
    assert not again.behind
    for one in (behind, again):
        assert ids(one, "rung when late")[0] == "late.md"
        assert len(ids(one, BICYCLES)) > 1
        assert "hours.md" not in ids(one, "open on Saturday")


async def test_dates_hold_while_vectors_change(base: KnowledgeBase, folder: Path, store: Store) -> None:
    await base.add([folder / "fees"], MetadataChange(Audience.PUBLIC, valid_from=Bound(NOW)))
    behind = await KnowledgeBase.open(store, Shorter(), "encoder-2")
    await behind.catch_up()
    asked = "What does parking cost?"
    found = behind.search(asked, 5, Audience.PUBLIC, at_ms=NOW)
    assert [one.passage.doc for one in found] == ["parking.txt"]
    assert not behind.search(asked, 5, Audience.PUBLIC, at_ms=NOW - 1)


async def test_the_way_back_reads_only_what_came_since(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords
) -> None:
    """The vectors of the encoder before stay beside those that serve, without those of passages that went."""
    await base.add([folder], PUBLIC)
    before = await store.read(lambda db: dict(db.execute("SELECT id, vector FROM chunks").fetchall()))
    forth = await KnowledgeBase.open(store, Shorter(), "encoder-2")
    await forth.catch_up()
    (folder / "late.md").write_text("# Late\n\nThe bell is rung when you are late.\n")
    await forth.add([folder / "late.md"], PUBLIC)
    assert await forth.remove("hours.md")
    embedder.texts.clear()
    back = await KnowledgeBase.open(store, embedder, "encoder-1")
    assert back.behind
    await back.catch_up()
    (late,) = embedder.texts
    assert "bell" in late
    after = await store.read(lambda db: dict(db.execute("SELECT id, vector FROM chunks").fetchall()))
    assert {key: after[key] for key in before if key in after} == {
        key: vector for key, vector in before.items() if key in after
    }
    assert len(before) > len(set(before) & set(after)) > 0
    # Of a third encoder nothing is kept.
    assert await store.read(lambda db: rows.vectors_before(db, "encoder-3")) == {}
    assert len(await store.read(lambda db: rows.vectors_before(db, "encoder-2"))) == len(after)


class Serving:
    """What the base embeds with: other weights may take over at any moment. Waits in its first pass for `go`."""

    def __init__(self, now: HashedWords) -> None:
        self.now = now
        self.at_it, self.go = threading.Event(), threading.Event()

    @property
    def dim(self) -> int:
        return self.now.dim

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        began_with = self.now
        self.at_it.set()
        assert self.go.wait(10)
        return began_with.embed(texts)


class Reversed(HashedWords):
    """Another encoder of the same dimension."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return super().embed(texts)[:, ::-1]


async def test_back_before_the_documents_were_read_anew_reads_none(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords
) -> None:
    """What is stored are still the vectors of the encoder that comes back."""
    await base.add([folder], PUBLIC)
    serving = Serving(Shorter())
    serving.go.set()
    behind = await KnowledgeBase.open(store, serving, "encoder-2")

    def switch(take: Callable[[], None]) -> None:
        serving.now = embedder
        take()

    embedder.texts.clear()
    made = await behind.embed_all(embedder, "encoder-1")
    await behind.exchange(made, "encoder-1", embedder, switch=switch)
    assert embedder.texts == []
    assert made
    assert not behind.behind
    assert await store.read(rows.encoder_of) == "encoder-1"
    assert ids(behind, "What does parking cost?")[0] == "fees/parking.txt"


@pytest.mark.parametrize("other", [Reversed, Shorter])
async def test_an_encoder_that_takes_over_while_the_base_catches_up_keeps_its_own_vectors(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords, other: type[HashedWords]
) -> None:
    await base.add([folder], PUBLIC)
    old, new = Serving(embedder), other()
    behind = await KnowledgeBase.open(store, old, "encoder-2")
    catching_up = asyncio.create_task(behind.catch_up())
    await asyncio.to_thread(old.at_it.wait, 10)

    def switch(take: Callable[[], None]) -> None:
        old.now = new
        take()

    made = await behind.embed_all(new, "encoder-3")
    await behind.exchange(made, "encoder-3", new, switch=switch)
    old.go.set()
    await catching_up
    assert await store.read(rows.encoder_of) == "encoder-3"
    stored = await store.read(lambda db: list(rows.all_chunks(db, 100)))
    for chunks, found in stored:
        for chunk, vector in zip(chunks, found, strict=True):
            assert np.array_equal(vector, made[chunk.chunk_id])
    assert not behind.behind
    assert ids(behind, "What does parking cost?")[0] == "fees/parking.txt"


async def test_a_base_that_was_overtaken_stops_to_embed(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    await base.add([folder], PUBLIC)
    monkeypatch.setattr(vectors, "EMBED_CHUNKS", 1)
    behind = await KnowledgeBase.open(store, embedder, "encoder-2")
    embedder.texts.clear()

    def tell(_: Embedded) -> None:
        behind.behind = False

    made = await behind.embed_all(embedder, "encoder-2", tell, wanted=lambda: behind.behind)
    assert len(made) == len(embedder.texts) == 1


async def test_indexes_that_did_not_take_the_vectors_catch_up(
    base: KnowledgeBase, folder: Path, store: Store, embedder: HashedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    await base.add([folder], PUBLIC)
    serving, new = Serving(embedder), Reversed()
    serving.go.set()
    changed = await KnowledgeBase.open(store, serving, "encoder-1")

    def switch(take: Callable[[], None]) -> None:
        serving.now = new
        take()

    def fails(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr(changed.drafts, "take_vectors", fails)
        with pytest.raises(MemoryError):
            await changed.exchange({}, "encoder-2", new, switch=switch)
    assert changed.behind
    await changed.catch_up()
    assert not changed.behind
    assert await store.read(rows.encoder_of) == "encoder-2"
    assert ids(changed, "What does parking cost?")[0] == "fees/parking.txt"
