"""Every column of the store with its privacy tag; the tables are made from here, so no column can lack one.

A tag says what kind of data the column holds, what for, how long, and whether it belongs into a person's export
(GDPR Art. 5, 15, 30). Text of customers is sealed under the subject's own key before it reaches a column, so that
shredding the key forgets it. No I/O here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How sensitive a column is."""

    CONTENT = "content"  # words of or for a customer, sealed under the subject's key
    PSEUDONYM = "pseudonym"  # an identifier that stands for a person
    BEHAVIOUR = "behaviour"  # what a pseudonymous person did, without words
    SITE = "site"  # the site's own documents and settings
    OPERATIONS = "operations"  # technical, about no person


class Retention(StrEnum):
    """How long a row's column stays."""

    SESSION = "session"
    DAYS_30 = "30 days"
    UNTIL_REMOVED = "until removed"
    UNTIL_ACKNOWLEDGED = "until acknowledged"


@dataclass(frozen=True)
class Column:
    """One column: its SQL, and its privacy tag."""

    sql: str
    kind: Kind
    purpose: str
    retention: Retention
    exported: bool


@dataclass(frozen=True)
class Table:
    """One table; `extra` holds constraints and indexes that belong to it."""

    columns: dict[str, Column]
    constraints: tuple[str, ...] = ()
    indexes: tuple[str, ...] = field(default=())


def _session(sql: str, kind: Kind, purpose: str, exported: bool = True) -> Column:
    return Column(sql, kind, purpose, Retention.SESSION, exported)


def _site(sql: str, purpose: str) -> Column:
    return Column(sql, Kind.SITE, purpose, Retention.UNTIL_REMOVED, exported=False)


def _operations(sql: str, purpose: str, retention: Retention = Retention.UNTIL_REMOVED) -> Column:
    return Column(sql, Kind.OPERATIONS, purpose, retention, exported=False)


