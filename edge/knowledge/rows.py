"""Documents and chunks as rows of the store: every statement that touches them, and nothing else.

Functions of the database, for `Store.write` and `Store.read`. `replace` changes one document's row, its chunks, its
vectors and the outbox within the caller's transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from edge.knowledge.document import Audience, Chunk
from edge.knowledge.search import IndexedChunk, IndexedDocument
from edge.store.outbox import OutboxClass, append

# As a vector is stored: half the space of float32, and an error far below that of the int8 model (cosine > .99999).
STORED = np.dtype("<f2")
_GENERATION = "knowledge_generation"
_ENCODER = "knowledge_encoder"


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document that was read, cut and embedded, ready to be committed. `vectors` [chunks, dim] in STORED."""

    id: str
    title: str
    audience: Audience
    media_type: str
    content_hash: bytes
    chunks: tuple[Chunk, ...]
    vectors: npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document as staff see it in a list."""

    id: str
    title: str
    audience: Audience
    media_type: str
    version: int
    chunks: int
    added_ms: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a commit changed: chunk ids that went, chunks that came (in order of the vectors)."""

    removed: tuple[int, ...]
    added: tuple[IndexedChunk, ...]


def content_hash(db: Database, document: str) -> bytes | None:
    """The hash under which a document was added, or None."""
    row = db.execute("SELECT content_hash FROM documents WHERE id = ?", [document]).fetchone()
    return bytes(row[0]) if row else None


def replace(db: Database, document: PreparedDocument) -> Replaced:
    """Commit a document in place of its earlier version, if there is one."""
    row = db.execute("SELECT version FROM documents WHERE id = ?", [document.id]).fetchone()
    version = row[0] + 1 if row else 1
    removed = _remove_chunks(db, document.id)
    db.execute(
        "INSERT INTO documents(id, title, audience, media_type, content_hash, version, added_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(id) DO UPDATE SET title = excluded.title, audience = excluded.audience,"
        " media_type = excluded.media_type, content_hash = excluded.content_hash, version = excluded.version,"
        " added_ms = excluded.added_ms",
        [
            document.id,
            document.title,
            document.audience.value,
            document.media_type,
            document.content_hash,
            version,
            time.time_ns() // 1_000_000,
        ],
    )
    indexed = IndexedDocument(document.id, version, document.title, document.audience)
    added = tuple(_insert_chunks(db, indexed, document))
    return Replaced(removed, added)


def remove(db: Database, document: str) -> Replaced | None:
    """Delete a document and its chunks; None when there is no such document."""
    if content_hash(db, document) is None:
        return None
    removed = _remove_chunks(db, document)
    db.execute("DELETE FROM documents WHERE id = ?", [document])
    return Replaced(removed, ())


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
    query = (
        "SELECT id, title, audience, media_type, version, added_ms,"
        " (SELECT count(*) FROM chunks WHERE document = documents.id) FROM documents ORDER BY id"
    )
    return [
        ListedDocument(name, title, Audience(audience), media_type, version, chunks, added_ms)
        for name, title, audience, media_type, version, added_ms, chunks in db.execute(query)
    ]


def all_chunks(db: Database, rows_max: int) -> Iterator[tuple[list[IndexedChunk], npt.NDArray[np.float16]]]:
    """Every chunk with its vector, in order of id, in groups of at most `rows_max`."""
    documents = {
        name: IndexedDocument(name, version, title, Audience(audience))
        for name, version, title, audience in db.execute("SELECT id, version, title, audience FROM documents")
    }
    cursor = db.execute("SELECT id, document, section, text, vector FROM chunks ORDER BY id")
    while rows := cursor.fetchmany(rows_max):
        chunks = [IndexedChunk(row[0], documents[row[1]], row[2], row[3]) for row in rows]
        yield chunks, np.frombuffer(b"".join(row[4] for row in rows), STORED).reshape(len(rows), -1)


def encoder_of(db: Database) -> str:
    """Which encoder made the stored vectors; empty when there are none yet."""
    return _meta(db, _ENCODER) or ""


def set_encoder(db: Database, encoder: str) -> None:
    """Note which encoder makes the vectors."""
    _set_meta(db, _ENCODER, encoder)


def set_vectors(db: Database, ids: Sequence[int], vectors: npt.NDArray[np.float16]) -> None:
    """Replace the vectors of chunks."""
    pairs = zip((vector.tobytes() for vector in vectors), ids, strict=True)
    db.conn.executemany("UPDATE chunks SET vector = ? WHERE id = ?", pairs)


def _remove_chunks(db: Database, document: str) -> tuple[int, ...]:
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


def _meta(db: Database, name: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return bytes(row[0]).decode() if row else None


def _set_meta(db: Database, name: str, value: str) -> None:
    db.execute(
        "INSERT INTO meta(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
        [name, value.encode()],
    )
