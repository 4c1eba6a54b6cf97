"""What replicas tell each other: a word with a transaction, delivered when that commits, and to nobody if it does not.

Notices only save looking. They may be missed (a connection breaks), so what matters is in the tables as well, and
MISSED says when to look there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

CHANNEL: Final = "postern"
# PostgreSQL takes 8,000 bytes; ours are a topic and a number or two.
CONTENT_CHARACTERS_MAX: Final = 200

# Topics. The newest generation of what is wanted of nodes; "GENERATION NODE" of a stream that was opened.
STEERING: Final = "steering"
STREAM: Final = "stream"
# Nothing was said for a while, or it could not be heard: look.
TICK: Final = "tick"
MISSED: Final = "missed"


@dataclass(frozen=True)
class Notice:
    """What one process said to all."""

    topic: str
    content: str = ""


Notices = AsyncIterator[Notice]


def notify(connection: sa.Connection, topic: str, content: str) -> None:
    """Say something with this transaction. On SQLite nobody listens: one process serves, and looks often."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.select(sa.func.pg_notify(CHANNEL, f"{topic} {content}"[:CONTENT_CHARACTERS_MAX]))
        )


def read_notice(payload: str) -> Notice:
    """What `notify` said."""
    topic, _, content = payload.partition(" ")
    return Notice(topic, content)
