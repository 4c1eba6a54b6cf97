"""What the leaves of an open ledger come to, kept beside them as they are written, so that a comparison reads none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlcipher3

from edge.egress.ledger.leaf_types import CLOSES, OPENS, Draft


@dataclass(frozen=True)
class Account:
    """Of all leaves so far."""

    size: int
    """Leaves."""
    now_ms: int
    """The time that a leaf of now has."""
    envelopes: int
    """Closed, other than as not sent."""
    bytes: int
    """Announced by these: at most so much left."""
    open_bytes: int
    """Announced by envelopes that are open."""
    compared: str
    """What the comparison before left here; empty where there was none."""


Judge = Callable[[Account], tuple[Draft | None, str]]
"""A leaf, or none, and what to leave for the next comparison. Pure: it runs in the writer's thread."""


def entered(db: sqlcipher3.Connection, drafts: Sequence[Draft]) -> None:
    """Note what these leaves open and close, in their transaction."""
    for draft in drafts:
        if draft.type in OPENS:
            opened = [draft.fields["envelope"], draft.type, draft.fields.get("bytes", 0)]
            db.execute("INSERT OR IGNORE INTO open VALUES (?, ?, ?)", opened)
        elif draft.type in CLOSES:
            closed = "DELETE FROM open WHERE envelope = ? RETURNING type, bytes"
            found = db.execute(closed, [draft.fields["envelope"]]).fetchall()
            for kind, size in found:
                if kind == "intent" and draft.fields["outcome"] != "not_sent":
                    db.execute("UPDATE account SET envelopes = envelopes + 1, bytes = bytes + ?", [size])


def account(db: sqlcipher3.Connection, size: int, now_ms: int) -> Account:
    """Of a ledger of `size` leaves."""
    envelopes, closed, compared = db.execute("SELECT envelopes, bytes, compared FROM account").fetchone()
    (opened,) = db.execute("SELECT coalesce(sum(bytes), 0) FROM open").fetchone()
    return Account(size, now_ms, envelopes, closed, opened, compared)
