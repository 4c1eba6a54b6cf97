"""Sealed pseudonyms of conversations: functions of the database. What a row holds, edge/privacy/pseudonyms knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlite_utils import Database


class PseudonymRow(NamedTuple):
    """One token. `ordinal`: its place in the order of minting, from 0; `body`: sealed."""

    ordinal: int
    type: str
    body: bytes


def insert(db: Database, session: str, purpose: str, rows: Iterable[PseudonymRow]) -> None:
    """Keep them, unless the conversation was wiped meanwhile: then nothing of it is kept."""
    db.conn.executemany(
        "INSERT INTO pseudonyms(session, purpose, ordinal, type, body) "
        "SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM sessions WHERE id = ? AND ended_ms IS NULL)",
        [(session, purpose, *row, session) for row in rows],
    )


def of(db: Database, session: str, purpose: str) -> list[PseudonymRow]:
    """A conversation's tokens for a purpose, in order."""
    query = "SELECT ordinal, type, body FROM pseudonyms WHERE session = ? AND purpose = ? ORDER BY ordinal"
    return [
        PseudonymRow(number, type_, bytes(body))
        for number, type_, body in db.execute(query, [session, purpose])
    ]
