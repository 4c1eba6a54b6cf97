"""The sealed form in which the guard hands something to the courier. Pure, but for reading the key file.

The MAC says: the guard let exactly these bytes out for exactly this purpose. Node and courier share the key;
whoever can write to the courier's socket without it gets nothing sent.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.files import private_folder, write_atomic

KEY_BYTES = 32
IDENTIFIER_BYTES = 16
KEY_FILE = "envelope.key"
# Rows of one envelope: one leaf of the ledger stands for at most so many.
ENVELOPE_ROWS_MAX = 256
# Payload of one envelope, bytes: below gRPC's 4 MiB and the socket's 1 MiB frame with room for both framings.
ENVELOPE_BYTES_MAX = 1_000_000
# So much of a salt that nobody tries all of them.
SALT_BYTES = 32
_CONTEXT = b"postern envelope 2"
_SALT_CONTEXT = b"postern salt 1"


class EnvelopeKeyDamaged(PosternError):
    """The shared key is not 32 bytes."""

    code = "envelope_key_damaged"
    title = "The key between node and courier is damaged"
    remedy = "Stop the site's processes, remove keys/envelope.key and start them again; a new key is made."


class Purpose(StrEnum):
    """Why something leaves."""

    FRAMING = "framing"
    RECORDS = "records"
    OVERFLOW = "overflow"
    """Free text that the text guard let out, for the control plane to answer."""
    FETCH = "fetch"
    """Names and digests of what is to be fetched."""


SCHEMA: Final = "schema"
"""Verdict on what holds no text: it fits the schema of its kind."""

VERDICTS: Final = frozenset({SCHEMA, "public", "internal", "personal", "special"})
"""A text passes by its label (models/detect/label.py)."""


@dataclass(frozen=True)
class Envelope:
    """What may leave: bytes for one purpose, with the guard's MAC (empty until sealed).

    `policy`: SHA-256 of the policies that let it pass, empty for what holds no text. `verdict`: as what it passed, one
    of VERDICTS. `salt`: see `commitment`; an empty one is derived by `seal`.
    """

    identifier: bytes
    purpose: Purpose
    kind: str
    payload: bytes = field(repr=False)
    rows: int = 0
    verdict: str = SCHEMA
    policy: bytes = b""
    salt: bytes = field(default=b"", repr=False)
    mac: bytes = b""


def seal(envelope: Envelope, key: bytes) -> Envelope:
    """The envelope with its MAC, and a salt."""
    salted = replace(envelope, salt=envelope.salt or record_salt(envelope.identifier, key))
    return replace(salted, mac=_mac(salted, key))


def record_salt(identifier: bytes, key: bytes) -> bytes:
    """The salt of what is no text: whoever holds the key can show at any time what was sent."""
    return hmac.digest(key, _SALT_CONTEXT + identifier, "sha256")


def commitment(salt: bytes, payload: bytes) -> str:
    """What the ledger says of a payload, in hexadecimal: checked with the salt, and not to be guessed without it."""
    return hashlib.sha256(salt + payload).hexdigest()


def verify(envelope: Envelope, key: bytes) -> bool:
    """Whether the MAC is the guard's, over every field."""
    return hmac.compare_digest(envelope.mac, _mac(envelope, key))


def load_or_create_key(keys: Path) -> bytes:
    """The site's envelope key; node and courier may both be first. Raises EnvelopeKeyDamaged."""
    path = keys / KEY_FILE
    if not path.exists():
        _create_once(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise EnvelopeKeyDamaged(f"{path} has {len(key)} bytes, not {KEY_BYTES}.")
    return key


def _create_once(path: Path) -> None:
    """A whole key file under its name, or the one that another process linked first."""
    private_folder(path.parent)
    candidate = path.with_name(f".{path.name}.{os.getpid()}.new")
    write_atomic(candidate, os.urandom(KEY_BYTES))
    try:
        os.link(candidate, path)
    except FileExistsError:
        pass  # the other process was faster; its key is the key
    finally:
        candidate.unlink()


def _mac(envelope: Envelope, key: bytes) -> bytes:
    parts = (
        _CONTEXT,
        envelope.identifier,
        envelope.purpose.encode(),
        envelope.kind.encode(),
        envelope.rows.to_bytes(8, "big"),
        envelope.verdict.encode(),
        envelope.policy,
        envelope.salt,
        envelope.payload,
    )
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.digest()
