"""Passages for questions: both indexes, an audience, one trained ranking.

A search reads one `_Snapshot` from beginning to end; a change of documents makes the next snapshot beside it and
swaps it in, so that no search sees half a document. Documents for staff are in indexes of their own: a public search
has no way to reach them. A document with dates is in the indexes only while it is valid: the first search past a date
takes it in or out before it ranks. Blocking and thread-safe; meant for the node's batch thread.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.knowledge.document import ALWAYS, Audience, Passage, Validity
from edge.knowledge.features import FEATURES, Candidates, features
from edge.knowledge.features import Floats as Features
from edge.knowledge.index.lexical import LexicalEntry, LexicalIndex, LexicalSearcher
from edge.knowledge.index.vector import VectorIndex
from edge.knowledge.languages import ENGLISH, by_use, detect
from edge.knowledge.ranking import Ranked, RankingModel, order, shipped
from edge.knowledge.signature import signature
from edge.knowledge.terms import terms

__all__ = ["Audience", "IndexedChunk", "Passage", "Searcher"]

Mode = Literal["hybrid", "lexical", "vector"]
Floats = npt.NDArray[np.float32]
Scored = tuple[int, float]  # chunk id, score

# How deep each leg is read before the candidates are ranked: the right answer is in the first 20 of one or the other
# for .995 of MedQuAD's questions.
LEG_DEPTH = 30
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """What of a document goes with each of its passages."""

    id: str
    version: int
    title: str
    audience: Audience
    valid: Validity = ALWAYS
    language: str = ENGLISH


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A row of the store as the indexes take it in; ids ascend in order of commit."""

    chunk_id: int
    document: IndexedDocument
    section: str
    text: str


@dataclass(frozen=True, slots=True)
class _Dated:
    chunk: IndexedChunk
    vector: npt.NDArray[np.floating]  # [dim], as it was given


@dataclass(frozen=True)
class _Snapshot:
    chunks: dict[int, IndexedChunk]
    signatures: dict[int, bytes]
    vectors: dict[Audience, VectorIndex]  # each audience's own documents
    words: dict[Audience, LexicalSearcher]  # all that an audience may see
    number: int = 0  # one more with every change of chunks
    documents: int = 0  # how many documents the chunks are of
    languages: frozenset[str] = frozenset()  # those of public documents
    written: tuple[str, ...] = (ENGLISH,)  # those of all documents, the one of most first
    since_ms: float = -math.inf  # from then on and
    until_ms: float = math.inf  # before then the chunks are those that are valid

    def language_of(self, query: str) -> str:
        """The language of a query among those of all documents; in doubt that of most."""
        if len(self.written) == 1:
            return self.written[0]
        found = detect(query)
        return found if found in self.written else self.written[0]

    def section_of(self, chunk_id: int) -> tuple[str, str]:
        """The section of a chunk, among all documents."""
        chunk = self.chunks[chunk_id]
        return chunk.document.id, chunk.section


