"""`postern kb …` as functions: the knowledge base in, JSON shapes of the contract out.

The command line calls these when it holds the store's lock; the node's admin socket calls the same ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import PosternError
from edge.knowledge import metadata
from edge.knowledge.document import Audience, Metadata, State
from edge.knowledge.files import uploaded_name
from edge.knowledge.finding import Place
from edge.knowledge.ingest import NOTHING, KnowledgeBase, Progress, now_ms
from edge.knowledge.metadata import MetadataChange
from edge.knowledge.outcome import AddReport
from edge.knowledge.rows import ListedDocument
from edge.knowledge.search import Mode
from edge.knowledge.sources import written_answer
from edge.knowledge.versions import OldVersion

# Most results of one search: more is a listing, not an answer.
RESULTS_MAX = 100
SCORE_DIGITS = 4
# Passages of a document that are shown at a time: a page that a person looks through.
PASSAGES_SHOWN_MAX = 200


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


async def differences(base: KnowledgeBase) -> list[dict[str, Any]]:
    """Documents that say different things about the same, the latest noticed first."""
    return [
        {
            "noted_ms": found.noted_ms,
            "sides": [
                {"doc": side.document, "version": side.version, "quote": side.quote}
                for side in (found.first, found.second)
            ],
        }
        for found in await base.differences()
    ]


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


async def upload(base: KnowledgeBase, file: Path, name: str, change: MetadataChange) -> dict[str, Any]:
    """Add one file under a name that is not its own. Raises UnreadableDocument, BadMetadata."""
    document = uploaded_name(name)
    report = await base.add_file(file, document, change)
    if report.failed:
        return {"doc": document, **_report(report)}
    return {**await show(base, document), **_report(report)}


async def write(base: KnowledgeBase, question: str, answer: str, change: MetadataChange) -> dict[str, Any]:
    """A question and its answer, in Markdown, as a document of its own; a draft unless `change` gives a state.

    Raises UnreadableDocument when there is nothing in the answer, BadMetadata.
    """
    change = change if change.state else replace(change, state=State.DRAFT)
    change.applied_to(Metadata())
    source = written_answer(question, answer, {document.id for document in await base.documents()})
    await base.add_documents([source], change)
    return await show(base, source.id)


async def show(
    base: KnowledgeBase, document: str, version: int | None = None, first: int = 0
) -> dict[str, Any]:
    """One document: what is said of it, its versions, and passages from the `first` on. Raises NoSuchDocument."""
    found = await base.document(document)
    old = await base.old_versions(document)
    if found is None and not old:
        raise _missing(document)
    if found is not None and version in {None, found.version}:
        passages: Sequence[tuple[str, str]] = await base.passages(document)
        shown = found.version
    else:
        kept = next((one for one in old if version in {None, one.version}), None)
        if kept is None:
            raise NoSuchDocument(f"There is no version {version} of {document} any more.")
        passages, shown = kept.chunks, kept.version
    part = passages[first : first + PASSAGES_SHOWN_MAX]
    return {
        "doc": document,
        **(_listed(found) if found else {}),
        "removed": found is None,
        "shown_version": shown,
        "passages": [{"section": section, "text": text} for section, text in part],
        "first": first,
        "of": len(passages),
        "old_versions": [_old(one) for one in old],
    }


async def search(
    base: KnowledgeBase,
    text: str,
    k: int = 5,
    mode: Mode = "hybrid",
    audience: Audience = Audience.PUBLIC,
    *,
    drafts: bool = False,
) -> list[dict[str, Any]]:
    """Passages for a text, best first, each with its place in both legs."""
    k = min(max(k, 1), RESULTS_MAX)
    found = await asyncio.to_thread(base.search, text, k, audience, mode, at_ms=now_ms(), drafts=drafts)
    return [
        {
            "doc": finding.passage.doc,
            "title": finding.passage.title,
            "section": finding.passage.section,
            "text": finding.passage.text,
            "score": round(finding.passage.score, SCORE_DIGITS),
            "version": finding.passage.version,
            "state": finding.state.value,
            "lexical": _place(finding.lexical),
            "vector": _place(finding.vector),
        }
        for finding in found
    ]


def _place(place: Place | None) -> dict[str, Any] | None:
    return {"rank": place.rank, "score": round(place.score, SCORE_DIGITS)} if place else None


def _old(version: OldVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "title": version.title,
        "audience": version.audience.value,
        "replaced_ms": version.replaced_ms,
        "citations": version.citations,
    }


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
