"""The site's knowledge base: files in, rows and vectors committed, indexes changed to match.

A document is taken in whole or not at all: its row, chunks and vectors and the outbox row are one transaction, and
the indexes change after the commit, in its order. Reading, cutting and embedding run in threads, embedding in batches
across documents; only the commit excludes other changes, so that nobody waits for somebody's large folder.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from edge.knowledge import chunking, differences, languages, rows, versions
from edge.knowledge.differences import Difference
from edge.knowledge.document import Audience, Metadata, State
from edge.knowledge.files import FoundFile, find_files
from edge.knowledge.finding import Finding, find
from edge.knowledge.metadata import BadMetadata, MetadataChange
from edge.knowledge.outcome import AddReport, Outcome
from edge.knowledge.ranking import RankingModel
from edge.knowledge.reading import ReaderProcess
from edge.knowledge.rows import Committed, ListedDocument, PreparedDocument, StoredChunks
from edge.knowledge.search import Mode, Searcher
from edge.knowledge.sources import CutDocument, SourceDocument, next_group, read_all
from edge.knowledge.vectors import (
    Embedded,
    Tell,
    TextEmbedder,
    Vectors,
    Wanted,
    always,
    embed_missing,
    keep,
    silent,
)
from edge.knowledge.versions import OldVersion
from edge.store.store import Store

log = logging.getLogger(__name__)

# Rows that are read from the store at a time when the indexes are built.
LOAD_ROWS = 8_192
# Chunks whose words say which language a document is in.
CHUNKS_OF_A_LANGUAGE = 3
# What a metadata change says that says nothing.
NOTHING = MetadataChange()
_NO_FOLDERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an `add` is: documents done of all, and the one that was last finished."""

    done: int
    of: int
    document: str