class Searcher:
    """Both indexes over all documents of the site."""

    def __init__(self, dim: int, ranking: RankingModel | None = None) -> None:
        """Rank with `ranking`, else with the model that Postern ships."""
        self._usual = self._ranking = ranking or shipped()
        self._dim = dim
        self._changing = threading.Lock()
        self._dated: dict[int, _Dated] = {}  # chunks of documents with dates, valid now or not
        # Staff's words cover public documents, too, so that rare words weigh the same; without any document for
        # staff the public index serves both and there is no second one.
        self._words: dict[Audience, LexicalIndex] = {Audience.PUBLIC: LexicalIndex()}
        self._snapshot = _Snapshot(
            {},
            {},
            dict.fromkeys(Audience, _no_vectors(dim)),
            dict.fromkeys(Audience, self._words[Audience.PUBLIC].searcher()),
        )

    def __len__(self) -> int:
        return len(self._snapshot.chunks)

    def rank_with(self, ranking: RankingModel | None) -> None:
        """Use another ranking from the next search on; None: the usual one."""
        self._ranking = ranking or self._usual

    @property
    def revision(self) -> int:
        """Another one after every change of chunks."""
        return self._snapshot.number

    @property
    def documents(self) -> int:
        """How many documents the chunks are of."""
        return self._snapshot.documents

    @property
    def languages(self) -> frozenset[str]:
        """The languages of what the public may be answered from."""
        return self._snapshot.languages

    def change(
        self, removed: Iterable[int], added: Sequence[IndexedChunk], vectors: npt.NDArray[np.floating]
    ) -> None:
        """Take chunks out and in, in one step as seen by every search. `vectors` are those of `added`, in order.

        A row of zeros: it has no vector yet, and is found by its words alone.
        Chunks of documents with dates come in with the next search, if they are valid then.
        """
        with self._changing:
            gone = frozenset(removed)
            if not added and gone.isdisjoint(self._snapshot.chunks) and gone.isdisjoint(self._dated):
                return
            for key in gone:
                self._dated.pop(key, None)
            dated = np.array([chunk.document.valid != ALWAYS for chunk in added], np.bool_)
            for chunk, vector in zip(added, vectors, strict=True):
                if chunk.document.valid != ALWAYS:
                    self._dated[chunk.chunk_id] = _Dated(chunk, vector)
            plain = [chunk for chunk in added if chunk.document.valid == ALWAYS]
            self._snapshot = self._changed(gone, plain, vectors[~dated])
            if self._dated:
                self._snapshot = replace(self._snapshot, until_ms=-math.inf)

    def take_vectors(
        self, dim: int, vectors: Mapping[int, npt.NDArray[np.floating]], ranking: RankingModel | None = None
    ) -> None:
        """Search by these, by chunk id, from now on: those of another encoder, [dim] each. `ranking`: its usual one."""
        if ranking is not None:
            self._usual = self._ranking = ranking
        none = np.zeros(dim, np.float16)
        with self._changing:
            old, self._dim = self._snapshot, dim
            for key, dated in self._dated.items():
                self._dated[key] = replace(dated, vector=vectors.get(key, none))
            chunks = list(old.chunks.values())
            rows = np.array([vectors.get(chunk.chunk_id, none) for chunk in chunks]).reshape(-1, dim)
            empty = replace(old, vectors=dict.fromkeys(Audience, _no_vectors(dim)))
            found = {one: _vectors(empty, one, frozenset(), chunks, rows) for one in Audience}
            self._snapshot = replace(old, vectors=found)

    def _at(self, at_ms: int) -> _Snapshot:
        """What is valid at a moment."""
        snapshot = self._snapshot
        if snapshot.since_ms <= at_ms < snapshot.until_ms:
            return snapshot
        with self._changing:
            now = {
                key: dated for key, dated in self._dated.items() if dated.chunk.document.valid.holds(at_ms)
            }
            gone = frozenset(self._dated).difference(now).intersection(self._snapshot.chunks)
            new = [dated for key, dated in now.items() if key not in self._snapshot.chunks]
            if gone or new:
                vectors = np.array([dated.vector for dated in new]).reshape(len(new), self._dim)
                self._snapshot = self._changed(gone, [dated.chunk for dated in new], vectors)
            bounds = [
                bound for dated in self._dated.values() for bound in dated.chunk.document.valid.bounds()
            ]
            since_ms = max((bound for bound in bounds if bound <= at_ms), default=-math.inf)
            until_ms = min((bound for bound in bounds if bound > at_ms), default=math.inf)
            self._snapshot = replace(self._snapshot, since_ms=since_ms, until_ms=until_ms)
            return self._snapshot

    def _changed(
        self, removed: frozenset[int], added: Sequence[IndexedChunk], vectors: npt.NDArray[np.floating]
    ) -> _Snapshot:
        """The next snapshot; the lock is held."""
        old = self._snapshot
        gone = removed.intersection(old.chunks)
        chunks = {key: chunk for key, chunk in old.chunks.items() if key not in gone}
        chunks.update((chunk.chunk_id, chunk) for chunk in added)
        signatures = {key: kept for key, kept in old.signatures.items() if key not in gone}
        signatures.update((c.chunk_id, _signature(c)) for c in added)
        documents = {chunk.document.id: chunk.document for chunk in chunks.values()}
        return _Snapshot(
            chunks,
            signatures,
            {audience: _vectors(old, audience, gone, added, vectors) for audience in Audience},
            self._changed_words(old, chunks, gone, added),
            old.number + 1,
            len(documents),
            frozenset(d.language for d in documents.values() if d.audience is Audience.PUBLIC),
            by_use(d.language for d in documents.values()),
        )

    def search(
        self, query: str, embedding: Floats, audience: Audience, k: int, mode: Mode = "hybrid", *, at_ms: int
    ) -> list[Passage]:
        """Passages for one query, best first. `embedding` [dim]."""
        return self.search_batch([query], embedding[None, :], audience, k, mode, at_ms=at_ms)[0]

    def search_batch(
        self,
        queries: Sequence[str],
        embeddings: Floats,
        audience: Audience,
        k: int,
        mode: Mode = "hybrid",
        *,
        at_ms: int,
    ) -> list[list[Passage]]:
        """For each query its passages, best first, of what `audience` may see at a moment (ms since the epoch).

        `embeddings` [queries, dim].
        """
        snapshot, ranking = self._at(at_ms), self._ranking
        near = _nearest(snapshot, audience, embeddings, max(k, LEG_DEPTH) if mode != "lexical" else 0)
        results = []
        for query, embedding, nearest in zip(queries, embeddings, near, strict=True):
            if mode == "vector":
                ranked = [Ranked(chunk_id, cosine, 0.0, cosine) for chunk_id, cosine in nearest[:k]]
            else:
                found = _found(snapshot, audience, query, embedding, nearest, max(k, LEG_DEPTH))
                ranked = _by_words(found, k) if mode == "lexical" else _ranked(snapshot, ranking, found, k)
            results.append(
                [_passage(snapshot, item.chunk_id, item.score, item.lexical, item.cosine) for item in ranked]
            )
        return results

    def features(
        self, query: str, embedding: Floats, audience: Audience, *, at_ms: int
    ) -> tuple[list[int], Features]:
        """Chunk ids of all candidates for a query and their features, for whoever trains a ranking."""
        snapshot = self._at(at_ms)
        near = _nearest(snapshot, audience, embedding[None, :], LEG_DEPTH)[0]
        found = _found(snapshot, audience, query, embedding, near, LEG_DEPTH)
        return found.chunk_ids, _features(snapshot, found)

    def chunk_ids(self) -> tuple[int, ...]:
        """Those of all chunks that may be found now."""
        return tuple(self._snapshot.chunks)

    def chunks(self, chunk_ids: Iterable[int]) -> list[IndexedChunk]:
        """The chunks with these ids. Raises KeyError."""
        snapshot = self._snapshot
        return [snapshot.chunks[chunk_id] for chunk_id in chunk_ids]

    def passage(self, chunk_id: int) -> Passage:
        """A chunk as it is found, without scores, as nobody's question found it. Raises KeyError."""
        return _passage(self._snapshot, chunk_id)

    def rarity(self, query: str, audience: Audience) -> dict[str, float]:
        """The content words of `query`, each with how much it tells among what `audience` may see."""
        snapshot = self._snapshot
        language = snapshot.language_of(query)
        return snapshot.words[audience].rarity(terms(query, language), language)

    def words(self, chunk_id: int) -> tuple[Audience, set[str]]:
        """Who may see a chunk, and its words in lower case. Raises KeyError."""
        chunk = self._snapshot.chunks[chunk_id]
        text = f"{chunk.document.title} {chunk.section} {chunk.text}"
        return chunk.document.audience, set(_WORD.findall(text.lower()))

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
    document = chunk.document
    return LexicalEntry(chunk.chunk_id, document.title, chunk.section, chunk.text, document.language)


