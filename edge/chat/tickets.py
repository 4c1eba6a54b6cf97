"""The rows of tickets and of what was said in them: functions of the database, and the ticket's own key.

What is said is sealed under subject "ticket:NUMBER": a conversation at the kiosk may be wiped while its customer walks
to the desk, and the ticket forgets on its own when its key is shredded.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable
from dataclasses import dataclass

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat.ticket_states import OPEN, Act, TicketState, after
from edge.store.subjects import TICKET, SubjectKey, create_key, load_key, of_ticket

# Without letters and digits that are mistaken for one another when read aloud.
TICKET_LETTERS = "ACDEFGHJKLMNPQRTUVWXY34679"
TICKET_LENGTH = 6
DEFAULT_QUEUE = "desk"
# As long as a question may be.
TEXT_CHARS_MAX = 4000
_TICKET = "SELECT ticket, session, state, queue, operator, created_ms, changed_ms, subject FROM handoffs"
_OPEN = f"state IN ({', '.join(repr(str(state)) for state in OPEN)})"


class NoSuchTicket(PosternError):
    """There is no ticket of that number here."""

    code = "no_such_ticket"
    title = "There is no such ticket"
    remedy = "See the numbers: postern inbox list. A ticket is forgotten soon after it is closed."
    status = 404


class TicketFull(PosternError):
    """A ticket holds as many messages as it may."""

    code = "ticket_full"
    title = "This conversation is too long to go on here"
    remedy = "Speak to each other at the desk."
    status = 409


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket without what was said in it. `session` is empty once its conversation was wiped; `subject` stays."""

    number: str
    session: str
    state: TicketState
    queue: str
    operator: str | None
    created_ms: int
    changed_ms: int
    subject: str


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said. `sender`: customer, desk (the machine) or staff."""

    id: int
    ticket: str
    sender: str
    operator: str | None
    created_ms: int
    text: str


def new_key(keys: Database) -> tuple[str, SubjectKey]:
    """A number that is in no use, and its key; inside `Store.write_keys`, before the ticket's rows."""
    while True:
        number = "".join(secrets.choice(TICKET_LETTERS) for _ in range(TICKET_LENGTH))
        if load_key(keys, of_ticket(number)) is None:
            return number, create_key(keys, of_ticket(number))


def insert(db: Database, number: str, turn: str, session: str, subject: str, queue: str, at_ms: int) -> bool:
    """A new ticket about a turn; False when the turn has one, or the number is taken."""
    state = after(TicketState.BOT, Act.REQUEST)
    done = db.execute(
        "INSERT OR IGNORE INTO handoffs(ticket, turn, session, state, created_ms, queue, changed_ms, subject) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [number, turn, session, state, at_ms, queue, at_ms, subject],
    )
    return bool(done.rowcount == 1)


def find(db: Database, number: str) -> Ticket:
    """The ticket of this number. Raises NoSuchTicket."""
    row = db.execute(f"{_TICKET} WHERE ticket = ?", [number]).fetchone()
    if row is None:
        raise NoSuchTicket
    return _ticket(row)


def of_turn(db: Database, turn: str, session: str) -> Ticket | None:
    """The ticket about a turn of this conversation."""
    row = db.execute(f"{_TICKET} WHERE turn = ? AND session = ?", [turn, session]).fetchone()
    return _ticket(row) if row else None


def set_aside(db: Database, ticket: Ticket) -> None:
    """A ticket that is over lets go of its turn, which may then have another."""
    db.execute("UPDATE handoffs SET turn = turn || '#' || ticket WHERE ticket = ?", [ticket.number])


def of_session(db: Database, session: str) -> list[Ticket]:
    """A conversation's tickets, oldest first."""
    found = db.execute(f"{_TICKET} WHERE session = ? ORDER BY created_ms, rowid", [session])
    return [_ticket(row) for row in found]


def listing(db: Database, states: Iterable[TicketState], queue: str | None, rows_max: int) -> list[Ticket]:
    """Tickets in these states, longest waiting first."""
    wanted = list(states)
    marks = ", ".join("?" * len(wanted))
    where = f"state IN ({marks})" + (" AND queue = ?" if queue else "")
    found = db.execute(
        f"{_TICKET} WHERE {where} ORDER BY created_ms LIMIT ?",
        [*map(str, wanted), *([queue] if queue else []), rows_max],
    )
    return [_ticket(row) for row in found]


def count_open(db: Database, session: str | None = None) -> int:
    """Open tickets: of a conversation, or of the site."""
    query = f"SELECT count(*) FROM handoffs WHERE {_OPEN}"  # noqa: S608 - ours
    if session is None:
        return int(db.execute(query).fetchone()[0])
    return int(db.execute(f"{query} AND session = ?", [session]).fetchone()[0])