class KnowledgeBase:
    """All documents of a site. Open it with `open`; its `searcher` follows every commit, as do its `drafts`."""

    def __init__(
        self, store: Store, embedder: TextEmbedder, encoder: str, ranking: RankingModel | None = None
    ) -> None:
        self.searcher = Searcher(embedder.dim, ranking)
        self.drafts = Searcher(embedder.dim, ranking)
        self.behind = False
        """The stored vectors are of another encoder: passages are found by their words, until `catch_up`."""
        self.embedded: Embedded | None = None
        """How far that is, while it goes on."""
        self._store = store
        self._embedder = embedder
        self._encoder = encoder
        self._changing = asyncio.Lock()
        self._reader = ReaderProcess()
        self._adding = 0

    @classmethod
    async def open(
        cls, store: Store, embedder: TextEmbedder, encoder: str, ranking: RankingModel | None = None
    ) -> Self:
        """Build the indexes from the store. `encoder` identifies the model (its hash).

        When the stored vectors are of another encoder, the base is `behind`.
        """
        base = cls(store, embedder, encoder, ranking)
        base.behind = await store.read(rows.encoder_of) not in {"", encoder}
        await store.read(base._load)
        return base

    async def catch_up(self) -> None:
        """Where the base is `behind`: make the vectors of all documents anew, then search by them. Slow."""
        if not self.behind:
            return
        encoder = self._encoder  # another one may take its place meanwhile, with vectors of its own
        log.warning("documents are embedded again: the encoder changed", extra={"is": encoder})
        made = await self.embed_all(self._embedder, encoder, wanted=lambda: self.behind)
        await self.exchange(made, encoder)
        log.info("documents are embedded", extra={"chunks": len(made)})

    async def embed_all(
        self, embedder: TextEmbedder, encoder: str, tell: Tell = silent, wanted: Wanted = always
    ) -> Vectors:
        """Vectors of all documents by another encoder, while this one serves. Slow; `embedded` says how far it is.

        Those of the encoder that served before were kept: for it, only documents that came since are read.
        """
        made: Vectors = await self._store.read(partial(rows.vectors_before, encoder=encoder))
        try:
            await embed_missing(self._store, embedder, made, partial(self._tell, tell), wanted)
        finally:
            self.embedded = None
        return made

    def _tell(self, tell: Tell, embedded: Embedded) -> None:
        self.embedded = embedded
        tell(embedded)

    async def exchange(
        self,
        made: Vectors,
        encoder: str,
        embedder: TextEmbedder | None = None,
        ranking: RankingModel | None = None,
        switch: Callable[[Callable[[], None]], None] = lambda take: take(),
    ) -> None:
        """Let the vectors of `embed_all` serve. They are stored in one transaction with the name of their encoder.

        `embedder`, `ranking`: of an encoder that takes the place of the one that serves. `switch` calls what it is
        given, in a thread, when nobody searches, and lets that encoder serve in the same moment.
        """
        async with self._changing:
            if embedder is None and not (self.behind and encoder == self._encoder):
                return  # some or all of them are not of the encoder that serves now
            by = embedder or self._embedder
            await embed_missing(self._store, by, made)  # documents that came meanwhile
            await self._store.write(partial(keep, made=made, encoder=encoder))

            def take() -> None:
                self._encoder, self.behind = encoder, True
                for searcher in (self.searcher, self.drafts):
                    searcher.take_vectors(by.dim, made, ranking)
                self.behind = False

            await asyncio.to_thread(switch, take)

    async def add(
        self,
        paths: Sequence[Path],
        change: MetadataChange = NOTHING,
        progress: Callable[[Progress], None] | None = None,
        *,
        mirror: bool = False,
    ) -> AddReport:
        """Add files, and all readable files of folders. A document's id is its path below the added folder.

        `change` is what is said of each document; a new one is otherwise public, approved and always valid. With
        `mirror` the documents that an earlier `add` of the same folder brought, and that are gone from it, are
        removed. Files of a kind that is not read are reported as failed, hidden files are passed over.
        Raises TooManyFiles.
        """
        outcome = Outcome()
        found = await asyncio.to_thread(find_files, paths)
        outcome.failed += found.refused
        files = list(found.files.values())
        await self._add_files(files, change, outcome, progress)
        if mirror:
            for folder, names in found.folders.items():
                await self._remove_gone(folder, names, outcome)
        return outcome.report()

    async def add_file(self, file: Path, document: str, change: MetadataChange = NOTHING) -> AddReport:
        """Add one file under a name that is not its own."""
        outcome = Outcome()
        await self._add_files([FoundFile(document, file)], change, outcome, None)
        return outcome.report()

    async def add_documents(
        self,
        documents: Sequence[SourceDocument],
        change: MetadataChange = NOTHING,
        progress: Callable[[Progress], None] | None = None,
    ) -> AddReport:
        """Add documents that were made elsewhere; otherwise as `add`."""
        outcome = Outcome()
        await self._add(iter(documents), len(documents), change, outcome, progress)
        return outcome.report()

    async def set_metadata(self, document: str, change: MetadataChange) -> tuple[Metadata, Metadata] | None:
        """Change what is said of a document, old and new; None when there is none. Raises BadMetadata."""
        changed = await asyncio.shield(self._set_metadata([document], change))
        return changed[0] if changed else None

    async def remove(self, document: str) -> bool:
        """Remove a document by its id; False when there is none."""
        return bool(await asyncio.shield(self._remove([document])))

    async def documents(self) -> list[ListedDocument]:
        """All documents, by id."""
        return await self._store.read(rows.listing)

    async def differences(self) -> list[Difference]:
        """Documents that differ, as customers were shown them."""
        return await self._store.read(differences.listing)

    async def document(self, document: str) -> ListedDocument | None:
        """One document by its id, or None."""
        return await self._store.read(partial(rows.listed, document=document))

    async def passages(self, document: str) -> list[tuple[str, str]]:
        """The present text of a document: section and text of each chunk, in order."""
        stored = await self._store.read(partial(rows.chunks_of, document=document))
        return [(chunk.section, chunk.text) for chunk in stored.chunks]

    async def old_versions(self, document: str) -> list[OldVersion]:
        """The texts of a document that are kept because turns quote them, newest first."""
        return await self._store.read(partial(versions.old_versions, document=document))

    def search(
        self,
        text: str,
        k: int,
        audience: Audience,
        mode: Mode = "hybrid",
        *,
        at_ms: int,
        drafts: bool = False,
    ) -> list[Finding]:
        """What a text finds, best first, for staff to look at. Blocking; a turn uses the scheduler and `searcher`."""
        searchers = {State.APPROVED: self.searcher} | ({State.DRAFT: self.drafts} if drafts else {})
        embedding = self._embedder.embed([text])[0]
        return find(searchers, text, embedding, audience, k, mode, at_ms=at_ms)

    async def close(self) -> None:
        """End the process that reads; who still adds files gets NotReading."""
        await asyncio.to_thread(self._reader.close)

    async def _add_files(
        self,
        files: list[FoundFile],
        change: MetadataChange,
        outcome: Outcome,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._adding += 1
        try:
            sources = read_all(files, self._reader, outcome.failed)
            await self._add(sources, len(files), change, outcome, progress)
        finally:
            self._adding -= 1
            if not self._adding:
                await asyncio.to_thread(self._reader.rest)

    async def _add(
        self,
        sources: Iterator[SourceDocument],
        of: int,
        change: MetadataChange,
        outcome: Outcome,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        while group := await asyncio.to_thread(next_group, sources, self._encoder, outcome.failed):
            new = await self._new_ones(group, change, outcome)
            if new:
                encoder = self._encoder
                prepared = await asyncio.to_thread(self._embed, new, change)
                # Once committed, the indexes must follow even if whoever asked is gone.
                again = partial(self._embed, new, change)
                await asyncio.shield(self._commit(prepared, encoder, again))
                outcome.added += [document.id for document in prepared]
            if progress:
                progress(Progress(outcome.done, of, group[-1].source.id))

    async def _new_ones(
        self, group: list[CutDocument], change: MetadataChange, outcome: Outcome
    ) -> list[CutDocument]:
        """Those of the group whose text is not there yet; the others are noted, their metadata changed."""
        known = await self._store.read(lambda db: [rows.listed(db, cut.source.id) for cut in group])
        new: list[CutDocument] = []
        stale: dict[str, str] = {}  # document → the folder that it was found in
        for cut, old in zip(group, known, strict=True):
            try:
                wanted = change.applied_to(old.metadata if old else Metadata())
            except BadMetadata as error:
                outcome.failed.append((cut.source.id, f"{error.detail} {error.remedy}"))
                continue
            if old is None or old.content_hash != cut.content_hash:
                new.append(cut)
            elif wanted != old.metadata or cut.source.folder not in {"", old.folder}:
                stale[cut.source.id] = cut.source.folder
                (outcome.unchanged if wanted == old.metadata else outcome.updated).append(cut.source.id)
            else:
                outcome.unchanged.append(cut.source.id)
        if stale:
            await asyncio.shield(self._set_metadata(list(stale), change, stale))
        return new

    def _embed(self, group: list[CutDocument], change: MetadataChange) -> list[PreparedDocument]:
        texts = [
            chunking.embedding_text(cut.source.document.title, chunk.section, chunk.text)
            for cut in group
            for chunk in cut.chunks
        ]
        vectors = self._embedder.embed(texts).astype(rows.STORED) if texts else np.empty((0, 0), rows.STORED)
        ends = list(itertools.accumulate(len(cut.chunks) for cut in group))
        parts = np.split(vectors, ends[:-1]) if group else []
        return [_prepared(cut, change, part) for cut, part in zip(group, parts, strict=True)]

    async def _commit(
        self, documents: list[PreparedDocument], encoder: str, again: Callable[[], list[PreparedDocument]]
    ) -> None:
        """All of the group in one transaction; whoever reads sees each of them whole.

        `encoder`: whose vectors they have; where another one serves by now, `again` gives them its own.
        """

        def run(db: Database) -> list[Committed]:
            at_ms = now_ms()
            versions.prune(db, at_ms)
            committed = [rows.replace(db, document, at_ms) for document in documents]
            rows.set_encoder(db, rows.MIXED if self.behind else self._encoder)
            rows.announce(db)
            return committed

        async with self._changing:
            if encoder != self._encoder:
                documents = await asyncio.to_thread(again)
            await self._follow(await self._store.write(run))

    async def _set_metadata(
        self, documents: Sequence[str], change: MetadataChange, folders: Mapping[str, str] = _NO_FOLDERS
    ) -> list[tuple[Metadata, Metadata]]:
        """Old and new metadata of each document that there is, in one transaction. Raises BadMetadata."""

        def run(db: Database) -> list[tuple[Metadata, Metadata, Committed]]:
            changed = [found for name in documents if (found := rows.change_metadata(db, name, change))]
            for name, folder in folders.items():
                rows.set_folder(db, name, folder)
            if changed:
                rows.announce(db)
            return changed

        async with self._changing:
            changed = await self._store.write(run)
            await self._follow([committed for old, new, committed in changed if old != new])
        return [(old, new) for old, new, _ in changed]

    async def _remove(self, documents: Sequence[str]) -> int:
        """Remove documents in one transaction; how many there were."""

        def run(db: Database) -> list[Committed]:
            at_ms = now_ms()
            versions.prune(db, at_ms)
            removed = [gone for name in documents if (gone := rows.remove(db, name, at_ms))]
            if removed:
                rows.announce(db)
            return removed

        async with self._changing:
            removed = await self._store.write(run)
            await self._follow(removed)
        return len(removed)

    async def _remove_gone(self, folder: str, names: set[str] | None, outcome: Outcome) -> None:
        """Remove what came from a folder and is no more in it; nothing when the folder looks as if it were away."""
        if not names:
            why = "It is empty" if names is not None else "Not all of it could be opened"
            outcome.failed.append((folder, f"{why}: nothing was removed. Check that the folder is there."))
            return
        known = await self._store.read(partial(rows.from_folder, folder=folder))
        gone = [name for name in known if name not in names]
        if gone:
            await asyncio.shield(self._remove(gone))
            outcome.removed += gone

    async def _follow(self, committed: Sequence[Committed]) -> None:
        """Change both indexes as the store was changed."""
        removed = [chunk_id for one in committed for chunk_id in one.removed]
        for searcher, state in ((self.searcher, State.APPROVED), (self.drafts, State.DRAFT)):
            added = [one.added for one in committed if one.added and one.state is state]
            chunks = [chunk for one in added for chunk in one.chunks]
            empty = np.empty((0, self._embedder.dim), rows.STORED)
            vectors = np.concatenate([self._usable(one) for one in added if one.chunks] or [empty])
            await asyncio.to_thread(searcher.change, removed, chunks, vectors)

    def _usable(self, stored: StoredChunks) -> npt.NDArray[np.float16]:
        """[chunks, dim]; zeros where they may be another encoder's."""
        return (
            np.zeros((len(stored.chunks), self._embedder.dim), rows.STORED) if self.behind else stored.vectors
        )

    def _load(self, db: Database) -> None:
        for searcher, state in ((self.searcher, State.APPROVED), (self.drafts, State.DRAFT)):
            groups = [
                StoredChunks(tuple(chunks), found) for chunks, found in rows.all_chunks(db, LOAD_ROWS, state)
            ]
            if groups:
                chunks = [chunk for group in groups for chunk in group.chunks]
                searcher.change((), chunks, np.concatenate([self._usable(group) for group in groups]))


def _prepared(cut: CutDocument, change: MetadataChange, vectors: npt.NDArray[np.float16]) -> PreparedDocument:
    source, document = cut.source, cut.source.document
    return PreparedDocument(
        id=source.id,
        title=document.title,
        change=change,
        media_type=document.media_type,
        content_hash=cut.content_hash,
        chunks=cut.chunks,
        vectors=vectors,
        folder=source.folder,
        language=languages.of_document("\n".join(chunk.text for chunk in cut.chunks[:CHUNKS_OF_A_LANGUAGE])),
    )


def now_ms() -> int:
    """Wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
