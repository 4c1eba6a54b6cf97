"""Old texts of documents, kept as long as a turn quotes them: every statement about citations but their end.

Functions of the database, for `Store.write` and `Store.read`. A turn that was answered from a text while that was
being replaced cites it a moment later; so what has just been replaced stays for a while even without a citation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database

from edge.knowledge.document import Audience

# How long a replaced text stays without any citation, milliseconds: far longer than a turn takes.
UNCITED_MS = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class OldVersion:
    """A text that is no more searched, but still quoted. `chunks`: (section, text) in order."""

    document: str
    version: int
    title: str
    audience: Audience
    replaced_ms: int
    citations: int
    chunks: tuple[tuple[str, str], ...]


def cite(db: Database, turn: str, cited: Iterable[tuple[str, int]]) -> None:
    """Note which documents, in which versions, a turn quotes."""
    rows = [(turn, document, version) for document, version in dict.fromkeys(cited)]
    db.conn.executemany("INSERT OR IGNORE INTO citations(turn, document, version) VALUES (?, ?, ?)", rows)


def keep(db: Database, document: str, at_ms: int) -> None:
    """Put the present text of a document aside; it is about to be replaced or removed."""
    chunks = db.execute("SELECT section, text FROM chunks WHERE document = ? ORDER BY ordinal", [document])
    db.execute(
        "INSERT INTO document_versions(document, version, title, audience, replaced_ms, chunks)"
        " SELECT id, version, title, audience, ?, ? FROM documents WHERE id = ?",
        [at_ms, json.dumps(chunks.fetchall(), ensure_ascii=False), document],
    )


def prune(db: Database, at_ms: int) -> None:
    """Delete old texts that no turn cites, nor will any that is under way."""
    db.execute(
        "DELETE FROM document_versions WHERE replaced_ms <= ? AND NOT EXISTS (SELECT 1 FROM citations"
        " WHERE citations.document = document_versions.document"
        " AND citations.version = document_versions.version)",
        [at_ms - UNCITED_MS],
    )


def next_version(db: Database, document: str) -> int:
    """A number that no text of this document has had, as far as anyone still refers to one."""
    used = db.execute(
        "SELECT max(version) FROM (SELECT version FROM documents WHERE id = :document"
        " UNION ALL SELECT version FROM document_versions WHERE document = :document"
        " UNION ALL SELECT version FROM citations WHERE document = :document)",
        {"document": document},
    ).fetchone()[0]
    return int(used or 0) + 1


def old_versions(db: Database, document: str) -> list[OldVersion]:
    """The old texts that are kept of a document, newest first."""
    query = (
        "SELECT document, version, title, audience, replaced_ms, (SELECT count(*) FROM citations"
        " WHERE citations.document = document_versions.document"
        " AND citations.version = document_versions.version), chunks"
        " FROM document_versions WHERE document = ? ORDER BY version DESC"
    )
    return [
        OldVersion(name, version, title, Audience(audience), replaced_ms, citations, _chunks(chunks))
        for name, version, title, audience, replaced_ms, citations, chunks in db.execute(query, [document])
    ]


def _chunks(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((section, words) for section, words in json.loads(text))
