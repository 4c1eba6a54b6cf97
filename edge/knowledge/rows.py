"""Documents and chunks as rows of the store: every statement that touches them, and nothing else.

Functions of the database, for `Store.write` and `Store.read`. `replace` changes one document's row, its chunks, its
vectors and the outbox within the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from edge.knowledge import versions
from edge.knowledge.document import Audience, Chunk, Metadata, State, Validity
from edge.knowledge.metadata import MetadataChange
from edge.knowledge.search import IndexedChunk, IndexedDocument
from edge.store.outbox import OutboxClass, append

# As a vector is stored: half the space of float32, and an error far below that of the int8 model (cosine > .99999).
STORED = np.dtype("<f2")
_GENERATION = "knowledge_generation"
_ENCODER = "knowledge_encoder"
_ENCODER_BEFORE = "knowledge_encoder_before"
# In its place when some vectors are of one encoder and some of another.
MIXED = "mixed"
_LISTED = (
    "SELECT id, title, media_type, version, added_ms, folder, content_hash, audience, owner, state, valid_from_ms,"
    " valid_until_ms, (SELECT count(*) FROM chunks WHERE document = documents.id) FROM documents"
)
_CHUNKS = (
    "SELECT chunks.id, section, text, vector, documents.id, version, title, audience, valid_from_ms, valid_until_ms,"
    " language FROM chunks JOIN documents ON documents.id = document"
)


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document that was read, cut and embedded, ready to be committed. `vectors` [chunks, dim] in STORED.

    `change` is what was said about it; the rest is as it was, or as a new document has it. `folder` is where it
    was added from; empty when it was added by itself.
    """

    id: str
    title: str
    change: MetadataChange
    media_type: str
    content_hash: bytes
    chunks: tuple[Chunk, ...]
    vectors: npt.NDArray[np.float16]
    folder: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document as staff see it in a list."""

    id: str
    title: str
    metadata: Metadata
    media_type: str
    version: int
    chunks: int
    added_ms: int
    folder: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class StoredChunks:
    """Chunks as the indexes take them in, with their vectors [chunks, dim]."""

    chunks: tuple[IndexedChunk, ...]
    vectors: npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit changed: chunk ids that went, and a document as it is now; None when it went."""

    removed: tuple[int, ...]
    added: StoredChunks | None = None
    state: State = State.RETIRED


def replace(db: Database, document: PreparedDocument, at_ms: int) -> Committed:
    """Commit a document in place of its earlier text, which is put aside. Raises BadMetadata."""
    old = listed(db, document.id)
    new = document.change.applied_to(old.metadata if old else Metadata())
    version = versions.next_version(db, document.id)
    removed = _put_aside(db, document.id, at_ms)
    db.execute(
        "INSERT INTO documents(id, title, media_type, content_hash, version, added_ms, folder, language, audience,"
        " owner, state, valid_from_ms, valid_until_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(id) DO UPDATE SET title = excluded.title, media_type = excluded.media_type,"
        " content_hash = excluded.content_hash, version = excluded.version, added_ms = excluded.added_ms,"
        " folder = excluded.folder, language = excluded.language,"
        " audience = excluded.audience, owner = excluded.owner, state = excluded.state,"
        " valid_from_ms = excluded.valid_from_ms, valid_until_ms = excluded.valid_until_ms",
        [
            document.id,
            document.title,
            document.media_type,
            document.content_hash,
            version,
            at_ms,
            document.folder or (old.folder if old else ""),
            document.language,
            *_said(new),
        ],
    )
    indexed = IndexedDocument(
        document.id, version, document.title, new.audience, new.valid, document.language
    )
    chunks = tuple(_insert_chunks(db, indexed, document))
    return Committed(removed, StoredChunks(chunks, document.vectors), new.state)


