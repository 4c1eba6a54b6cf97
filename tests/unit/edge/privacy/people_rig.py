"""A person with a row in every table about people, as the node writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlite_utils import Database

from edge.chat import notifications, session_rows, tickets
from edge.knowledge import versions
from edge.store import consents, lan_uses, pseudonym_rows, text_uses
from edge.store.pseudonym_rows import PseudonymRow
from edge.store.store import Store
from edge.store.subjects import SubjectKey, create_key, load_key

AT_MS = 1_772_442_000_000
"""2026-03-02 09:00 UTC."""
NOTICE = "You are talking to a machine."


@dataclass(frozen=True)
class Seeded:
    """Identifiers of what was written."""

    subject: str
    session: str
    turn: str
    ticket: str


async def seed(
    store: Store, subject: str, session: str, question: str = "Where is my zebra?", *, locale: str = "en"
) -> Seeded:
    """A conversation of one question, with its consent, opinion, ticket, and what was handed on for it."""
    key = await store.write_keys(lambda keys: load_key(keys, subject) or create_key(keys, subject))
    number, ticket_key = await store.write_keys(tickets.new_key)
    seeded = Seeded(subject, session, f"turn-{session}", number)
    digest = store.digests.of(subject)

    def write(db: Database) -> None:
        consents.keep_words(db, "v1", NOTICE, AT_MS)
        _conversation(db, seeded, key, question, locale)
        session_rows.consent(db, session, "v1", False, AT_MS, digest)
        _ticket(db, seeded, ticket_key, question)
        lan_uses.end(db, lan_uses.begin(db, "llm_server", "10.0.0.7", 321, session, AT_MS + 2), "done")
        text_uses.add(db, "lan_llm", session, "personal", 321, AT_MS + 2)
        text_uses.add(db, "overflow", session, "special", 0, AT_MS + 3)
        pseudonym_rows.insert(
            db,
            session,
            "lan_llm",
            [PseudonymRow(0, "PERSON", key.seal("pseudonyms", f"{session}/0", "body", b"A B"))],
        )

    await store.write(write)
    return seeded


def _conversation(db: Database, seeded: Seeded, key: SubjectKey, question: str, locale: str) -> None:
    row = {
        "id": seeded.session, "subject": seeded.subject, "token_hash": b"canary-hash", "channel": "kiosk",
        "locale": locale, "created_ms": AT_MS, "expires_ms": AT_MS + 1_800_000, "audience": "public",
    }  # fmt: skip
    session_rows.insert(db, row)
    cited = {
        "doc": "zoo.md",
        "version": 1,
        "title": "The zoo",
        "section": "Animals",
        "quote": "Zebras are here.",
    }
    body = {"question": question, "answer": "In the <zoo>.", "citations": [cited], "queue": "desk"}
    sealed = key.seal("turns", seeded.turn, "body", json.dumps(body).encode())
    db.execute(
        "INSERT INTO turns(id, session, created_ms, route, label, redactions, body) VALUES (?,?,?,?,?,?,?)",
        [seeded.turn, seeded.session, AT_MS + 1, "answer", "personal", '["PERSON"]', sealed],
    )
    versions.cite(db, seeded.turn, [("zoo.md", 1)])
    reason = key.seal("feedback", seeded.turn, "reason", b'{"reason": "wrong", "words": "no zebra there"}')
    db.execute("INSERT INTO feedback VALUES (?, 0, ?, ?)", [seeded.turn, reason, AT_MS + 4])


def _ticket(db: Database, seeded: Seeded, key: SubjectKey, question: str) -> None:
    tickets.insert(db, seeded.ticket, seeded.turn, seeded.session, seeded.subject, "desk", AT_MS + 5)
    tickets.say(db, key, seeded.ticket, "customer", question, AT_MS + 5, messages_max=9)
    tickets.say(
        db,
        key,
        seeded.ticket,
        "staff",
        '{"at": "the gate"}',
        AT_MS + 6,
        operator="miranda-login",
        messages_max=9,
    )
    notifications.add(db, seeded.ticket, ["mail"], AT_MS + 5)