def _signature(chunk: IndexedChunk) -> bytes:
    return signature(chunk.document.title, chunk.section, chunk.text, chunk.document.language)


def _no_vectors(dim: int) -> VectorIndex:
    return VectorIndex(np.empty(0, np.int64), np.empty((0, dim), np.float32))


def _vectors(
    old: _Snapshot,
    audience: Audience,
    gone: frozenset[int],
    added: Sequence[IndexedChunk],
    vectors: npt.NDArray[np.floating],
) -> VectorIndex:
    """The audience's own vectors after the change; the same index when nothing of it changed."""
    index = old.vectors[audience]
    there = (vectors != 0).any(axis=1)
    rows = [row for row, chunk in enumerate(added) if chunk.document.audience is audience and there[row]]
    mine = frozenset(key for key in gone if old.chunks[key].document.audience is audience)
    if not rows and not mine:
        return index
    ids = np.array([added[row].chunk_id for row in rows], np.int64)
    changed = index.changed(mine, ids, vectors[rows])
    changed.warm()
    return changed


def _nearest(snapshot: _Snapshot, audience: Audience, embeddings: Floats, k: int) -> list[list[Scored]]:
    """For each query its nearest chunks over all indexes that the audience may see, best first."""
    found: list[list[Scored]] = [[] for _ in embeddings]
    for part in audience.sees:
        ids, cosines = snapshot.vectors[part].search(embeddings, k)
        for near, row, values in zip(found, ids.tolist(), cosines.tolist(), strict=True):
            near.extend(zip(row, values, strict=True))
    if len(audience.sees) > 1:
        for near in found:
            near.sort(key=lambda item: -item[1])
            del near[k:]
    return found


