"""Tables of what the site knows: documents, what they lack, and what was learned."""

from __future__ import annotations

from edge.store.schema.tags import Column, Kind, Retention, Table, redacted, site


def _notice(sql: str, purpose: str) -> Column:
    """Longer than any consent that refers to it."""
    return Column(sql, Kind.SITE, purpose, Retention.YEARS_6, exported=False)


KNOWLEDGE: dict[str, Table] = {
    "documents": Table(
        {
            "id": site("TEXT PRIMARY KEY", "name of the document within the site"),
            "title": site("TEXT NOT NULL", "shown with a citation"),
            "audience": site("TEXT NOT NULL", "who may be answered from it"),
            "media_type": site("TEXT NOT NULL", "which reader made it"),
            "content_hash": site("BLOB NOT NULL", "idempotent adding"),
            "version": site("INTEGER NOT NULL", "which text a citation quotes"),
            "added_ms": site("INTEGER NOT NULL", "shown to staff"),
            "owner": site("TEXT NOT NULL DEFAULT ''", "who keeps it right"),
            "valid_from_ms": site("INTEGER", "answers only from then on"),
            "valid_until_ms": site("INTEGER", "answers only before then"),
            "state": site("TEXT NOT NULL DEFAULT 'approved'", "draft, approved or retired"),
            "language": site("TEXT NOT NULL DEFAULT 'en'", "stemming, and what the desk says it covers"),
            "folder": site("TEXT NOT NULL DEFAULT ''", "where it was added from, to follow that folder"),
        },
        title="Documents",
    ),
    "differences": Table(
        {
            "first": site("TEXT NOT NULL", "a document"),
            "first_version": site("INTEGER NOT NULL", "in which version"),
            "first_quote": site("TEXT NOT NULL", "what it says"),
            "second": site("TEXT NOT NULL", "another document"),
            "second_version": site("INTEGER NOT NULL", "in which version"),
            "second_quote": site("TEXT NOT NULL", "what that says instead"),
            "noted_ms": site("INTEGER NOT NULL", "shown to staff"),
        },
        constraints=(
            "PRIMARY KEY (first, first_version, second, second_version, first_quote, second_quote)",
        ),
        title="Documents that differ",
    ),
    "document_versions": Table(
        {
            "document": site("TEXT NOT NULL", "its document"),
            "version": site("INTEGER NOT NULL", "which text a citation quotes"),
            "title": site("TEXT NOT NULL", "shown with a citation"),
            "audience": site("TEXT NOT NULL", "who may see it"),
            "replaced_ms": site("INTEGER NOT NULL", "shown to staff"),
            "chunks": site("TEXT NOT NULL", "JSON list of [section, text], kept while a turn cites it"),
        },
        constraints=("PRIMARY KEY (document, version)",),
        title="Older versions of documents",
    ),
    "chunks": Table(
        {
            "id": site("INTEGER PRIMARY KEY AUTOINCREMENT", "row of the indexes"),
            "document": site("TEXT NOT NULL", "its document"),
            "ordinal": site("INTEGER NOT NULL", "its place in the document"),
            "section": site("TEXT NOT NULL", "path of headings"),
            "text": site("TEXT NOT NULL", "what is quoted"),
            "vector": site("BLOB NOT NULL", "embedding, float16 little-endian"),
        },
        indexes=("CREATE INDEX chunks_document ON chunks(document)",),
        title="Passages of documents",
    ),
    "vectors_before": Table(
        {
            "chunk": site("INTEGER PRIMARY KEY REFERENCES chunks(id) ON DELETE CASCADE", "its passage"),
            "vector": site("BLOB NOT NULL", "embedding by the encoder before, for the way back to it"),
        },
        title="Passages' vectors by the encoder before",
    ),
    "unanswered": Table(
        {
            "id": redacted("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order"),
            "created_ms": redacted("INTEGER NOT NULL", Kind.BEHAVIOUR, "retention"),
            "text": redacted("TEXT NOT NULL", Kind.REDACTED, "what the documents do not answer yet"),
            "vector": redacted("BLOB NOT NULL", Kind.REDACTED, "grouping of similar questions, float16"),
            "state": redacted("TEXT NOT NULL", Kind.OPERATIONS, "open, answered or dismissed"),
            "document": redacted("TEXT", Kind.SITE, "the document that was written for it"),
        },
        indexes=("CREATE INDEX unanswered_state ON unanswered(state, created_ms)",),
        title="Questions without an answer",
    ),
    "examples": Table(
        {
            "id": site("INTEGER PRIMARY KEY AUTOINCREMENT", "order"),
            "created_ms": site("INTEGER NOT NULL", "shown to staff"),
            "kind": site("TEXT NOT NULL", "answer or intent"),
            "text": Column(
                "TEXT NOT NULL", Kind.REDACTED, "learning from corrections", Retention.UNTIL_REMOVED, False
            ),
            "label": site("TEXT NOT NULL", "canonical JSON: the intent, or documents that answer or do not"),
            "source": site("TEXT NOT NULL", "feedback, correction or operator"),
        },
        title="Examples to learn from",
    ),
    "site_models": Table(
        {
            "kind": site("TEXT NOT NULL", "intents, ranking or evidence"),
            "version": site("INTEGER NOT NULL", "order of training"),
            "state": site("TEXT NOT NULL", "candidate, active, retired or refused"),
            "created_ms": site("INTEGER NOT NULL", "shown to staff"),
            "activated_ms": site("INTEGER", "the way back: which one served before"),
            "figures": site("TEXT NOT NULL", "JSON: what the gate measured"),
            "content": site("BLOB NOT NULL", "the weights"),
            "sha256": site("BLOB NOT NULL", "integrity"),
        },
        constraints=("PRIMARY KEY (kind, version)",),
        title="What was learnt",
    ),
    "notices": Table(
        {
            "version": _notice("TEXT PRIMARY KEY", "which consents refer to"),
            "text": _notice("TEXT NOT NULL", "the words that were shown (GDPR Art. 7(1))"),
            "first_ms": _notice("INTEGER NOT NULL", "in force since"),
        },
        title="Words of notices",
    ),
}
