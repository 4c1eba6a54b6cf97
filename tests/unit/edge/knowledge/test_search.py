"""Both indexes with small real vectors: who sees what, what follows a change, what punctuation cannot do."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.knowledge.document import ALWAYS, Validity
from edge.knowledge.index.vector import VectorIndex
from edge.knowledge.search import Audience, IndexedChunk, IndexedDocument, Searcher
from edge.knowledge.terms import terms

DIM = 64


def embed(texts: list[str]) -> np.ndarray:
    """A stand-in encoder: hashed words, normalised. Real enough to rank."""
    rows = np.zeros((len(texts), DIM), np.float32)
    for row, text in enumerate(texts):
        for word in terms(text):
            rows[row, sum(ord(c) * 31**i for i, c in enumerate(word)) % DIM] += 1.0
        rows[row, 0] += 0.01
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def chunks(start: int, audience: Audience, *texts: str, version: int = 1) -> list[IndexedChunk]:
    document = IndexedDocument(f"{audience}-{start}.md", version, "A title", audience)
    return [IndexedChunk(start + n, document, "", text) for n, text in enumerate(texts)]


def add(searcher: Searcher, added: list[IndexedChunk], removed: tuple[int, ...] = ()) -> None:
    searcher.change(removed, added, embed([chunk.text for chunk in added]).astype(np.float16))


def ask(
    searcher: Searcher, text: str, audience: Audience = Audience.PUBLIC, mode: str = "hybrid", at_ms: int = 0
) -> list[int]:
    return [p.chunk_id for p in searcher.search(text, embed([text])[0], audience, 5, mode, at_ms=at_ms)]  # type: ignore[arg-type]


@pytest.fixture
def searcher() -> Searcher:
    searcher = Searcher(DIM)
    add(
        searcher,
        chunks(1, Audience.PUBLIC, "We open on Saturday at nine.", "Parking costs two pounds an hour."),
    )
    return searcher


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
def test_finds_the_right_passage_first_in_every_mode(searcher: Searcher, mode: str) -> None:
    assert ask(searcher, "What does parking cost?", mode=mode)[0] == 2


@pytest.mark.proves("audiences")
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
def test_staff_text_never_reaches_a_public_query(searcher: Searcher, mode: str) -> None:
    add(
        searcher,
        chunks(10, Audience.STAFF, "The safe code is kept by the cashier.", "Parking of staff is free."),
    )
    for question in ("Where is the safe code?", "parking of staff free", "cashier"):
        assert not {10, 11} & set(ask(searcher, question, Audience.PUBLIC, mode))
    assert ask(searcher, "safe code cashier", Audience.STAFF, mode)[0] == 10
    assert 2 in ask(searcher, "What does parking cost an hour in pounds?", Audience.STAFF, mode)


def test_a_change_replaces_and_removes(searcher: Searcher) -> None:
    add(searcher, chunks(3, Audience.PUBLIC, "Parking costs four pounds an hour.", version=2), removed=(2,))
    assert 2 not in ask(searcher, "parking pounds hour")
    assert ask(searcher, "parking pounds hour")[0] == 3
    add(searcher, [], removed=(1, 3))
    assert ask(searcher, "parking pounds hour") == []
    assert len(searcher) == 0


@pytest.mark.proves("audiences")
def test_moving_a_document_to_staff_hides_it(searcher: Searcher) -> None:
    add(searcher, chunks(5, Audience.STAFF, "Parking costs two pounds an hour."), removed=(2,))
    assert ask(searcher, "parking") == [1]
    assert ask(searcher, "parking", Audience.STAFF)[0] == 5


def dated(
    start: int, valid: Validity, *texts: str, audience: Audience = Audience.PUBLIC
) -> list[IndexedChunk]:
    document = IndexedDocument(f"dated-{start}.md", 1, "A title", audience, valid)
    return [IndexedChunk(start + n, document, "", text) for n, text in enumerate(texts)]


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
@pytest.mark.parametrize("audience", list(Audience))
def test_a_document_is_found_only_while_it_is_valid(
    searcher: Searcher, mode: str, audience: Audience
) -> None:
    add(searcher, dated(20, Validity(100, 200), "Parking is free in December.", audience=audience))
    found = {
        at_ms: 20 in ask(searcher, "Is parking free in December?", audience, mode, at_ms)
        for at_ms in (0, 99, 100, 199, 200, 150, 99)
    }
    assert found == {0: False, 99: False, 100: True, 199: True, 200: False, 150: True}


def test_what_is_not_valid_weighs_nothing(searcher: Searcher) -> None:
    ask(searcher, "parking", at_ms=0)
    before = searcher.rarity("parking zebra", Audience.PUBLIC)
    add(searcher, dated(20, Validity(100, None), "Parking of a zebra.", "A zebra."))
    ask(searcher, "parking", at_ms=99)
    assert searcher.rarity("parking zebra", Audience.PUBLIC) == before
    assert (len(searcher), searcher.documents) == (2, 1)
    ask(searcher, "parking", at_ms=100)
    assert searcher.rarity("zebra", Audience.PUBLIC)["zebra"] < before["zebra"]
    assert (len(searcher), searcher.documents) == (4, 2)


def test_a_document_with_dates_can_be_changed_and_removed(searcher: Searcher) -> None:
    add(searcher, dated(20, Validity(100, None), "Parking of a zebra."))
    assert ask(searcher, "zebra", mode="lexical", at_ms=100) == [20]
    add(searcher, dated(20, ALWAYS, "Parking of a zebra."), removed=(20,))
    assert ask(searcher, "zebra", mode="lexical", at_ms=0) == [20]
    add(searcher, dated(20, Validity(None, 100), "Parking of a zebra."), removed=(20,))
    assert ask(searcher, "zebra", mode="lexical", at_ms=99) == [20]
    add(searcher, [], removed=(20,))
    assert ask(searcher, "zebra", mode="lexical", at_ms=99) == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)), min_size=1, max_size=6),
    st.lists(st.integers(0, 10), min_size=1, max_size=8),
)
def test_at_every_moment_exactly_the_valid_documents_are_found(
    windows: list[tuple[int | None, int | None]], moments: list[int]
) -> None:
    searcher = Searcher(DIM)
    valid = {number: Validity(*window) for number, window in enumerate(windows)}
    for number, window in valid.items():
        add(searcher, dated(number, window, "Parking costs two pounds."))
    for at_ms in moments:
        found = searcher.search("parking", embed(["parking"])[0], Audience.PUBLIC, 10, at_ms=at_ms)
        assert {p.chunk_id for p in found} == {n for n, window in valid.items() if window.holds(at_ms)}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?!",
        '" OR 1=1',
        "title:parking AND (",
        "+-~^*",
        "a" * 5000,
        "parking " * 1000,
        "\x00",
        "的",
        "[TO]",
    ],
)
def test_no_text_is_syntax(searcher: Searcher, query: str) -> None:
    ask(searcher, query)
    ask(searcher, query, mode="lexical")


def test_an_empty_knowledge_base_finds_nothing() -> None:
    assert ask(Searcher(DIM), "anything", Audience.STAFF) == []


def test_a_batch_gives_what_single_searches_give(searcher: Searcher) -> None:
    questions = ["What does parking cost?", "Open on Saturday?", ""]
    batch = searcher.search_batch(questions, embed(questions), Audience.PUBLIC, 2, at_ms=0)
    single = [searcher.search(q, embed([q])[0], Audience.PUBLIC, 2, at_ms=0) for q in questions]
    assert [[p.chunk_id for p in one] for one in batch] == [[p.chunk_id for p in one] for one in single]


def test_passages_say_what_each_leg_found(searcher: Searcher) -> None:
    first = searcher.search("parking costs", embed(["parking costs"])[0], Audience.PUBLIC, 2, at_ms=0)[0]
    assert (first.doc, first.version, first.title) == ("public-1.md", 1, "A title")
    assert first.lexical > 0
    assert first.cosine == pytest.approx(
        float(embed(["parking costs"])[0] @ embed([first.text])[0]), abs=0.03
    )


def test_int8_keeps_the_order_of_neighbours() -> None:
    chance = np.random.default_rng(5)
    vectors = chance.standard_normal((2000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:50] + 0.5 / np.sqrt(384) * chance.standard_normal((50, 384)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    index = VectorIndex(np.arange(2000) * 3, vectors)
    ids, cosines = index.search(queries, 5)
    exact = queries @ vectors.T
    assert (ids[:, 0] == exact.argmax(axis=1) * 3).all()
    assert np.abs(cosines[:, 0] - exact.max(axis=1)).max() < 0.01
    assert index.cosines(queries[0], ids[0]) == pytest.approx(cosines[0], abs=0.01)


def test_a_late_commit_finds_its_place() -> None:
    vectors = np.eye(4, dtype=np.float32)
    index = VectorIndex(np.array([1, 5]), vectors[:2]).changed(frozenset(), np.array([3]), vectors[2:3])
    assert index.ids.tolist() == [1, 3, 5]
    assert index.search(vectors[2:3], 1)[0].tolist() == [[3]]
    assert index.cosines(vectors[1], np.array([5])) == pytest.approx([1.0], abs=0.01)


def test_readers_see_whole_documents_while_documents_change() -> None:
    searcher = Searcher(DIM)
    versions = 12
    texts = [f"Fact {word} about lockers." for word in ("one", "two", "three")]
    add(searcher, chunks(0, Audience.PUBLIC, *texts))
    done = threading.Event()
    torn: list[set[int]] = []

    def read() -> None:
        embedding = embed(["lockers"])[0]
        while not done.is_set():
            found = searcher.search("lockers fact", embedding, Audience.PUBLIC, 5, at_ms=0)
            if len({p.version for p in found}) != 1 or len(found) != len(texts):
                torn.append({p.version for p in found})

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(2, versions):
        old = tuple(range((version - 2) * 10, (version - 2) * 10 + 3))
        add(searcher, chunks((version - 1) * 10, Audience.PUBLIC, *texts, version=version), removed=old)
    done.set()
    for reader in readers:
        reader.join()
    assert not torn


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 900), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_changes_give_the_index_that_is_made_at_once(sizes: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    total = sum(sizes)
    vectors = chance.standard_normal((total, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex(np.empty(0, np.int64), vectors[:0])
    kept = np.ones(total, bool)
    start = 0
    for size in sizes:
        gone = (
            frozenset(chance.choice(start, min(start, 3), replace=False).tolist()) if start else frozenset()
        )
        kept[list(gone)] = False
        ids = np.arange(start, start + size)
        index = index.changed(gone, ids, vectors[ids])
        start += size
    at_once = VectorIndex(np.flatnonzero(kept), vectors[kept])
    assert index.ids.tolist() == at_once.ids.tolist()
    assert len(index) == kept.sum()
    queries = chance.standard_normal((3, 32)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    for found, expected in zip(index.search(queries, 7), at_once.search(queries, 7), strict=True):
        assert found.tolist() == expected.tolist()
    ids = index.ids[:: max(1, len(index) // 5)]
    assert index.cosines(queries[0], ids) == pytest.approx(at_once.cosines(queries[0], ids), abs=1e-6)


def test_words_are_stemmed_in_the_language_of_their_document() -> None:
    searcher = Searcher(DIM)
    german = IndexedDocument("a.md", 1, "Apotheke", Audience.PUBLIC, language="de")
    add(searcher, [IndexedChunk(1, german, "", "Die Notaufnahmen sind auch sonntags geöffnet.")])
    add(searcher, [IndexedChunk(2, german, "", "Blumen gibt es am Kiosk.")])
    assert ask(searcher, "Notaufnahme", mode="lexical") == [1]
    assert searcher.languages == {"de"}
    assert set(searcher.rarity("Wo ist die Notaufnahme?", Audience.PUBLIC)) == set(terms("Notaufnahme"))
    add(searcher, chunks(10, Audience.PUBLIC, "The emergency rooms are open."))
    assert ask(searcher, "Where is the emergency room?", mode="lexical") == [10]
    assert ask(searcher, "Wann ist die Notaufnahme geöffnet?", mode="lexical") == [1]
