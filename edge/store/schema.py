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
    REDACTED = "redacted"  # a customer's words with what was found personal taken out, tied to nobody
    STAFF = "staff"  # who of the staff did what
    SITE = "site"  # the site's own documents and settings
    OPERATIONS = "operations"  # technical, about no person


class Retention(StrEnum):
    """How long a row's column stays."""

    SESSION = "session"
    DAYS_30 = "30 days"
    # Until the conversation with staff is closed, or the site's limit for one that nobody closes.
    TICKET = "until the ticket is closed"
    # HIPAA asks for six years of documentation (45 CFR 164.316(b)(2)(i)).
    YEARS_6 = "6 years"
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


def _ticket(sql: str, kind: Kind, purpose: str, exported: bool = True) -> Column:
    return Column(sql, kind, purpose, Retention.TICKET, exported)


def _redacted(sql: str, kind: Kind, purpose: str) -> Column:
    return Column(sql, kind, purpose, Retention.DAYS_30, exported=False)


def _staff(sql: str, purpose: str, retention: Retention = Retention.UNTIL_REMOVED) -> Column:
    return Column(sql, Kind.STAFF, purpose, retention, exported=False)


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
            "audience": _session(
                "TEXT NOT NULL DEFAULT 'public'", Kind.BEHAVIOUR, "which documents may answer"
            ),
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
    "citations": Table(
        {
            "turn": _session("TEXT NOT NULL", Kind.PSEUDONYM, "the turn that quotes"),
            "document": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "which document it quotes"),
            "version": _session("INTEGER NOT NULL", Kind.BEHAVIOUR, "in which version, which is kept for it"),
        },
        constraints=("PRIMARY KEY (turn, document, version)",),
        indexes=("CREATE INDEX citations_document ON citations(document, version)",),
    ),
    # Which value each token stands for. It goes nowhere, in no export either: the values are those of the turns.
    "pseudonyms": Table(
        {
            "session": _session("TEXT NOT NULL", Kind.PSEUDONYM, "whose tokens", exported=False),
            "purpose": _session(
                "TEXT NOT NULL", Kind.OPERATIONS, "what they were minted for", exported=False
            ),
            "ordinal": _session("INTEGER NOT NULL", Kind.OPERATIONS, "order of minting", exported=False),
            "type": _session(
                "TEXT NOT NULL", Kind.BEHAVIOUR, "type of personal data, no value", exported=False
            ),
            "body": _session(
                "BLOB NOT NULL", Kind.CONTENT, "the token's code, and the value it stands for", exported=False
            ),
        },
        constraints=("PRIMARY KEY (session, purpose, ordinal)",),
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
            "ticket": _ticket("TEXT PRIMARY KEY", Kind.PSEUDONYM, "number that the customer gets"),
            "turn": _ticket("TEXT NOT NULL UNIQUE", Kind.PSEUDONYM, "what it is about"),
            "session": _ticket("TEXT NOT NULL", Kind.PSEUDONYM, "whose it is"),
            "state": _ticket("TEXT NOT NULL", Kind.BEHAVIOUR, "waiting, human, closed"),
            "created_ms": _ticket("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
            "queue": _ticket("TEXT NOT NULL DEFAULT 'desk'", Kind.BEHAVIOUR, "which desk answers it"),
            "operator": _ticket("TEXT", Kind.STAFF, "who has taken it", exported=False),
            "changed_ms": _ticket("INTEGER NOT NULL DEFAULT 0", Kind.BEHAVIOUR, "waiting time, retention"),
        },
        indexes=("CREATE INDEX handoffs_session ON handoffs(session)",),
    ),
    # What was handed over and said since, sealed under the key of subject "ticket:NUMBER": the conversation at the
    # kiosk may be wiped while the customer walks to the desk.
    "messages": Table(
        {
            "id": _ticket("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order", exported=False),
            "ticket": _ticket("TEXT NOT NULL", Kind.PSEUDONYM, "which conversation with staff"),
            "sender": _ticket("TEXT NOT NULL", Kind.BEHAVIOUR, "customer, desk (the machine) or staff"),
            "operator": _ticket("TEXT", Kind.STAFF, "who of the staff wrote it", exported=False),
            "created_ms": _ticket("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
            "body": _ticket("BLOB NOT NULL", Kind.CONTENT, "what was said"),
        },
        indexes=("CREATE INDEX messages_ticket ON messages(ticket)",),
    ),
    "notifications": Table(
        {
            "id": _ticket("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order", exported=False),
            "ticket": _ticket(
                "TEXT NOT NULL", Kind.PSEUDONYM, "which ticket staff are told of", exported=False
            ),
            "channel": _ticket("TEXT NOT NULL", Kind.OPERATIONS, "mail or webhook", exported=False),
            "state": _ticket("TEXT NOT NULL", Kind.OPERATIONS, "pending, sent or given up", exported=False),
            "attempts": _ticket(
                "INTEGER NOT NULL DEFAULT 0", Kind.OPERATIONS, "bounded retries", exported=False
            ),
            "due_ms": _ticket("INTEGER NOT NULL", Kind.OPERATIONS, "next attempt", exported=False),
        },
        indexes=("CREATE INDEX notifications_due ON notifications(state, due_ms)",),
    ),
    "unanswered": Table(
        {
            "id": _redacted("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order"),
            "created_ms": _redacted("INTEGER NOT NULL", Kind.BEHAVIOUR, "retention"),
            "text": _redacted("TEXT NOT NULL", Kind.REDACTED, "what the documents do not answer yet"),
            "vector": _redacted("BLOB NOT NULL", Kind.REDACTED, "grouping of similar questions, float16"),
            "state": _redacted("TEXT NOT NULL", Kind.OPERATIONS, "open, answered or dismissed"),
            "document": _redacted("TEXT", Kind.SITE, "the document that was written for it"),
        },
        indexes=("CREATE INDEX unanswered_state ON unanswered(state, created_ms)",),
    ),
    "examples": Table(
        {
            "id": _site("INTEGER PRIMARY KEY AUTOINCREMENT", "order"),
            "created_ms": _site("INTEGER NOT NULL", "shown to staff"),
            "kind": _site("TEXT NOT NULL", "answer or intent"),
            "text": Column(
                "TEXT NOT NULL", Kind.REDACTED, "learning from corrections", Retention.UNTIL_REMOVED, False
            ),
            "label": _site("TEXT NOT NULL", "canonical JSON: the intent, or documents that answer or do not"),
            "source": _site("TEXT NOT NULL", "feedback, correction or operator"),
        }
    ),
    "intent_counts": Table(
        {
            "day": _operations("INTEGER NOT NULL", "days since the epoch, UTC", Retention.YEARS_6),
            "intent": _operations(
                "TEXT NOT NULL", "what was asked for, about no single person", Retention.YEARS_6
            ),
            "count": _operations("INTEGER NOT NULL", "how often; never leaves the site", Retention.YEARS_6),
        },
        constraints=("PRIMARY KEY (day, intent)",),
    ),
    "daily_counts": Table(
        {
            "day": _operations("INTEGER NOT NULL", "days since the epoch, UTC", Retention.DAYS_30),
            "name": _operations("TEXT NOT NULL", "what is counted", Retention.DAYS_30),
            "cell": _operations("TEXT NOT NULL", "route or histogram bound", Retention.DAYS_30),
            "count": _operations(
                "INTEGER NOT NULL", "how many that day; for the site's own figures", Retention.DAYS_30
            ),
        },
        constraints=("PRIMARY KEY (day, name, cell)",),
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
            "owner": _site("TEXT NOT NULL DEFAULT ''", "who keeps it right"),
            "valid_from_ms": _site("INTEGER", "answers only from then on"),
            "valid_until_ms": _site("INTEGER", "answers only before then"),
            "state": _site("TEXT NOT NULL DEFAULT 'approved'", "draft, approved or retired"),
            "language": _site("TEXT NOT NULL DEFAULT 'en'", "stemming, and what the desk says it covers"),
            "folder": _site("TEXT NOT NULL DEFAULT ''", "where it was added from, to follow that folder"),
        }
    ),
    "differences": Table(
        {
            "first": _site("TEXT NOT NULL", "a document"),
            "first_version": _site("INTEGER NOT NULL", "in which version"),
            "first_quote": _site("TEXT NOT NULL", "what it says"),
            "second": _site("TEXT NOT NULL", "another document"),
            "second_version": _site("INTEGER NOT NULL", "in which version"),
            "second_quote": _site("TEXT NOT NULL", "what that says instead"),
            "noted_ms": _site("INTEGER NOT NULL", "shown to staff"),
        },
        constraints=(
            "PRIMARY KEY (first, first_version, second, second_version, first_quote, second_quote)",
        ),
    ),
    "document_versions": Table(
        {
            "document": _site("TEXT NOT NULL", "its document"),
            "version": _site("INTEGER NOT NULL", "which text a citation quotes"),
            "title": _site("TEXT NOT NULL", "shown with a citation"),
            "audience": _site("TEXT NOT NULL", "who may see it"),
            "replaced_ms": _site("INTEGER NOT NULL", "shown to staff"),
            "chunks": _site("TEXT NOT NULL", "JSON list of [section, text], kept while a turn cites it"),
        },
        constraints=("PRIMARY KEY (document, version)",),
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
    "site_models": Table(
        {
            "kind": _site("TEXT NOT NULL", "intents, ranking or evidence"),
            "version": _site("INTEGER NOT NULL", "order of training"),
            "state": _site("TEXT NOT NULL", "candidate, active, retired or refused"),
            "created_ms": _site("INTEGER NOT NULL", "shown to staff"),
            "activated_ms": _site("INTEGER", "the way back: which one served before"),
            "figures": _site("TEXT NOT NULL", "JSON: what the gate measured"),
            "content": _site("BLOB NOT NULL", "the weights"),
            "sha256": _site("BLOB NOT NULL", "integrity"),
        },
        constraints=("PRIMARY KEY (kind, version)",),
    ),
    "operators": Table(
        {
            "name": _staff("TEXT PRIMARY KEY", "who logs in"),
            "role": _staff("TEXT NOT NULL", "technician, desk or data-protection"),
            "display_name": _staff("TEXT NOT NULL DEFAULT ''", "what a customer sees"),
            "password_hash": _staff("TEXT", "argon2id; empty for a login at the site's own provider"),
            "oidc_subject": _staff("TEXT", "who this is at the site's own provider"),
            "state": _staff("TEXT NOT NULL DEFAULT 'active'", "active, disabled or break-glass"),
            "created_ms": _staff("INTEGER NOT NULL", "shown to staff"),
        }
    ),
    "lan_uses": Table(
        {
            "id": _operations("INTEGER PRIMARY KEY AUTOINCREMENT", "order", Retention.DAYS_30),
            "at_ms": _operations("INTEGER NOT NULL", "when, retention", Retention.DAYS_30),
            "service": _operations("TEXT NOT NULL", "what kind of server: llm_server", Retention.DAYS_30),
            "host": _operations("TEXT NOT NULL", "which server of the site's network", Retention.DAYS_30),
            "bytes": _operations("INTEGER NOT NULL", "how much was handed over; no text", Retention.DAYS_30),
            "session": _session("TEXT NOT NULL", Kind.PSEUDONYM, "whose, for the receipt; empty afterwards"),
            "outcome": _operations("TEXT NOT NULL", "how it ended", Retention.DAYS_30),
        },
        indexes=(
            "CREATE INDEX lan_uses_session ON lan_uses(session)",
            "CREATE INDEX lan_uses_time ON lan_uses(at_ms)",
        ),
    ),
    "text_uses": Table(
        {
            "id": _operations("INTEGER PRIMARY KEY AUTOINCREMENT", "order", Retention.DAYS_30),
            "at_ms": _operations("INTEGER NOT NULL", "when: budgets, retention", Retention.DAYS_30),
            "purpose": _operations("TEXT NOT NULL", "what text was handed on for", Retention.DAYS_30),
            "session": _session("TEXT NOT NULL", Kind.PSEUDONYM, "whose; empty afterwards"),
            "label": _session("TEXT NOT NULL", Kind.BEHAVIOUR, "so that it sticks; empty afterwards"),
            "bytes": _operations("INTEGER NOT NULL", "how much, 0 for a refusal; no text", Retention.DAYS_30),
        },
        indexes=(
            "CREATE INDEX text_uses_session ON text_uses(session, purpose)",
            "CREATE INDEX text_uses_time ON text_uses(purpose, at_ms)",
            "CREATE INDEX text_uses_age ON text_uses(at_ms)",
        ),
    ),
    "operator_sessions": Table(
        {
            "token_hash": _staff("BLOB PRIMARY KEY", "authentication"),
            "operator": _staff("TEXT NOT NULL", "whose login"),
            "expires_ms": _staff("INTEGER NOT NULL", "end of the login"),
            "seen_ms": _staff("INTEGER NOT NULL", "idle log-off"),
        }
    ),
    "api_keys": Table(
        {
            "id": _staff("INTEGER PRIMARY KEY AUTOINCREMENT", "order"),
            "name": _staff("TEXT NOT NULL", "which program it is for"),
            "key_hash": _staff("BLOB NOT NULL UNIQUE", "authentication"),
            "scopes": _staff("TEXT NOT NULL", "what it opens"),
            "requests_per_minute": _staff("INTEGER NOT NULL", "limit"),
            "tokens_per_minute": _staff("INTEGER NOT NULL", "limit"),
            "concurrent_max": _staff("INTEGER NOT NULL", "limit"),
            "notice_version": _staff("TEXT", "which notice its program shows (GDPR Art. 13, AI Act Art. 50)"),
            "created_ms": _staff("INTEGER NOT NULL", "shown to staff"),
            "used_day": _staff("INTEGER", "the last day on which it was used, days since the epoch, UTC"),
            "revoked_ms": _staff("INTEGER", "no use from then on"),
        },
        indexes=("CREATE UNIQUE INDEX api_keys_name ON api_keys(name) WHERE revoked_ms IS NULL",),
    ),
    "audit": Table(
        {
            "id": _staff("INTEGER PRIMARY KEY AUTOINCREMENT", "order", Retention.YEARS_6),
            "at_ms": _staff("INTEGER NOT NULL", "when", Retention.YEARS_6),
            "actor": _staff("TEXT NOT NULL", "who", Retention.YEARS_6),
            "action": _staff("TEXT NOT NULL", "view, change or denial, by name", Retention.YEARS_6),
            "object": _staff(
                "TEXT NOT NULL", "what, by its identifier; no text of customers", Retention.YEARS_6
            ),
            "outcome": _staff("TEXT NOT NULL", "done, refused or failed", Retention.YEARS_6),
        },
        indexes=("CREATE INDEX audit_at ON audit(at_ms)",),
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
