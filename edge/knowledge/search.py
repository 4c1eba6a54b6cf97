"""Passages for questions: both indexes, an audience, one fused ranking.

A search reads one `_Snapshot` from beginning to end; a change of documents makes the next snapshot beside it and
swaps it in, so that no search sees half a document. Documents for staff are in indexes of their own: a public search
has no way to reach them. Blocking and thread-safe; meant for the node's batch thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.knowledge.document import Audience, Passage
from edge.knowledge.fusion import Fused, fuse
from edge.knowledge.index.lexical import LexicalEntry, LexicalIndex, LexicalSearcher
from edge.knowledge.index.vector import VectorIndex
from edge.knowledge.terms import terms

__all__ = ["Audience", "IndexedChunk", "Passage", "Searcher"]

Mode = Literal["hybrid", "lexical", "vector"]
Floats = npt.NDArray[np.float32]

# How deep each leg is read before the rankings are fused: the right answer is in the first 20 of one or the other
# for .995 of MedQuAD's questions.
LEG_DEPTH = 30


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """What of a document goes with each of its passages."""

    id: str
    version: int
    title: str
    audience: Audience


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A row of the store as the indexes take it in; ids ascend in order of commit."""

    chunk_id: int
    document: IndexedDocument
    section: str
    text: str


@dataclass(frozen=True)
class _Snapshot:
    chunks: dict[int, IndexedChunk]
    vectors: dict[Audience, VectorIndex]  # each audience's own documents
    words: dict[Audience, LexicalSearcher]  # all that an audience may see


class Searcher:
    """Both indexes over all documents of the site."""

    def __init__(self, dim: int) -> None:
        self._changing = threading.Lock()
        # Staff's words cover public documents, too, so that rare words weigh the same; without any document for
        # staff the public index serves both and there is no second one.
        self._words: dict[Audience, LexicalIndex] = {Audience.PUBLIC: LexicalIndex()}
        empty = VectorIndex(np.empty(0, np.int64), np.empty((0, dim), np.float32))
        self._snapshot = _Snapshot(
            {},
            dict.fromkeys(Audience, empty),
            dict.fromkeys(Audience, self._words[Audience.PUBLIC].searcher()),
        )

    def __len__(self) -> int:
        return len(self._snapshot.chunks)

    def change(
        self, removed: Iterable[int], added: Sequence[IndexedChunk], vectors: npt.NDArray[np.floating]
    ) -> None:
        """Take chunks out and in, in one step as seen by every search. `vectors` are those of `added`, in order."""
        with self._changing:
            old = self._snapshot
            gone = frozenset(chunk_id for chunk_id in removed if chunk_id in old.chunks)
            chunks = (
                {key: chunk for key, chunk in old.chunks.items() if key not in gone}
                if gone
                else dict(old.chunks)
            )
            chunks.update((chunk.chunk_id, chunk) for chunk in added)
            self._snapshot = _Snapshot(
                chunks,
                {audience: _vectors(old, audience, gone, added, vectors) for audience in Audience},
                self._changed_words(old, chunks, gone, added),
            )

    def search(
        self, query: str, embedding: Floats, audience: Audience, k: int, mode: Mode = "hybrid"
    ) -> list[Passage]:
        """Passages for one query, best first. `embedding` [dim]."""
        return self.search_batch([query], embedding[None, :], audience, k, mode)[0]

    def search_batch(
        self, queries: Sequence[str], embeddings: Floats, audience: Audience, k: int, mode: Mode = "hybrid"
    ) -> list[list[Passage]]:
        """For each query its passages, best first, of what `audience` may see. `embeddings` [queries, dim]."""
        snapshot = self._snapshot
        near_ids, cosines = _nearest(snapshot, audience, embeddings, max(k, LEG_DEPTH))
        results = []
        for row, query in enumerate(queries):
            words = (
                snapshot.words[audience].search(query, max(k, LEG_DEPTH)) if mode != "vector" else ([], [])
            )
            near = (near_ids[row].tolist(), cosines[row].tolist()) if mode != "lexical" else ([], [])
            found = fuse(*words, *near)[:k]
            results.append(_passages(snapshot, found, embeddings[row]))
        return results

    def rarity(self, query: str, audience: Audience) -> dict[str, float]:
        """The content words of `query`, each with how much it tells among what `audience` may see."""
        return self._snapshot.words[audience].rarity(terms(query))

    def _changed_words(
        self,
        old: _Snapshot,
        chunks: dict[int, IndexedChunk],
        gone: frozenset[int],
        added: Sequence[IndexedChunk],
    ) -> dict[Audience, LexicalSearcher]:
        public = [chunk for chunk in added if chunk.document.audience is Audience.PUBLIC]
        gone_public = [key for key in gone if old.chunks[key].document.audience is Audience.PUBLIC]
        searcher = old.words[Audience.PUBLIC]
        if public or gone_public:
            searcher = self._words[Audience.PUBLIC].change(gone_public, map(_entry, public))
        if Audience.STAFF in self._words:
            return {
                Audience.PUBLIC: searcher,
                Audience.STAFF: self._words[Audience.STAFF].change(gone, map(_entry, added)),
            }
        if len(public) == len(added):
            return dict.fromkeys(Audience, searcher)
        self._words[Audience.STAFF] = LexicalIndex()
        everything = self._words[Audience.STAFF].change((), map(_entry, chunks.values()))
        return {Audience.PUBLIC: searcher, Audience.STAFF: everything}