def change_metadata(
    db: Database, document: str, change: MetadataChange
) -> tuple[Metadata, Metadata, Committed] | None:
    """Change what staff say about a document; its text and vectors stay. Old, new, and what the indexes must follow.

    None when there is no such document. Raises BadMetadata.
    """
    found = listed(db, document)
    if found is None:
        return None
    new = change.applied_to(found.metadata)
    db.execute(
        "UPDATE documents SET audience = ?, owner = ?, state = ?, valid_from_ms = ?, valid_until_ms = ? WHERE id = ?",
        [*_said(new), document],
    )
    stored = chunks_of(db, document)
    return found.metadata, new, Committed(tuple(chunk.chunk_id for chunk in stored.chunks), stored, new.state)


def remove(db: Database, document: str, at_ms: int) -> Committed | None:
    """Delete a document and its chunks, its text put aside; None when there is no such document."""
    if listed(db, document) is None:
        return None
    removed = _put_aside(db, document, at_ms)
    db.execute("DELETE FROM documents WHERE id = ?", [document])
    return Committed(removed)


def announce(db: Database) -> None:
    """The outbox row that says how much there is now: counts only."""
    documents = int(db.execute("SELECT count(*) FROM documents").fetchone()[0])
    chunks = int(db.execute("SELECT count(*) FROM chunks").fetchone()[0])
    generation = int(_meta(db, _GENERATION) or 0) + 1
    _set_meta(db, _GENERATION, str(generation))
    append(
        db,
        OutboxClass.STATE,
        "knowledge.changed",
        {"documents": documents, "chunks": chunks, "generation": generation},
    )


def listing(db: Database) -> list[ListedDocument]:
    """All documents, by id."""
    return [_listed(row) for row in db.execute(f"{_LISTED} ORDER BY id")]


def listed(db: Database, document: str) -> ListedDocument | None:
    """One document, or None."""
    row = db.execute(f"{_LISTED} WHERE id = ?", [document]).fetchone()
    return _listed(row) if row else None


def from_folder(db: Database, folder: str) -> list[str]:
    """The documents that were added from a folder, by id."""
    found = db.execute("SELECT id FROM documents WHERE folder = ? ORDER BY id", [folder])
    return [row[0] for row in found]


def set_folder(db: Database, document: str, folder: str) -> None:
    """Note where an unchanged document was found again."""
    db.execute("UPDATE documents SET folder = ? WHERE id = ?", [folder, document])


def chunks_of(db: Database, document: str) -> StoredChunks:
    """The chunks of one document, in order, with their vectors."""
    cursor = db.execute(f"{_CHUNKS} WHERE documents.id = ? ORDER BY ordinal", [document])
    return _stored(cursor.fetchall(), {})


def all_chunks(
    db: Database, rows_max: int, state: State | None = None
) -> Iterator[tuple[list[IndexedChunk], npt.NDArray[np.float16]]]:
    """Every chunk of the documents in `state` (None: in any) with its vector, by id, at most `rows_max` at a time."""
    where, values = ("WHERE documents.state = ?", [state.value]) if state else ("", [])
    cursor = db.execute(f"{_CHUNKS} {where} ORDER BY chunks.id", values)
    documents: dict[str, IndexedDocument] = {}
    while rows := cursor.fetchmany(rows_max):
        group = _stored(rows, documents)
        yield list(group.chunks), group.vectors


def encoder_of(db: Database) -> str:
    """Which encoder made the stored vectors; empty when there are none yet."""
    return _meta(db, _ENCODER) or ""


def set_encoder(db: Database, encoder: str) -> None:
    """Note which encoder makes the vectors."""
    _set_meta(db, _ENCODER, encoder)


def set_vectors(db: Database, vectors: Mapping[int, npt.NDArray[np.float16]]) -> None:
    """Replace the vectors of chunks, by their ids."""
    pairs = ((vector.tobytes(), chunk_id) for chunk_id, vector in vectors.items())
    db.conn.executemany("UPDATE chunks SET vector = ? WHERE id = ?", pairs)


