"""`postern kb …` as functions: the knowledge base in, JSON shapes of the contract out.

The command line calls these when it holds the store's lock; the node's admin socket calls the same ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import PosternError
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase, Progress
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
    audience: Audience,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Add files and folders: counts, and each failure with its reason."""
    report = await base.add(paths, audience, progress)
    return {
        "added": len(report.added),
        "unchanged": len(report.unchanged),
        "failed": [{"path": path, "reason": reason} for path, reason in report.failed],
    }


async def listing(base: KnowledgeBase) -> list[dict[str, Any]]:
    """All documents, by id."""
    return [
        {
            "doc": document.id,
            "title": document.title,
            "audience": document.audience.value,
            "type": document.media_type,
            "version": document.version,
            "chunks": document.chunks,
            "added_ms": document.added_ms,
        }
        for document in await base.documents()
    ]


async def remove(base: KnowledgeBase, document: str) -> dict[str, Any]:
    """Remove a document. Raises NoSuchDocument."""
    if not await base.remove(document):
        raise NoSuchDocument(f"There is no document {document}.")
    return {"removed": document}


async def search(
    base: KnowledgeBase, text: str, k: int = 5, mode: Mode = "hybrid", audience: Audience = Audience.PUBLIC
) -> list[dict[str, Any]]:
    """Passages for a text, best first."""
    found = await asyncio.to_thread(base.search, text, min(max(k, 1), RESULTS_MAX), audience, mode)
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