def _entry(chunk: IndexedChunk) -> LexicalEntry:
    return LexicalEntry(chunk.chunk_id, chunk.document.title, chunk.section, chunk.text)


def _vectors(
    old: _Snapshot,
    audience: Audience,
    gone: frozenset[int],
    added: Sequence[IndexedChunk],
    vectors: npt.NDArray[np.floating],
) -> VectorIndex:
    """The audience's own vectors after the change; the same index when nothing of it changed."""
    index = old.vectors[audience]
    rows = [row for row, chunk in enumerate(added) if chunk.document.audience is audience]
    mine = frozenset(key for key in gone if old.chunks[key].document.audience is audience)
    if not rows and not mine:
        return index
    ids = np.array([added[row].chunk_id for row in rows], np.int64)
    changed = index.changed(mine, ids, vectors[rows])
    changed.warm()
    return changed


def _visible(audience: Audience) -> tuple[Audience, ...]:
    return (Audience.PUBLIC,) if audience is Audience.PUBLIC else (Audience.PUBLIC, Audience.STAFF)


def _nearest(
    snapshot: _Snapshot, audience: Audience, embeddings: Floats, k: int
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Ids and cosines [queries, ≤ k] over all indexes that the audience may see, best first."""
    parts = [
        snapshot.vectors[part].search(embeddings, k)
        for part in _visible(audience)
        if len(snapshot.vectors[part])
    ]
    if len(parts) == 1:
        return parts[0]
    ids = np.concatenate([part[0] for part in parts] or [np.empty((len(embeddings), 0), np.int64)], axis=1)
    cosines = np.concatenate(
        [part[1] for part in parts] or [np.empty((len(embeddings), 0), np.float32)], axis=1
    )
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(cosines, order, axis=1)


def _passages(snapshot: _Snapshot, found: Sequence[Fused], embedding: Floats) -> list[Passage]:
    cosines = _cosines(snapshot, [item.chunk_id for item in found if not item.cosine], embedding)
    passages = []
    for item in found:
        chunk = snapshot.chunks[item.chunk_id]
        document = chunk.document
        passages.append(
            Passage(
                chunk_id=item.chunk_id,
                doc=document.id,
                version=document.version,
                title=document.title,
                section=chunk.section,
                text=chunk.text,
                score=item.score,
                lexical=item.lexical,
                cosine=item.cosine or cosines[item.chunk_id],
            )
        )
    return passages


def _cosines(snapshot: _Snapshot, chunk_ids: Sequence[int], embedding: Floats) -> dict[int, float]:
    """Cosines of chunks that only their words brought in."""
    found: dict[int, float] = {}
    for audience, index in snapshot.vectors.items():
        mine = [key for key in chunk_ids if snapshot.chunks[key].document.audience is audience]
        if mine:
            found.update(zip(mine, index.cosines(embedding, np.array(mine, np.int64)).tolist(), strict=True))
    return found
