"""Checkpoints that a witness signed are kept: of each witness the last one of a day, else a minute each would stay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import sqlcipher3

from edge.egress.ledger.notes import SIGNATURE_BYTES, TIME_BYTES, BadNote, Checkpoint, Note

DAY_S: Final = 86_400


def keep_cosigned(durably: Callable[[], AbstractContextManager[sqlcipher3.Connection]], note: Note) -> None:
    """Put the signatures of `note`, which were checked, under the ledger's checkpoint of its size, which is made where
    it is gone.

    Raises BadNote where the ledger has another checkpoint of that size, or too many have signed this one.
    """
    size = Checkpoint.parse(note.text).size
    with durably() as db:
        rows = db.execute(
            "SELECT size, note FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 2", [size]
        ).fetchall()
        found = {int(one): Note.parse(bytes(kept)) for one, kept in rows}
        mine = found.pop(size, note)
        if mine.text != note.text:
            raise BadNote("the ledger has another checkpoint of this size")
        merged = Note.parse(bytes(mine.with_signatures(note.signatures)))  # what is kept must be read again
        db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", [size, bytes(merged)])
        older = max(found, default=None)
        if older is not None and days_of(found[older]) <= days_of(merged):
            db.execute("DELETE FROM checkpoints WHERE size = ?", [older])


def days_of(note: Note) -> set[tuple[str, int]]:
    """Who signed it beside the ledger, and on which days."""
    return {
        (one.name, int.from_bytes(one.blob[:TIME_BYTES], "big") // DAY_S)
        for one in note.signatures
        if len(one.blob) == TIME_BYTES + SIGNATURE_BYTES
    }
