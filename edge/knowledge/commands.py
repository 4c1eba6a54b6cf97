"""`postern kb …` as functions: the knowledge base in, JSON shapes of the contract out.

The command line calls these when it holds the store's lock; the node's admin socket calls the same ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import PosternError
from edge.knowledge import metadata
from edge.knowledge.document import Audience
from edge.knowledge.ingest import NOTHING, AddReport, KnowledgeBase, Progress, now_ms
from edge.knowledge.metadata import MetadataChange
from edge.knowledge.rows import ListedDocument
from edge.knowledge.search import Mode

# Most results of one search: more is a listing, not an answer.
RESULTS_MAX = 100
SCORE_DIGITS = 4


class NoSuchDocument(PosternError):
    """A document was named that is not in the knowledge base."""

    code = "no_such_document"
    title = "There is no such document"
    remedy = "See the names with `postern kb list`."
    status = 404


async def add(
    base: KnowledgeBase,
    paths: Sequence[Path],
    change: MetadataChange = NOTHING,
    progress: Callable[[Progress], None] | None = None,
    *,
    mirror: bool = False,
) -> dict[str, Any]:
    """Add files and folders: counts, and each failure with its reason."""
    return _report(await base.add(paths, change, progress, mirror=mirror))


async def listing(base: KnowledgeBase) -> list[dict[str, Any]]:
    """All documents, by id."""
    return [_listed(document) for document in await base.documents()]


async def set_metadata(base: KnowledgeBase, document: str, change: MetadataChange) -> dict[str, Any]:
    """Change what is said of a document: old and new, for the audit. Raises NoSuchDocument, BadMetadata."""
    changed = await base.set_metadata(document, change)
    if changed is None:
        raise _missing(document)
    old, new = changed
    return {"doc": document, "old": metadata.as_json(old), "new": metadata.as_json(new)}


async def remove(base: KnowledgeBase, document: str) -> dict[str, Any]:
    """Remove a document. Raises NoSuchDocument."""
    if not await base.remove(document):
        raise _missing(document)
    return {"removed": document}


async def search(
    base: KnowledgeBase, text: str, k: int = 5, mode: Mode = "hybrid", audience: Audience = Audience.PUBLIC
) -> list[dict[str, Any]]:
    """Passages for a text, best first."""
    k = min(max(k, 1), RESULTS_MAX)
    found = await asyncio.to_thread(base.search, text, k, audience, mode, at_ms=now_ms())
    return [
        {
            "doc": passage.doc,
            "title": passage.title,
            "section": passage.section,
            "text": passage.text,
            "score": round(passage.score, SCORE_DIGITS),
        }
        for passage in found
    ]


def _report(report: AddReport) -> dict[str, Any]:
    return {
        "added": len(report.added),
        "unchanged": len(report.unchanged),
        "updated": len(report.updated),
        "removed": len(report.removed),
        "failed": [{"path": path, "reason": reason} for path, reason in report.failed],
    }


def _listed(document: ListedDocument) -> dict[str, Any]:
    return {
        "doc": document.id,
        "title": document.title,
        **metadata.as_json(document.metadata),
        "type": document.media_type,
        "version": document.version,
        "chunks": document.chunks,
        "added_ms": document.added_ms,
    }


def _missing(document: str) -> NoSuchDocument:
    return NoSuchDocument(f"There is no document {document}.")
