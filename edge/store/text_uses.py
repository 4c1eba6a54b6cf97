"""What the text guard let out, or refused, of which conversation: for its budgets, and so that a label sticks. No text.

Functions of the database, for `Store.read` and `Store.write`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from edge.store.subjects import SubjectKey

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is known of a conversation. `labels`: those of its texts so far, as they were written down."""

    subject: str
    consent: bool
    audience: str
    labels: frozenset[str]


def conversation(db: Database, session: str) -> Conversation | None:
    """None once it is over."""
    row = db.execute(
        "SELECT subject, overflow_consent, audience FROM sessions WHERE id = ? AND ended_ms IS NULL",
        [session],
    ).fetchone()
    if row is None:
        return None
    labels = db.execute(
        "SELECT label FROM turns WHERE session = ? UNION SELECT label FROM text_uses WHERE session = ?",
        [session, session],
    )
    return Conversation(row[0], bool(row[1]), row[2], frozenset(label for (label,) in labels))


def spent(db: Database, purpose: str, session: str, at_ms: int) -> tuple[int, int, int]:
    """Bytes for `purpose` in the last hour, the last day, and by this conversation.

    Rows of the future count: a clock that was set back frees nothing.
    """
    hour, day = db.execute(
        "SELECT coalesce(sum(CASE WHEN at_ms > ? THEN bytes END), 0), coalesce(sum(bytes), 0)"
        " FROM text_uses WHERE purpose = ? AND at_ms > ?",
        [at_ms - _HOUR_MS, purpose, at_ms - _DAY_MS],
    ).fetchone()
    return hour, day, _spent_by_session(db, purpose, session)


@dataclass(frozen=True, slots=True)
class SpentBefore:
    """Bytes for a purpose in the hour and the day before `at_ms`, at most: of all rows up to `row`."""

    row: int
    at_ms: int
    hour: int
    day: int


def spent_at_most(db: Database, purpose: str, session: str, before: SpentBefore) -> tuple[int, int, int]:
    """No less than `spent` at `before.at_ms` or later: what was in the hour and the day, some of which has left, and
    what came since. A busy day has thousands of rows; only those since are read."""
    (since,) = db.execute(
        "SELECT coalesce(sum(bytes), 0) FROM text_uses WHERE id > ? AND +purpose = ?", [before.row, purpose]
    ).fetchone()
    return before.hour + since, before.day + since, _spent_by_session(db, purpose, session)


def _spent_by_session(db: Database, purpose: str, session: str) -> int:
    (found,) = db.execute(
        "SELECT coalesce(sum(bytes), 0) FROM text_uses WHERE session = ? AND purpose = ? AND session <> ''",
        [session, purpose],
    ).fetchone()
    return int(found)


def spent_by_purpose(db: Database, session: str) -> dict[str, int]:
    """Bytes of this conversation that were let out, by purpose."""
    query = (
        "SELECT purpose, sum(bytes) FROM text_uses WHERE session = ? GROUP BY purpose HAVING sum(bytes) > 0"
    )
    return dict(db.execute(query, [session]).fetchall())


@dataclass(frozen=True, slots=True)
class Sent:
    """How a text left the site. `envelope`: as the ledger names it; `salt`: sealed, see `sealed_salt`."""

    envelope: str
    salt: bytes


def sealed_salt(key: SubjectKey, envelope: str, salt: bytes) -> Sent:
    """The salt under the key of whose text it is: when that is shredded, nobody can check a guess any more."""
    return Sent(envelope, key.seal("text_uses", envelope, "salt", salt))


@dataclass(frozen=True, slots=True)
class Left:
    """A text that was let out of the building. `envelope`: as the ledger names it; `label`: as what it passed.

    Without an envelope: what another node of the site let out before the conversation came here, as one sum.
    """

    at_ms: int
    purpose: str
    bytes: int
    label: str
    envelope: str


def left(db: Database, session: str) -> list[Left]:
    """What left of a conversation, oldest first."""
    query = (
        "SELECT at_ms, purpose, bytes, label, envelope FROM text_uses"
        " WHERE session = ? AND session <> ''"
        " AND (envelope <> '' OR (purpose = 'overflow' AND bytes > 0)) ORDER BY id"
    )
    return [Left(*row) for row in db.execute(query, [session])]


def add(
    db: Database, purpose: str, session: str, label: str, size: int, at_ms: int, sent: Sent | None = None
) -> int:
    """Note a text, in the row of the number that comes back: `size` 0 for one that was refused; `sent` for one that
    leaves the site."""
    added = db.execute(
        "INSERT INTO text_uses(at_ms, purpose, session, label, bytes, envelope, salt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [at_ms, purpose, session, label, size, *((sent.envelope, sent.salt) if sent else ("", b""))],
    )
    return int(added.lastrowid or 0)


def note_label(db: Database, purpose: str, session: str, label: str, at_ms: int) -> None:
    """Note what a text was, so that it sticks; unless the conversation was forgotten meanwhile."""
    if conversation(db, session) is not None:
        add(db, purpose, session, label, 0, at_ms)
