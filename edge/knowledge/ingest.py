"""The site's knowledge base: files in, rows and vectors committed, indexes changed to match.

A document is taken in whole or not at all: its row, chunks and vectors and the outbox row are one transaction, and
the indexes change after the commit, in its order. Reading, cutting and embedding run in threads; embedding goes in
batches across documents. One change at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from edge.knowledge import chunking, rows
from edge.knowledge.document import Audience, Chunk, Document, Passage
from edge.knowledge.readers import UnreadableDocument, read_file
from edge.knowledge.rows import ListedDocument, PreparedDocument, Replaced
from edge.knowledge.search import Mode, Searcher
from edge.store.store import Store

log = logging.getLogger(__name__)

# Chunks that are embedded together: enough to sort by length into full passes, few enough to show progress.
EMBED_CHUNKS = 256
# Rows that are read from the store at a time when the indexes are built.
LOAD_ROWS = 8_192


class TextEmbedder(Protocol):
    """What this package asks of the encoder: texts to L2-normalised float32 [texts, dim]. Blocking, thread-safe."""

    dim: int

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an `add` is: documents done of all, and the one that was last finished."""

    done: int
    of: int
    document: str


@dataclass(frozen=True, slots=True)
class AddReport:
    """What came of each document, by id."""

    added: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document to add: its id, what was read, and the hash of what it was read from."""

    id: str
    document: Document
    digest: bytes


@dataclass
class _Outcome:
    added: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def report(self) -> AddReport:
        return AddReport(tuple(self.added), tuple(self.unchanged), tuple(self.failed))


@dataclass(frozen=True, slots=True)
class _Cut:
    source: SourceDocument
    content_hash: bytes
    chunks: tuple[Chunk, ...]


class KnowledgeBase:
    """All documents of a site. Open it with `open`; its `searcher` follows every commit."""

    def __init__(self, store: Store, embedder: TextEmbedder, encoder: str) -> None:
        self.searcher = Searcher(embedder.dim)
        self._store = store
        self._embedder = embedder
        self._encoder = encoder
        self._changing = asyncio.Lock()

    @classmethod
    async def open(cls, store: Store, embedder: TextEmbedder, encoder: str) -> Self:
        """Build the indexes from the store. `encoder` identifies the model (its hash).

        When the stored vectors are of another encoder they are made anew first: slow, and said in the log.
        """
        base = cls(store, embedder, encoder)
        await base._follow_encoder()
        await store.read(base._load)
        return base

    async def add(
        self, paths: Sequence[Path], audience: Audience, progress: Callable[[Progress], None] | None = None
    ) -> AddReport:
        """Add files, and all readable files of folders. A document's id is its path below the added folder.

        Files of a kind that is not read are reported as failed, hidden files are passed over.
        """
        outcome = _Outcome()
        files = await asyncio.to_thread(_files, paths, outcome)
        sources = _readable(files, outcome)
        await self._add(sources, len(files), audience, outcome, progress)
        return outcome.report()

    async def add_documents(
        self,
        documents: Sequence[SourceDocument],
        audience: Audience,
        progress: Callable[[Progress], None] | None = None,
    ) -> AddReport:
        """Add documents that were made elsewhere; otherwise as `add`."""
        outcome = _Outcome()
        await self._add(iter(documents), len(documents), audience, outcome, progress)
        return outcome.report()

    async def remove(self, document: str) -> bool:
        """Remove a document by its id; False when there is none."""

        def run(db: Database) -> Replaced | None:
            removed = rows.remove(db, document)
            if removed:
                rows.announce(db)
            return removed

        async with self._changing:
            replaced = await self._store.write(run)
            if replaced:
                empty = np.empty((0, self._embedder.dim), rows.STORED)
                await asyncio.to_thread(self.searcher.change, replaced.removed, (), empty)
        return replaced is not None

    async def documents(self) -> list[ListedDocument]:
        """All documents, by id."""
        return await self._store.read(rows.listing)

    def search(self, text: str, k: int, audience: Audience, mode: Mode = "hybrid") -> list[Passage]:
        """Passages for one text, best first. Blocking; the turn goes through the batcher and `searcher` instead."""
        return self.searcher.search(text, self._embedder.embed([text])[0], audience, k, mode)

    async def _add(
        self,
        sources: Iterator[SourceDocument],
        of: int,
        audience: Audience,
        outcome: _Outcome,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        async with self._changing:
            while group := await asyncio.to_thread(_next_group, sources, audience, self._encoder):
                new = await self._new_ones(group, outcome)
                prepared = await asyncio.to_thread(self._embed, new, audience)
                if prepared:
                    # Once committed, the indexes must follow even if whoever asked is gone.
                    await asyncio.shield(self._commit(prepared))
                    outcome.added += [document.id for document in prepared]
                if progress:
                    done = len(outcome.added) + len(outcome.unchanged) + len(outcome.failed)
                    progress(Progress(done, of, group[-1].source.id))

    async def _new_ones(self, group: list[_Cut], outcome: _Outcome) -> list[_Cut]:
        known = await self._store.read(lambda db: [rows.content_hash(db, cut.source.id) for cut in group])
        outcome.unchanged += [
            cut.source.id for cut, old in zip(group, known, strict=True) if old == cut.content_hash
        ]
        return [cut for cut, old in zip(group, known, strict=True) if old != cut.content_hash]

    def _embed(self, group: list[_Cut], audience: Audience) -> list[PreparedDocument]:
        texts = [
            chunking.embedding_text(cut.source.document.title, chunk.section, chunk.text)
            for cut in group
            for chunk in cut.chunks
        ]
        vectors = self._embedder.embed(texts).astype(rows.STORED) if texts else np.empty((0, 0), rows.STORED)
        ends = list(itertools.accumulate(len(cut.chunks) for cut in group))
        parts = np.split(vectors, ends[:-1]) if group else []
        return [_prepared(cut, audience, part) for cut, part in zip(group, parts, strict=True)]

    async def _commit(self, documents: list[PreparedDocument]) -> None:
        """All of the group in one transaction; whoever reads sees each of them whole."""

        def run(db: Database) -> list[Replaced]:
            replaced = [rows.replace(db, document) for document in documents]
            rows.set_encoder(db, self._encoder)
            rows.announce(db)
            return replaced

        replaced = await self._store.write(run)
        removed = [chunk_id for one in replaced for chunk_id in one.removed]
        added = [chunk for one in replaced for chunk in one.added]
        vectors = np.concatenate([document.vectors for document in documents])
        await asyncio.to_thread(self.searcher.change, removed, added, vectors)

    async def _follow_encoder(self) -> None:
        stored = await self._store.read(rows.encoder_of)
        if stored in {"", self._encoder}:
            return
        log.warning(
            "documents are embedded again: the encoder changed", extra={"was": stored, "is": self._encoder}
        )
        for chunks, _ in await self._store.read(lambda db: list(rows.all_chunks(db, EMBED_CHUNKS))):
            texts = [chunking.embedding_text(c.document.title, c.section, c.text) for c in chunks]
            vectors = (await asyncio.to_thread(self._embedder.embed, texts)).astype(rows.STORED)
            ids = [chunk.chunk_id for chunk in chunks]
            await self._store.write(partial(rows.set_vectors, ids=ids, vectors=vectors))
        await self._store.write(lambda db: rows.set_encoder(db, self._encoder))

    def _load(self, db: Database) -> None:
        groups = list(rows.all_chunks(db, LOAD_ROWS))
        if groups:
            chunks = [chunk for group, _ in groups for chunk in group]
            self.searcher.change((), chunks, np.concatenate([vectors for _, vectors in groups]))


def _files(paths: Sequence[Path], outcome: _Outcome) -> list[tuple[str, Path]]:
    """(document id, file) of every file that is meant, in order; a second file with an id that is taken fails."""
    found: dict[str, Path] = {}
    for name, file in itertools.chain.from_iterable(map(_named, paths)):
        taken = found.setdefault(name, file)
        if taken.resolve() != file.resolve():
            outcome.failed.append(
                (name, f"{taken} has the same name within its folder. Add them one by one, renamed.")
            )
    return list(found.items())


def _named(path: Path) -> list[tuple[str, Path]]:
    """A file by its name; a folder's files by their path below it, hidden ones left out."""
    if not path.is_dir():
        return [(path.name, path)]
    files = ((file.relative_to(path), file) for file in sorted(path.rglob("*")) if file.is_file())
    return [
        (name.as_posix(), file)
        for name, file in files
        if not any(part.startswith(".") for part in name.parts)
    ]


