"""What there is of a person in the site's file, and taking it away. Functions of the database, without a clock.

One table of steps says which rows go, and which stay without whose they were. A test walks the schema: a column that
stands for a person, or holds their words, is in a step, or is named there with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlite_utils import Database

from edge.store.subjects import SESSION, TICKET, SubjectDigests, of_session, of_ticket

ALWAYS: Final = 2**62
"""A time in milliseconds after every other: whatever there is."""

_SESSIONS: Final = (
    "SELECT id FROM sessions WHERE (subject = :subject OR id = :session) AND created_ms <= :until_ms"
)
_TURNS: Final = f"SELECT id FROM turns WHERE session IN ({_SESSIONS})"  # noqa: S608 - ours, as all below
_TICKETS: Final = (
    "SELECT ticket FROM handoffs WHERE created_ms <= :until_ms"  # noqa: S608
    f" AND (subject = :subject OR ticket = :ticket OR session IN ({_SESSIONS}))"
)


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of one table. `blank`: what stays of them loses these columns, as SQL; empty: the rows go."""

    table: str
    where: str
    blank: Mapping[str, str] = field(default_factory=dict)

    @property
    def statement(self) -> str:
        """The SQL, with the parameters of `_values`."""
        if not self.blank:
            return f"DELETE FROM {self.table} WHERE {self.where}"  # noqa: S608
        blanks = ", ".join(f"{column} = {value}" for column, value in self.blank.items())
        return f"UPDATE {self.table} SET {blanks} WHERE {self.where}"  # noqa: S608


# Children before their parents, by whom they are found.
_OF_TICKETS: Final = (
    Step("messages", f"ticket IN ({_TICKETS})"),
    Step("notifications", f"ticket IN ({_TICKETS})"),
    Step("handoffs", f"ticket IN ({_TICKETS})"),
)
_OF_CONVERSATIONS: Final = (
    Step("feedback", f"turn IN ({_TURNS})"),
    Step("citations", f"turn IN ({_TURNS})"),
    Step("pseudonyms", f"session IN ({_SESSIONS})"),
    Step("lan_uses", f"session IN ({_SESSIONS})", {"session": "''"}),
    Step("text_uses", f"session IN ({_SESSIONS})", {"session": "''", "label": "''"}),
    Step("turns", f"session IN ({_SESSIONS})"),
    Step("sessions", f"id IN ({_SESSIONS})"),
)
_SUBJECT: Final = Step(
    "subjects",
    "id = :subject AND NOT EXISTS"
    " (SELECT 1 FROM sessions WHERE subject = :subject AND created_ms > :until_ms)",
)
# The proof that somebody agreed stays, for as long as it may be asked for; who it was does not.
_CONSENTS: Final = Step("consents", "digest = :digest AND at_ms <= :until_ms", {"digest": "x''"})

STEPS: Final = (*_OF_TICKETS, *_OF_CONVERSATIONS, _SUBJECT, _CONSENTS)
UNLINKED: Final = frozenset(step.table for step in STEPS if step.blank)
"""Tables whose rows stay, about no one."""


def whose(db: Database, name: str) -> str:
    """The person whom `name` stands for: a conversation "session:ID" and a ticket "ticket:NUMBER" are somebody's.

    A name that nothing is known of stands for itself.
    """
    query, identifier = {
        SESSION: ("SELECT subject FROM sessions WHERE id = ?", name.removeprefix(SESSION)),
        TICKET: ("SELECT subject FROM handoffs WHERE ticket = ?", name.removeprefix(TICKET)),
    }.get(name[: name.find(":") + 1], ("", ""))
    row = db.execute(query, [identifier]).fetchone() if query else None
    return str(row[0]) if row and row[0] else name


def keys_of(db: Database, subject: str, until_ms: int = ALWAYS) -> list[str]:
    """Under which names the keys of a person are: their own, their conversations', their tickets'."""
    values = _values(subject, b"", until_ms)
    sessions = [of_session(row[0]) for row in db.execute(_SESSIONS, values)]
    tickets = [of_ticket(row[0]) for row in db.execute(_TICKETS, values)]
    return list(dict.fromkeys([subject, *sessions, *tickets]))


