"""Tables about customers: their conversations, tickets, and what was handed on for them."""

from __future__ import annotations

from edge.store.schema.tags import Column, Kind, Named, Retention, Table, Whose, session, ticket


def _use(sql: str, purpose: str, exported: bool = True) -> Column:
    """Of something that was handed on: about somebody for as long as the row says whose it is."""
    return Column(sql, Kind.OPERATIONS, purpose, Retention.DAYS_30, exported)


def _proof(sql: str, kind: Kind, purpose: str, exported: bool = True, *, flag: bool = False) -> Column:
    """Kept after its conversation, as proof."""
    return Column(sql, kind, purpose, Retention.YEARS_3, exported, flag=flag)


PEOPLE: dict[str, Table] = {
    "subjects": Table(
        {
            "id": session(
                "TEXT PRIMARY KEY", Kind.PSEUDONYM, "the person, or the session that stands for one"
            ),
            "created_ms": session("INTEGER NOT NULL", Kind.BEHAVIOUR, "retention"),
        },
        title="Person",
        whose=(Whose("id"),),
    ),
    "sessions": Table(
        {
            "id": session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "the conversation"),
            "subject": session("TEXT NOT NULL", Kind.PSEUDONYM, "whose conversation"),
            "token_hash": session("BLOB NOT NULL", Kind.OPERATIONS, "authentication", exported=False),
            "channel": session("TEXT NOT NULL", Kind.BEHAVIOUR, "audience of documents"),
            "locale": session("TEXT NOT NULL", Kind.BEHAVIOUR, "language of the page"),
            "created_ms": session("INTEGER NOT NULL", Kind.BEHAVIOUR, "retention"),
            "expires_ms": session("INTEGER NOT NULL", Kind.OPERATIONS, "retention", exported=False),
            "notice_version": session(
                "TEXT", Kind.BEHAVIOUR, "proof of notice (GDPR Art. 13, AI Act Art. 50)"
            ),
            "overflow_consent": session(
                "INTEGER", Kind.BEHAVIOUR, "proof of consent (GDPR Art. 7)", flag=True
            ),
            "consented_ms": session("INTEGER", Kind.BEHAVIOUR, "proof of consent (GDPR Art. 7)"),
            "audience": session(
                "TEXT NOT NULL DEFAULT 'public'", Kind.BEHAVIOUR, "which documents may answer"
            ),
            "ended_ms": session("INTEGER", Kind.BEHAVIOUR, "over, and kept for a legal hold, since then"),
        },
        indexes=(
            "CREATE INDEX sessions_expiry ON sessions(expires_ms)",
            "CREATE INDEX sessions_subject ON sessions(subject)",
            "CREATE INDEX sessions_ended ON sessions(subject) WHERE ended_ms IS NOT NULL",
        ),
        title="Conversations",
        whose=(Whose("subject"),),
    ),
    "turns": Table(
        {
            "id": session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "the turn"),
            "session": session("TEXT NOT NULL", Kind.PSEUDONYM, "its conversation"),
            "created_ms": session("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
            "route": session("TEXT NOT NULL", Kind.BEHAVIOUR, "quality of service"),
            "label": session("TEXT NOT NULL", Kind.BEHAVIOUR, "which rule of the policy applied"),
            "redactions": session(
                "TEXT NOT NULL", Kind.BEHAVIOUR, "types of personal data found, no values", json=True
            ),
            "body": session("BLOB NOT NULL", Kind.CONTENT, "question, answer and citations", json=True),
        },
        indexes=("CREATE INDEX turns_session ON turns(session)",),
        title="Questions and answers",
        whose=(Whose("session", "sessions"),),
    ),
    "citations": Table(
        {
            "turn": session("TEXT NOT NULL", Kind.PSEUDONYM, "the turn that quotes"),
            "document": session("TEXT NOT NULL", Kind.BEHAVIOUR, "which document it quotes"),
            "version": session("INTEGER NOT NULL", Kind.BEHAVIOUR, "in which version, which is kept for it"),
        },
        constraints=("PRIMARY KEY (turn, document, version)",),
        indexes=("CREATE INDEX citations_document ON citations(document, version)",),
        title="Sources of the answers",
        whose=(Whose("turn", "turns"),),
    ),
    # What somebody was told and agreed to, and that they took it back. Rows are only ever added.
    "consents": Table(
        {
            "id": _proof("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order", exported=False),
            "digest": _proof(
                "BLOB NOT NULL", Kind.PSEUDONYM, "keyed digest of whom; empty once erased", exported=False
            ),
            "purpose": _proof("TEXT NOT NULL", Kind.BEHAVIOUR, "notice, or overflow"),
            "notice_version": _proof(
                "TEXT NOT NULL", Kind.BEHAVIOUR, "to which words (GDPR Art. 7, 13, AI Act Art. 50)"
            ),
            "given": _proof(
                "INTEGER NOT NULL", Kind.BEHAVIOUR, "given; else refused or withdrawn", flag=True
            ),
            "at_ms": _proof("INTEGER NOT NULL", Kind.BEHAVIOUR, "when, retention"),
        },
        indexes=(
            "CREATE INDEX consents_digest ON consents(digest)",
            "CREATE INDEX consents_time ON consents(at_ms)",
        ),
        title="Notices and consents",
        whose=(Whose("digest", Named.DIGEST),),
    ),
    # Which value each token stands for. It goes nowhere, in no export either: the values are those of the turns.
    "pseudonyms": Table(
        {
            "session": session("TEXT NOT NULL", Kind.PSEUDONYM, "whose tokens", exported=False),
            "purpose": session("TEXT NOT NULL", Kind.OPERATIONS, "what they were minted for", exported=False),
            "ordinal": session("INTEGER NOT NULL", Kind.OPERATIONS, "order of minting", exported=False),
            "type": session(
                "TEXT NOT NULL", Kind.BEHAVIOUR, "type of personal data, no value", exported=False
            ),
            "body": session(
                "BLOB NOT NULL", Kind.CONTENT, "the token's code, and the value it stands for", exported=False
            ),
        },
        constraints=("PRIMARY KEY (session, purpose, ordinal)",),
        title="Tokens for personal details",
        whose=(Whose("session", "sessions"),),
    ),
    "feedback": Table(
        {
            "turn": session("TEXT PRIMARY KEY", Kind.PSEUDONYM, "the turn that is judged"),
            "useful": session("INTEGER NOT NULL", Kind.BEHAVIOUR, "quality of service", flag=True),
            "reason": session("BLOB", Kind.CONTENT, "what the customer says about it", json=True),
            "created_ms": session("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
        },
        title="Opinions of answers",
        whose=(Whose("turn", "turns"),),
    ),
    "handoffs": Table(
        {
            "ticket": ticket("TEXT PRIMARY KEY", Kind.PSEUDONYM, "number that the customer gets"),
            "turn": ticket("TEXT NOT NULL UNIQUE", Kind.PSEUDONYM, "what it is about"),
            "session": ticket("TEXT NOT NULL", Kind.PSEUDONYM, "whose it is"),
            "state": ticket("TEXT NOT NULL", Kind.BEHAVIOUR, "waiting, human, closed"),
            "created_ms": ticket("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
            "queue": ticket("TEXT NOT NULL DEFAULT 'desk'", Kind.BEHAVIOUR, "which desk answers it"),
            "operator": ticket("TEXT", Kind.STAFF, "who has taken it", exported=False),
            "changed_ms": ticket("INTEGER NOT NULL DEFAULT 0", Kind.BEHAVIOUR, "waiting time, retention"),
            "subject": ticket(
                "TEXT NOT NULL DEFAULT ''", Kind.PSEUDONYM, "whose, also after the conversation"
            ),
        },
        indexes=(
            "CREATE INDEX handoffs_session ON handoffs(session)",
            "CREATE INDEX handoffs_subject ON handoffs(subject)",
        ),
        title="Tickets",
        whose=(Whose("subject"), Whose("session", "sessions"), Whose("ticket", Named.TICKET)),
    ),
    # What was handed over and said since, sealed under the key of subject "ticket:NUMBER": the conversation at the
    # kiosk may be wiped while the customer walks to the desk.
    "messages": Table(
        {
            "id": ticket("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order", exported=False),
            "ticket": ticket("TEXT NOT NULL", Kind.PSEUDONYM, "which conversation with staff"),
            "sender": ticket("TEXT NOT NULL", Kind.BEHAVIOUR, "customer, desk (the machine) or staff"),
            "operator": ticket("TEXT", Kind.STAFF, "who of the staff wrote it", exported=False),
            "created_ms": ticket("INTEGER NOT NULL", Kind.BEHAVIOUR, "order, retention"),
            "body": ticket("BLOB NOT NULL", Kind.CONTENT, "what was said"),
        },
        indexes=("CREATE INDEX messages_ticket ON messages(ticket)",),
        title="Messages with staff",
        whose=(Whose("ticket", "handoffs"),),
        sealed_by="ticket",
    ),
    "notifications": Table(
        {
            "id": ticket("INTEGER PRIMARY KEY AUTOINCREMENT", Kind.OPERATIONS, "order", exported=False),
            "ticket": ticket(
                "TEXT NOT NULL", Kind.PSEUDONYM, "which ticket staff are told of", exported=False
            ),
            "channel": ticket("TEXT NOT NULL", Kind.OPERATIONS, "mail or webhook", exported=False),
            "state": ticket("TEXT NOT NULL", Kind.OPERATIONS, "pending, sent or given up", exported=False),
            "attempts": ticket(
                "INTEGER NOT NULL DEFAULT 0", Kind.OPERATIONS, "bounded retries", exported=False
            ),
            "due_ms": ticket("INTEGER NOT NULL", Kind.OPERATIONS, "next attempt", exported=False),
        },
        indexes=("CREATE INDEX notifications_due ON notifications(state, due_ms)",),
        title="Notifications of staff",
        whose=(Whose("ticket", "handoffs"),),
    ),
    "lan_uses": Table(
        {
            "id": _use("INTEGER PRIMARY KEY AUTOINCREMENT", "order", exported=False),
            "at_ms": _use("INTEGER NOT NULL", "when, retention"),
            "service": _use("TEXT NOT NULL", "what kind of server: llm_server, mail, webhook"),
            "host": _use("TEXT NOT NULL", "which server of the site's network"),
            "bytes": _use("INTEGER NOT NULL", "how much was handed over; no text"),
            "session": session("TEXT NOT NULL", Kind.PSEUDONYM, "whose, for the receipt; empty afterwards"),
            "outcome": _use("TEXT NOT NULL", "how it ended"),
        },
        indexes=(
            "CREATE INDEX lan_uses_session ON lan_uses(session)",
            "CREATE INDEX lan_uses_time ON lan_uses(at_ms)",
        ),
        title="Servers of the site that helped to answer",
        whose=(Whose("session", "sessions"),),
    ),
    "text_uses": Table(
        {
            "id": _use("INTEGER PRIMARY KEY AUTOINCREMENT", "order", exported=False),
            "at_ms": _use("INTEGER NOT NULL", "when: budgets, retention"),
            "purpose": _use("TEXT NOT NULL", "what text was handed on for"),
            "session": session("TEXT NOT NULL", Kind.PSEUDONYM, "whose; empty afterwards"),
            "label": session("TEXT NOT NULL", Kind.BEHAVIOUR, "so that it sticks; empty afterwards"),
            "bytes": _use("INTEGER NOT NULL", "how much, 0 for a refusal; no text"),
            "envelope": session(
                "TEXT NOT NULL DEFAULT ''", Kind.PSEUDONYM, "its leaves in the ledger; empty afterwards"
            ),
            "salt": session(
                "BLOB NOT NULL DEFAULT x''", Kind.OPERATIONS, "opens the ledger's hash of it", exported=False
            ),
        },
        indexes=(
            "CREATE INDEX text_uses_session ON text_uses(session, purpose)",
            "CREATE INDEX text_uses_time ON text_uses(purpose, at_ms)",
            "CREATE INDEX text_uses_age ON text_uses(at_ms)",
        ),
        title="Texts handed on, or refused",
        whose=(Whose("session", "sessions"),),
    ),
}