def _readable(files: Iterable[tuple[str, Path]], outcome: _Outcome) -> Iterator[SourceDocument]:
    """Files read one after the other as they are needed; what cannot be read is noted with its reason."""
    for name, path in files:
        try:
            document, data = read_file(path)
        except UnreadableDocument as refusal:
            outcome.failed.append((name, refusal.reason))
            continue
        yield SourceDocument(name, document, hashlib.sha256(data).digest())


def _next_group(sources: Iterator[SourceDocument], audience: Audience, encoder: str) -> list[_Cut]:
    """The next documents, cut, until there are enough chunks for the encoder; at least one, unless all is done."""
    group: list[_Cut] = []
    chunks = 0
    for source in sources:
        cut = tuple(chunking.chunk(source.document))
        recipe = f"{audience.value}|{chunking.VERSION}|{encoder}".encode()
        group.append(_Cut(source, hashlib.sha256(source.digest + recipe).digest(), cut))
        chunks += len(cut)
        if chunks >= EMBED_CHUNKS:
            break
    return group


def _prepared(cut: _Cut, audience: Audience, vectors: npt.NDArray[np.float16]) -> PreparedDocument:
    document = cut.source.document
    return PreparedDocument(
        cut.source.id, document.title, audience, document.media_type, cut.content_hash, cut.chunks, vectors
    )
