"""The ledger's own key, which signs its checkpoints: Ed25519, 32 bytes in a file of the courier's."""

from __future__ import annotations

import os
from pathlib import Path

from core.files import write_atomic
from edge.egress.ledger.errors import LedgerBroken
from edge.egress.ledger.notes import KEY_BYTES


def create(path: Path) -> bytes:
    """A new key, on the disk before anything names it."""
    private = os.urandom(KEY_BYTES)
    write_atomic(path, private)
    return private


def load(path: Path) -> bytes:
    """That of a ledger that has begun, which cannot go on without it. Raises LedgerBroken."""
    try:
        private = path.read_bytes()
    except OSError as error:
        raise LedgerBroken(f"{path} cannot be read ({error.strerror}).") from None
    if len(private) != KEY_BYTES:
        raise LedgerBroken(f"{path} has {len(private)} bytes, not {KEY_BYTES}.")
    return private


def public_of(private: bytes) -> bytes:
    """32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
