"""Telling staff of a ticket: a durable queue with bounded retries. Rows and rules; edge/fabric/notifier.py sends.

A notification names the ticket and holds nothing of what was said. It is queued in the ticket's own transaction, kept
until it was taken by the other side, and sent at least once: a kill in between repeats it under the same identifier.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlite_utils import Database

from edge.chat.ticket_states import TicketState

# First wait after a failure, doubled each time up to the last: a server that restarts is tried again in seconds, one
# that is off over night four times an hour.
RETRY_FIRST_MS = 5_000
RETRY_LAST_MS = 15 * 60 * 1000
# With those waits a day, which is how long a ticket lives by default.
ATTEMPTS_MAX = 100


class Channel(StrEnum):
    """How staff are told."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Delivery(StrEnum):
    """Where a notification stands."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Notification:
    """One that is due. `attempts`: those that failed. `session`: whose the ticket is; "" once it was wiped."""

    id: int
    ticket: str
    channel: Channel
    attempts: int
    created_ms: int
    session: str


def wait_ms(attempts: int) -> int | None:
    """How long to wait after so many failed attempts; None: no more."""
    if attempts >= ATTEMPTS_MAX:
        return None
    return int(min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** min(attempts - 1, 16)))


def add(db: Database, ticket: str, channels: Iterable[str], at_ms: int) -> None:
    """Queue one for each channel, inside the ticket's transaction."""
    for channel in channels:
        db.execute(
            "INSERT INTO notifications(ticket, channel, state, due_ms) VALUES (?, ?, ?, ?)",
            [ticket, channel, Delivery.PENDING, at_ms],
        )


def due(db: Database, channel: Channel, at_ms: int, rows_max: int) -> list[Notification]:
    """Those whose time has come, for tickets that still wait for somebody.

    A due time further away than the longest wait comes from a wall clock that was set back: it is due as well.
    """
    rows = db.execute(
        "SELECT n.id, n.ticket, n.channel, n.attempts, h.created_ms, h.session FROM notifications n "
        "JOIN handoffs h ON h.ticket = n.ticket "
        "WHERE n.state = ? AND n.channel = ? AND h.state = ? AND (n.due_ms <= ? OR n.due_ms > ?) "
        "ORDER BY n.due_ms LIMIT ?",
        [Delivery.PENDING, channel, TicketState.WAITING, at_ms, at_ms + RETRY_LAST_MS, rows_max],
    )
    return [Notification(row[0], row[1], Channel(row[2]), *row[3:]) for row in rows]


def sent(db: Database, notification: int) -> None:
    """The other side has it."""
    db.execute("UPDATE notifications SET state = ? WHERE id = ?", [Delivery.SENT, notification])


def failed(db: Database, notification: Notification, at_ms: int) -> Delivery:
    """An attempt failed: wait, or give up."""
    attempts = notification.attempts + 1
    wait = wait_ms(attempts)
    state = Delivery.PENDING if wait is not None else Delivery.GIVEN_UP
    db.execute(
        "UPDATE notifications SET state = ?, attempts = ?, due_ms = ? WHERE id = ?",
        [state, attempts, at_ms + (wait or 0), notification.id],
    )
    return state


def counts(db: Database) -> dict[str, dict[str, int]]:
    """How many stand where, by channel."""
    found: dict[str, dict[str, int]] = {}
    query = "SELECT channel, state, count(*) FROM notifications GROUP BY channel, state"
    for channel, state, number in db.execute(query):
        found.setdefault(channel, {})[state] = number
    return found


def of_ticket(db: Database, ticket: str) -> dict[str, str]:
    """Where a ticket's notifications stand, by channel."""
    rows = db.execute("SELECT channel, state FROM notifications WHERE ticket = ?", [ticket])
    return {row[0]: row[1] for row in rows}
