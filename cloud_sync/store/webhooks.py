"""Queries on messages that are still to be told to webhooks, and on those that were given up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import webhook_messages


@dataclass(frozen=True)
class MessageRow:
    """One message to one webhook."""

    id: str
    webhook: str
    body: bytes
    created_at: datetime
    attempts: int
    next_at: datetime | None
    """None: given up."""
    last_error: str


_COLUMNS = [webhook_messages.c[field.name] for field in fields(MessageRow)]


def add_message(connection: sa.Connection, row: MessageRow, waiting_max: int) -> int:
    """One more to tell. The oldest that wait for the same webhook give way at `waiting_max`: how many did."""
    waiting = sa.select(webhook_messages.c.id).where(
        webhook_messages.c.webhook == row.webhook, webhook_messages.c.next_at.is_not(None)
    )
    newest_first = waiting.order_by(webhook_messages.c.created_at.desc(), webhook_messages.c.id)
    left = list(connection.execute(newest_first.offset(waiting_max - 1)).scalars())
    if left:
        connection.execute(webhook_messages.delete().where(webhook_messages.c.id.in_(left)))
    connection.execute(webhook_messages.insert().values(**vars(row)))
    return len(left)


def due_messages(connection: sa.Connection, webhook: str, now: datetime, rows_max: int) -> list[MessageRow]:
    """What is to be told now, the oldest first."""
    due = (webhook_messages.c.webhook == webhook, webhook_messages.c.next_at <= now)
    query = sa.select(*_COLUMNS).where(*due).order_by(webhook_messages.c.created_at, webhook_messages.c.id)
    return [MessageRow(**row._mapping) for row in connection.execute(query.limit(rows_max))]


def message_told(connection: sa.Connection, message_id: str) -> None:
    """It arrived."""
    connection.execute(webhook_messages.delete().where(webhook_messages.c.id == message_id))


def message_failed(connection: sa.Connection, message_id: str, error: str, next_at: datetime | None) -> None:
    """It did not arrive; when to try again, or None to give it up."""
    change = webhook_messages.update().where(webhook_messages.c.id == message_id)
    attempts = webhook_messages.c.attempts + 1
    connection.execute(change.values(attempts=attempts, last_error=error, next_at=next_at))


def forget_messages(connection: sa.Connection, before: datetime) -> int:
    """Delete what was given up and is older than that; how many."""
    old = (webhook_messages.c.next_at.is_(None), webhook_messages.c.created_at < before)
    return connection.execute(webhook_messages.delete().where(*old)).rowcount


def count_waiting(connection: sa.Connection) -> int:
    """How many are still to be told."""
    waiting = sa.select(sa.func.count()).where(webhook_messages.c.next_at.is_not(None))
    return connection.execute(waiting).scalar_one()
