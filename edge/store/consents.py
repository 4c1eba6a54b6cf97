"""What somebody was told and agreed to, and that they took it back: rows that are only ever added, and the words.

Functions of the database, for `Store.write` and `Store.read`, so that a row commits together with the conversation's
own state. Who it was is a keyed digest (`SubjectDigests.of`): nobody is named, and whoever asks for proof is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlite_utils import Database

# Of one subject, shown at a time: more than anybody reads, the newest.
SHOWN_MAX = 1000


class Purpose(StrEnum):
    """What a row is about."""

    NOTICE = "notice"
    """The notice was shown and accepted (GDPR Art. 13, AI Act Art. 50)."""
    OVERFLOW = "overflow"
    """Help from outside the building is permitted, or not, or no more (GDPR Art. 7)."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One row. `given` False: refused, or withdrawn."""

    purpose: Purpose
    notice_version: str
    given: bool
    at_ms: int


def keep_words(db: Database, version: str, text: str, at_ms: int) -> None:
    """The notice's words, kept under their version when they are first shown."""
    db.execute(
        "INSERT OR IGNORE INTO notices(version, text, first_ms) VALUES (?, ?, ?)", [version, text, at_ms]
    )


def words(db: Database, version: str) -> str | None:
    """What a notice of that version said."""
    row = db.execute("SELECT text FROM notices WHERE version = ?", [version]).fetchone()
    return str(row[0]) if row else None


def add(db: Database, digest: bytes, consent: Consent) -> None:
    """Note what somebody said."""
    db.execute(
        "INSERT INTO consents(digest, purpose, notice_version, given, at_ms) VALUES (?, ?, ?, ?, ?)",
        [digest, str(consent.purpose), consent.notice_version, int(consent.given), consent.at_ms],
    )


def of(db: Database, digest: bytes) -> list[Consent]:
    """The newest of a subject's, oldest first."""
    rows = db.execute(
        "SELECT purpose, notice_version, given, at_ms FROM consents WHERE digest = ? ORDER BY id DESC LIMIT ?",
        [digest, SHOWN_MAX],
    ).fetchall()
    return [Consent(Purpose(row[0]), row[1], bool(row[2]), row[3]) for row in reversed(rows)]