def put_vectors_aside(db: Database, after: str) -> None:
    """Keep the stored vectors as those of the encoder before, in place of older ones, as `after`'s are to follow."""
    before = encoder_of(db)
    if before == after:
        return
    db.execute("DELETE FROM vectors_before")
    if before not in {"", MIXED}:
        db.execute("INSERT INTO vectors_before(chunk, vector) SELECT id, vector FROM chunks")
    _set_meta(db, _ENCODER_BEFORE, before)


def vectors_before(db: Database, encoder: str) -> dict[int, npt.NDArray[np.float16]]:
    """What is kept of an encoder, by chunk id, [dim] each: of the one before, and of the one whose are stored still.

    Of any other nothing.
    """
    if encoder_of(db) == encoder:
        found = db.execute("SELECT id, vector FROM chunks")
    elif _meta(db, _ENCODER_BEFORE) == encoder:
        found = db.execute("SELECT chunk, vector FROM vectors_before")
    else:
        return {}
    return {int(chunk): np.frombuffer(vector, STORED) for chunk, vector in found}


def _put_aside(db: Database, document: str, at_ms: int) -> tuple[int, ...]:
    """Move the present text to the old versions; the ids of its chunks."""
    versions.keep(db, document, at_ms)
    removed = tuple(row[0] for row in db.execute("SELECT id FROM chunks WHERE document = ?", [document]))
    db.execute("DELETE FROM chunks WHERE document = ?", [document])
    return removed


def _insert_chunks(
    db: Database, indexed: IndexedDocument, document: PreparedDocument
) -> Iterator[IndexedChunk]:
    for chunk, vector in zip(document.chunks, document.vectors, strict=True):
        cursor = db.execute(
            "INSERT INTO chunks(document, ordinal, section, text, vector) VALUES (?, ?, ?, ?, ?)",
            [document.id, chunk.ordinal, chunk.section, chunk.text, vector.tobytes()],
        )
        yield IndexedChunk(int(cursor.lastrowid or 0), indexed, chunk.section, chunk.text)


def _stored(rows: list[Any], documents: dict[str, IndexedDocument]) -> StoredChunks:
    """Rows of _CHUNKS; a document is made once and kept in `documents`."""
    chunks: list[IndexedChunk] = []
    for chunk_id, section, text, _, name, version, title, audience, from_ms, until_ms, language in rows:
        if name not in documents:
            valid = Validity(from_ms, until_ms)
            documents[name] = IndexedDocument(name, version, title, Audience(audience), valid, language)
        chunks.append(IndexedChunk(chunk_id, documents[name], section, text))
    return StoredChunks(tuple(chunks), _vectors([row[3] for row in rows]))


def _vectors(stored: list[bytes]) -> npt.NDArray[np.float16]:
    """[rows, dim]; [rows, 0] where two encoders made them: until all are made again they are of no use."""
    if len({len(vector) for vector in stored}) > 1:
        return np.empty((len(stored), 0), STORED)
    return np.frombuffer(b"".join(stored), STORED).reshape(len(stored), -1 if stored else 0)


def _listed(row: tuple[Any, ...]) -> ListedDocument:
    name, title, media_type, version, added_ms, folder, content_hash, *said, chunks = row
    audience, owner, state, from_ms, until_ms = said
    about = Metadata(Audience(audience), owner, State(state), Validity(from_ms, until_ms))
    return ListedDocument(name, title, about, media_type, version, chunks, added_ms, folder, content_hash)


def _said(about: Metadata) -> list[str | int | None]:
    """The values of audience, owner, state, valid_from_ms and valid_until_ms."""
    return [about.audience.value, about.owner, about.state.value, about.valid.from_ms, about.valid.until_ms]


def _meta(db: Database, name: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return bytes(row[0]).decode() if row else None


def _set_meta(db: Database, name: str, value: str) -> None:
    db.execute(
        "INSERT INTO meta(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
        [name, value.encode()],
    )
