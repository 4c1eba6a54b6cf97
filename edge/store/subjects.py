"""Subjects' data keys: made with the subject, used to seal what is theirs, shredded to forget it.

AES-256-GCM; the additional data binds a sealed value to its subject, table, row and column, so that no value
can be moved to another person's row unseen.
"""

from __future__ import annotations

import hmac
import os
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlite_utils import Database

NONCE_BYTES = 12
KEY_BITS = 256
# Enough to tell a site's people apart: two of a million share one with a chance of 3 in a hundred million.
LABEL_DIGITS = 16
# Begin the subject of a conversation that stands for its person, and of a ticket, whose content has a key of its own.
SESSION, TICKET = "session:", "ticket:"


def of_session(session: str) -> str:
    """Who a conversation stands for when its caller named nobody."""
    return f"{SESSION}{session}"


def of_ticket(number: str) -> str:
    """Whose key seals what was said in a ticket: it may outlive its conversation."""
    return f"{TICKET}{number}"


class SubjectDigests:
    """Names a subject where the name itself must not stay: HMAC-SHA256 under a key of the site's.

    The same at every start and after a restore on another machine, for it hangs on the store's key alone.
    """

    def __init__(self, store_key: bytes) -> None:
        self._key = HKDF(SHA256(), length=32, salt=None, info=b"postern subject digest 1").derive(store_key)

    def of(self, subject: str) -> bytes:
        """32 bytes."""
        return hmac.digest(self._key, subject.encode(), "sha256")

    def label(self, subject: str) -> str:
        """How rows of audit name somebody: "subject:" and the first 16 hex digits of the digest."""
        return label_of(self.of(subject))


def label_of(digest: bytes) -> str:
    """A label, where only the digest is known."""
    return f"subject:{digest.hex()[:LABEL_DIGITS]}"


class SubjectKey:
    """One subject's key, held in memory while the subject is here."""

    def __init__(self, subject: str, key: bytes) -> None:
        self.subject = subject
        self._cipher = AESGCM(key)

    def seal(self, table: str, row: str, column: str, plain: bytes) -> bytes:
        """Encrypt for one column of one row: nonce, then ciphertext with tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, self._context(table, row, column))

    def open(self, table: str, row: str, column: str, sealed: bytes) -> bytes:
        """Decrypt. Raises cryptography.exceptions.InvalidTag for another row's or an altered value."""
        return self._cipher.decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._context(table, row, column)
        )

    def _context(self, table: str, row: str, column: str) -> bytes:
        return "|".join((self.subject, table, row, column)).encode()


def create_key(keys: Database, subject: str) -> SubjectKey:
    """Make and store a key; inside `Store.write_keys`, before the first row of the subject."""
    key = AESGCM.generate_key(bit_length=KEY_BITS)
    keys.execute("INSERT INTO subject_keys VALUES (?, ?, ?)", [subject, key, time.time_ns() // 1_000_000])
    return SubjectKey(subject, key)


def load_key(keys: Database, subject: str) -> SubjectKey | None:
    """The subject's key, or None when it was shredded."""
    row = keys.execute("SELECT key FROM subject_keys WHERE subject = ?", [subject]).fetchone()
    return SubjectKey(subject, bytes(row[0])) if row else None


def shred_key(keys: Database, subject: str) -> None:
    """Forget everything of the subject by forgetting the key (secure_delete overwrites the page)."""
    keys.execute("DELETE FROM subject_keys WHERE subject = ?", [subject])