@dataclass(frozen=True, slots=True)
class _Found:
    """What the legs found for a query: all candidates, and the words' leg in its own order."""

    query: str
    rarity: dict[str, float]
    words: list[Scored]
    chunk_ids: list[int]
    cosines: list[float]


def _found(
    snapshot: _Snapshot, audience: Audience, query: str, embedding: Floats, near: list[Scored], depth: int
) -> _Found:
    searcher = snapshot.words[audience]
    language = snapshot.language_of(query)
    asked = list(dict.fromkeys(terms(query, language)))
    words = searcher.search(asked, depth, language)
    known = {chunk_id for chunk_id, _ in near}
    only_words = [chunk_id for chunk_id, _ in words if chunk_id not in known]
    candidates = near + _cosines(snapshot, only_words, embedding)
    ids, cosines = [chunk_id for chunk_id, _ in candidates], [cosine for _, cosine in candidates]
    return _Found(query, searcher.rarity(asked, language), words, ids, cosines)


def _by_words(found: _Found, k: int) -> list[Ranked]:
    cosines = dict(zip(found.chunk_ids, found.cosines, strict=True))
    return [Ranked(chunk_id, score, score, cosines[chunk_id]) for chunk_id, score in found.words[:k]]


def _features(snapshot: _Snapshot, found: _Found) -> Features:
    if not found.chunk_ids:
        return np.empty((0, len(FEATURES)))
    words = dict(found.words)
    candidates = Candidates(
        [snapshot.signatures[chunk_id] for chunk_id in found.chunk_ids],
        np.array(found.cosines),
        np.array([words.get(chunk_id, 0.0) for chunk_id in found.chunk_ids]),
    )
    return features(found.query, found.rarity, candidates)


def _ranked(snapshot: _Snapshot, ranking: RankingModel, found: _Found, k: int) -> list[Ranked]:
    """The `k` best of all that the legs found."""
    scores = ranking.score(_features(snapshot, found))
    sections = [snapshot.section_of(chunk_id) for chunk_id in found.chunk_ids]
    words = dict(found.words)
    return [
        Ranked(found.chunk_ids[row], score, words.get(found.chunk_ids[row], 0.0), found.cosines[row])
        for row, score in order(found.chunk_ids, scores, sections, ranking.repeat, k)
    ]


def _cosines(snapshot: _Snapshot, chunk_ids: list[int], embedding: Floats) -> list[Scored]:
    """Cosines of chunks that only their words brought in."""
    ids = np.array(chunk_ids, np.int64)
    cosines = np.zeros(len(ids), np.float32)
    for index in snapshot.vectors.values():
        cosines += index.cosines(embedding, ids)
    return list(zip(chunk_ids, cosines.tolist(), strict=True))


def _passage(
    snapshot: _Snapshot, chunk_id: int, score: float = 0.0, lexical: float = 0.0, cosine: float = 0.0
) -> Passage:
    chunk = snapshot.chunks[chunk_id]
    document = chunk.document
    return Passage(
        chunk_id=chunk_id,
        doc=document.id,
        version=document.version,
        title=document.title,
        section=chunk.section,
        text=chunk.text,
        score=score,
        lexical=lexical,
        cosine=cosine,
        signature=snapshot.signatures[chunk_id],
    )