TABLES: dict[str, Table] = {
    "meta": Table(
        {
            "name": _operations("TEXT PRIMARY KEY", "name of a setting of the store"),
            "value": _operations("BLOB NOT NULL", "its value: epoch, generations"),
        }
    ),
    "subjects": Table(
        {
            "id": _session(
                "TEXT PRIMARY KEY", Kind.PSEUDONYM, "the person, or the session that stands for one"
            ),
            "created_ms": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "retention"),
        }
    ),
    "sessions": Table(
        {
            "id": _session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "the conversation"),
            "subject": _session("TEXT NOT NULL", Kind.PSEUDONYM, "whose conversation"),
            "token_hash": _session("BLOB NOT NULL", Kind.OPERATIONS, "authentication", exported=False),
            "channel": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "audience of documents"),
            "locale": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "language of the page"),
            "created_ms": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "retention"),
            "expires_ms": _session("INTEGER NOT NULL", Kind.OPERATIONS, "retention", exported=False),
            "notice_version": _session(
                "TEXT", Kind.BEHAVIOUR, "proof of notice (GDPR Art. 13, AI Act Art. 50)"
            ),
            "overflow_consent": _session("INTEGER", Kind.BEHAVIOUR, "proof of consent (GDPR Art. 7)"),
            "consented_ms": _session("INTEGER", Kind.BEHAVIOUR, "proof of consent (GDPR Art. 7)"),
        },
        indexes=("CREATE INDEX sessions_expiry ON sessions(expires_ms)",),
    ),
    "turns": Table(
        {
            "id": _session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "the turn"),
            "session": _session("TEXT NOT NULL", Kind.PSEUDONYM, "its conversation"),
            "created_ms": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
            "route": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "quality of service"),
            "label": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "which rule of the policy applied"),
            "redactions": _session(
                "TEXT NOT NULL", Kind.BEHAVIOUR, "types of personal data found, no values"
            ),
            "body": _session("BLOB NOT NULL", Kind.CONTENT, "question, answer and citations"),
        },
        indexes=("CREATE INDEX turns_session ON turns(session)",),
    ),
    "feedback": Table(
        {
            "turn": _session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "the turn that is judged"),
            "useful": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "quality of service"),
            "reason": _session("BLOB", Kind.CONTENT, "what the customer says about it"),
            "created_ms": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
        }
    ),
    "handoffs": Table(
        {
            "ticket": _session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "number that the customer gets"),
            "turn": _session("TEXT NOT NULL UNIQUE", Kind.PSEUDONYM, "what it is about"),
            "session": _session("TEXT NOT NULL", Kind.PSEUDONYM, "whose it is"),
            "state": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "waiting, human, closed"),
            "created_ms": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
        }
    ),
    "documents": Table(
        {
            "id": _site("TEXT PRIMARY KEY", "name of the document within the site"),
            "title": _site("TEXT NOT NULL", "shown with a citation"),
            "audience": _site("TEXT NOT NULL", "who may be answered from it"),
            "media_type": _site("TEXT NOT NULL", "which reader made it"),
            "content_hash": _site("BLOB NOT NULL", "idempotent adding"),
            "version": _site("INTEGER NOT NULL", "which text a citation quotes"),
            "added_ms": _site("INTEGER NOT NULL", "shown to staff"),
        }
    ),
    "chunks": Table(
        {
            "id": _site("INTEGER PRIMARY KEY AUTOINCREMENT", "row of the indexes"),
            "document": _site("TEXT NOT NULL", "its document"),
            "ordinal": _site("INTEGER NOT NULL", "its place in the document"),
            "section": _site("TEXT NOT NULL", "path of headings"),
            "text": _site("TEXT NOT NULL", "what is quoted"),
            "vector": _site("BLOB NOT NULL", "embedding, float16 little-endian"),
        },
        indexes=("CREATE INDEX chunks_document ON chunks(document)",),
    ),
    "counters": Table(
        {
            "bucket_s": _operations("INTEGER NOT NULL", "start of the bucket", Retention.UNTIL_ACKNOWLEDGED),
            "name": _operations("TEXT NOT NULL", "what is counted", Retention.UNTIL_ACKNOWLEDGED),
            "cell": _operations("TEXT NOT NULL", "route or histogram bound", Retention.UNTIL_ACKNOWLEDGED),
            "count": _operations(
                "INTEGER NOT NULL", "how many, about no single person", Retention.UNTIL_ACKNOWLEDGED
            ),
        },
        constraints=("PRIMARY KEY (bucket_s, name, cell)",),
    ),
    "outbox": Table(
        {
            "sequence": _operations(
                "INTEGER PRIMARY KEY AUTOINCREMENT", "order of sending", Retention.UNTIL_ACKNOWLEDGED
            ),
            "class": _operations("INTEGER NOT NULL", "quota class", Retention.UNTIL_ACKNOWLEDGED),
            "kind": _operations("TEXT NOT NULL", "schema of the record", Retention.UNTIL_ACKNOWLEDGED),
            "payload": _operations(
                "BLOB NOT NULL", "canonical JSON, no text of customers", Retention.UNTIL_ACKNOWLEDGED
            ),
            "payload_hash": _operations("BLOB NOT NULL", "integrity", Retention.UNTIL_ACKNOWLEDGED),
            "created_ms": _operations("INTEGER NOT NULL", "age of the outbox", Retention.UNTIL_ACKNOWLEDGED),
        }
    ),
    "desired": Table(
        {
            "generation": _operations("INTEGER PRIMARY KEY", "which desired state"),
            "hash": _operations("BLOB NOT NULL", "integrity"),
            "document": _operations("BLOB NOT NULL", "the desired state"),
            "state": _operations("TEXT NOT NULL", "observed, applied or rejected"),
            "received_ms": _operations("INTEGER NOT NULL", "shown to staff"),
        }
    ),
}

# The keys live in a file of their own, outside long backups: erasing a key forgets what it sealed.
KEY_TABLES: dict[str, Table] = {
    "subject_keys": Table(
        {
            "subject": _session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "whose key", exported=False),
            "key": _session("BLOB NOT NULL", Kind.OPERATIONS, "data key, 256 bit", exported=False),
            "created_ms": _session("INTEGER NOT NULL", Kind.OPERATIONS, "retention", exported=False),
        }
    ),
}


def statements(tables: dict[str, Table]) -> list[str]:
    """The SQL that creates `tables`, in order."""
    sql: list[str] = []
    for name, table in tables.items():
        lines = [f"{column} {tag.sql}" for column, tag in table.columns.items()]
        sql.append(f"CREATE TABLE {name} ({', '.join([*lines, *table.constraints])}) STRICT")
        sql.extend(table.indexes)
    return sql