def count_rows(db: Database, subject: str, digest: bytes, until_ms: int = ALWAYS) -> dict[str, int]:
    """How many rows `forget_rows` would take away or unlink, by table."""
    values = _values(subject, digest, until_ms)
    return {
        step.table: db.execute(f"SELECT count(*) FROM {step.table} WHERE {step.where}", values).fetchone()[0]  # noqa: S608
        for step in STEPS
    }


def forget_rows(db: Database, subject: str, digest: bytes = b"", until_ms: int = ALWAYS) -> dict[str, int]:
    """Take away what there is of a person up to `until_ms`: rows that went or were unlinked, by table.

    `digest`: of the person, to unlink the proofs of their consent as well; b"" leaves them.
    """
    return _take(db, STEPS, _values(subject, digest, until_ms))


def forget_conversation(db: Database, session: str) -> None:
    """Take away one conversation. Its tickets stay, without it."""
    db.execute("UPDATE handoffs SET session = '' WHERE session = ?", [session])
    _take(db, (*_OF_CONVERSATIONS, _SUBJECT), _values(of_session(session), b"", ALWAYS))


def forget_listed(db: Database, listed: Mapping[bytes, int], digests: SubjectDigests) -> dict[str, int]:
    """Take away everybody who is on the list of erasures, up to their time: as `forget_rows`, together.

    `listed`: the digest of each with the time of the erasure in milliseconds. What a person left after it stays.
    """
    counts: Counter[str] = Counter()
    for name in _names(db):
        until_ms = listed.get(digests.of(name))
        if until_ms is not None:
            subject = whose(db, name)
            counts.update(forget_rows(db, subject, digests.of(subject), until_ms))
    for digest, until_ms in listed.items():  # a proof of consent knows nobody's name
        counts.update(_take(db, (_CONSENTS,), _values("", digest, until_ms)))
    return dict(counts)


def keys_listed(db: Database, listed: Mapping[bytes, int], digests: SubjectDigests) -> list[tuple[str, int]]:
    """Names of the keys of everybody who is on the list, each with its time."""
    found = [(name, listed.get(digests.of(name))) for name in _names(db)]
    return [
        (key, until_ms)
        for name, until_ms in found
        if until_ms is not None
        for key in keys_of(db, whose(db, name), until_ms)
    ]


def forget_unreadable(db: Database, has_key: Callable[[str], bool]) -> int:
    """Take away conversations and tickets that nobody can read any more, as their key is gone: rows that went."""
    counts: Counter[str] = Counter()
    for number in _column(db, "SELECT ticket FROM handoffs"):
        if not has_key(of_ticket(number)):
            counts.update(_take(db, _OF_TICKETS, _values(of_ticket(number), b"", ALWAYS)))
    for subject in _column(db, "SELECT subject FROM sessions UNION SELECT id FROM subjects"):
        if not has_key(subject):
            for session in _column(db, "SELECT id FROM sessions WHERE subject = ?", [subject]):
                forget_conversation(db, session)
                counts["sessions"] += 1
            counts.update(_take(db, (_SUBJECT,), _values(subject, b"", ALWAYS)))
    return counts.total()


def _take(db: Database, steps: Iterable[Step], values: dict[str, object]) -> dict[str, int]:
    """Do the steps, in order; rows of each."""
    return {step.table: db.execute(step.statement, values).rowcount for step in steps}


def _names(db: Database) -> list[str]:
    """Every name by which the file knows somebody."""
    return [
        *_column(
            db,
            "SELECT id FROM subjects UNION SELECT subject FROM sessions UNION SELECT subject FROM handoffs",
        ),
        *map(of_session, _column(db, "SELECT id FROM sessions")),
        *map(of_ticket, _column(db, "SELECT ticket FROM handoffs")),
    ]


def _column(db: Database, query: str, values: Sequence[object] = ()) -> list[str]:
    return [row[0] for row in db.execute(query, list(values)).fetchall() if row[0]]


def _values(subject: str, digest: bytes, until_ms: int) -> dict[str, object]:
    """Of the steps' parameters; None is equal to nothing."""
    return {
        "subject": subject or None,
        "session": subject.removeprefix(SESSION) if subject.startswith(SESSION) else None,
        "ticket": subject.removeprefix(TICKET) if subject.startswith(TICKET) else None,
        "digest": digest or None,
        "until_ms": until_ms,
    }