def step(db: Database, ticket: Ticket, act: Act, at_ms: int, operator: str | None = None) -> TicketState:
    """Do `act`; the state afterwards. `operator` takes the ticket. Raises TicketOver."""
    state = after(ticket.state, act)
    db.execute(
        "UPDATE handoffs SET state = ?, changed_ms = ?, operator = coalesce(?, operator) WHERE ticket = ?",
        [state, at_ms, operator, ticket.number],
    )
    return state


def say(
    db: Database,
    key: SubjectKey,
    number: str,
    sender: str,
    text: str,
    at_ms: int,
    *,
    operator: str | None = None,
    messages_max: int,
) -> int:
    """Add to what was said, sealed; the message's id. Raises TicketFull."""
    held = db.execute("SELECT count(*) FROM messages WHERE ticket = ?", [number]).fetchone()[0]
    if held >= messages_max:
        raise TicketFull(f"A ticket holds at most {messages_max} messages.")
    # The id is part of what the seal binds to, so it must be known before the row is there; one writer writes.
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    message = (last[0] if last else 0) + 1
    body = key.seal("messages", str(message), "body", text.encode())
    db.execute(
        "INSERT INTO messages(id, ticket, sender, operator, created_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
        [message, number, sender, operator, at_ms, body],
    )
    return int(message)


def said(
    db: Database, key: SubjectKey, number: str, *, after_id: int = 0, sender: str | None = None
) -> list[Message]:
    """What was said after message `after_id`, in order; of one sender, if named."""
    query = "SELECT id, ticket, sender, operator, created_ms, body FROM messages WHERE ticket = ? AND id > ?"
    rows = db.execute(f"{query} ORDER BY id", [number, after_id])
    return [
        Message(
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            key.open("messages", str(row[0]), "body", bytes(row[5])).decode(),
        )
        for row in rows
        if sender in {None, row[2]}
    ]


def count_said(db: Database, number: str) -> int:
    """How much was said."""
    return int(db.execute("SELECT count(*) FROM messages WHERE ticket = ?", [number]).fetchone()[0])


# --- forgetting ---


def expire(db: Database, before_ms: int, at_ms: int) -> list[Ticket]:
    """Tickets that are open since before `before_ms` end; returns them."""
    found = [
        _ticket(row)
        for row in db.execute(f"{_TICKET} WHERE {_OPEN} AND created_ms <= ?", [before_ms]).fetchall()
    ]
    for ticket in found:
        step(db, ticket, Act.EXPIRE, at_ms)
    return found


def to_forget(db: Database, closed_before_ms: int) -> list[Ticket]:
    """Those whose content must go: closed long enough ago, or withdrawn or expired at any time."""
    found = db.execute(
        f"{_TICKET} WHERE NOT {_OPEN} AND (state != ? OR changed_ms <= ?)",
        [TicketState.CLOSED, closed_before_ms],
    )
    return [_ticket(row) for row in found]


def forget(db: Database, number: str) -> None:
    """Drop what was said and who was told; the ticket's row says that it is over until it is dropped itself."""
    db.execute("DELETE FROM messages WHERE ticket = ?", [number])
    db.execute("DELETE FROM notifications WHERE ticket = ?", [number])


def drop(db: Database, changed_before_ms: int, held: Container[str] = ()) -> list[str]:
    """Remove the rows of tickets that have been over since before then, of nobody in `held`; their numbers."""
    over = db.execute(
        f"SELECT ticket, subject FROM handoffs WHERE NOT {_OPEN} AND changed_ms <= ?",  # noqa: S608 - ours
        [changed_before_ms],
    ).fetchall()
    gone = [number for number, owner in over if owner not in held and of_ticket(number) not in held]
    for number in gone:
        forget(db, number)
        db.execute("DELETE FROM handoffs WHERE ticket = ?", [number])
    return gone


def stray_keys(keys: Database, before_ms: int) -> list[str]:
    """Numbers that have a key older than `before_ms`: one without a ticket was made just before a crash."""
    query = "SELECT subject FROM subject_keys WHERE subject LIKE ? AND created_ms <= ?"
    return [row[0].removeprefix(TICKET) for row in keys.execute(query, [f"{TICKET}%", before_ms])]


def _ticket(row: tuple[str, str, str, str, str | None, int, int, str]) -> Ticket:
    number, session, state, queue, operator, created_ms, changed_ms, subject = row
    return Ticket(number, session, TicketState(state), queue, operator, created_ms, changed_ms, subject)
