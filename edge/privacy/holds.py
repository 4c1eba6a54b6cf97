"""Legal holds: whose data must stay, by law, until somebody releases it. Functions of the file of keys.

A hold lies beside the keys, so that whoever is about to shred a key decides in the same transaction, and so that no
restore of the rest takes a hold away. It wins over erasure, retention, and the end of a conversation or a ticket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database

from core.errors import ExitCode, PosternError
from edge.store.subjects import shred_key

HOLDS_MAX: Final = 10_000
"""Of a site: far beyond what its lawyers can follow; each sweep looks at all of them."""


class LegalHold(PosternError):
    """The person's data is under a legal hold, which wins."""

    code = "legal_hold"
    title = "A legal hold keeps this data"
    remedy = "It can be erased once whoever asked for the hold has it released."
    status = 409
    exit_code = ExitCode.REFUSED


class NoSuchHold(PosternError):
    """There is no hold on this person."""

    code = "no_such_hold"
    title = "There is no legal hold on this person"
    remedy = "See who is on hold: the page People, or postern privacy holds."
    status = 404


class HeldAlready(PosternError):
    """There is a hold on this person, for another case."""

    code = "held_already"
    title = "There is a legal hold on this person already"
    remedy = (
        "See the page People, or postern privacy holds. Two cases need one hold: name both in its reference."
    )
    status = 409


class TooManyHolds(PosternError):
    """The site has as many holds as it may."""

    code = "too_many_holds"
    title = "There are too many legal holds"
    remedy = "Release those whose cases are closed."
    status = 409


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. `erasure_asked_ms`: when an erasure was asked for that waits for the release."""

    subject: str
    reference: str
    placed_by: str
    placed_ms: int
    erasure_asked_ms: int | None


_HOLD: Final = "SELECT subject, reference, placed_by, placed_ms, erasure_asked_ms FROM holds"


def place(keys: Database, hold: Hold) -> Hold:
    """Place it; the same one again changes nothing. Raises HeldAlready, TooManyHolds."""
    found = find(keys, hold.subject)
    if found is not None:
        if found.reference != hold.reference:
            raise HeldAlready
        return found
    if keys.execute("SELECT count(*) FROM holds").fetchone()[0] >= HOLDS_MAX:
        raise TooManyHolds(f"A site may have {HOLDS_MAX}.")
    keys.execute(
        "INSERT INTO holds(subject, reference, placed_by, placed_ms, erasure_asked_ms) VALUES (?, ?, ?, ?, ?)",
        [hold.subject, hold.reference, hold.placed_by, hold.placed_ms, hold.erasure_asked_ms],
    )
    return hold


def release(keys: Database, subject: str) -> Hold:
    """Take it away; what it was. Raises NoSuchHold."""
    found = find(keys, subject)
    if found is None:
        raise NoSuchHold
    keys.execute("DELETE FROM holds WHERE subject = ?", [subject])
    return found


def find(keys: Database, subject: str) -> Hold | None:
    """The hold on this person."""
    row = keys.execute(f"{_HOLD} WHERE subject = ?", [subject]).fetchone()
    return Hold(*row) if row else None


def listing(keys: Database) -> list[Hold]:
    """All holds, oldest first."""
    return [Hold(*row) for row in keys.execute(f"{_HOLD} ORDER BY placed_ms, subject")]


def held_subjects(keys: Database) -> frozenset[str]:
    """Everybody whose data must stay."""
    return frozenset(row[0] for row in keys.execute("SELECT subject FROM holds"))


def note_asked(keys: Database, subject: str, at_ms: int) -> None:
    """An erasure was asked for, which waits for the release; the first time counts."""
    keys.execute(
        "UPDATE holds SET erasure_asked_ms = coalesce(erasure_asked_ms, ?) WHERE subject = ?",
        [at_ms, subject],
    )


def shred_unless_held(keys: Database, subject: str, *owners: str) -> bool:
    """Shred a key, unless it or one of its `owners` is held; False then. Inside `Store.write_keys`."""
    if any(find(keys, name) for name in (subject, *owners) if name):
        return False
    shred_key(keys, subject)
    return True
