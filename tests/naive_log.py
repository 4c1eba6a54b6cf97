"""A log as RFC 9162 defines it, word for word and slowly, with a key: what the witness's tests are shown."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def root(leaves: Sequence[bytes]) -> bytes:
    """§2.1.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = _half(len(leaves))
    return hashlib.sha256(b"\x01" + root(leaves[:half]) + root(leaves[half:])).digest()


def proof(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """§2.1.4.1: that the first `old` leaves (at least one) are the beginning of all."""
    return _subproof(old, leaves, True)


def _subproof(old: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    half = _half(len(leaves))
    if old <= half:
        return [*_subproof(old, leaves[:half], whole), root(leaves[half:])]
    return [*_subproof(old - half, leaves[half:], False), root(leaves[:half])]


def _half(count: int) -> int:
    """The largest power of two below it."""
    return 1 << (count - 1).bit_length() - 1


@dataclass
class NaiveLog:
    """Leaves, and a key whose name is its own hash."""

    leaves: list[bytes] = field(default_factory=list)
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def key(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def origin(self) -> str:
        return "postern-ledger/" + hashlib.sha256(self.key).hexdigest()[:32]

    @property
    def vkey(self) -> str:
        return f"{self.origin}+{self._key_id().hex()}+{base64.b64encode(bytes([1]) + self.key).decode()}"

    def grow(self, to: int) -> NaiveLog:
        """Leaves up to so many."""
        self.leaves += [b"leaf %d" % number for number in range(len(self.leaves), to)]
        return self

    def proof(self, old: int) -> tuple[bytes, ...]:
        """From `old` leaves to now."""
        return tuple(proof(old, self.leaves)) if 0 < old < len(self.leaves) else ()

    def text(self) -> bytes:
        encoded = base64.b64encode(root(self.leaves)).decode()
        return f"{self.origin}\n{len(self.leaves)}\n{encoded}\n".encode()

    def note(self, text: bytes | None = None) -> bytes:
        """A signed checkpoint of now, or of `text`."""
        text = self.text() if text is None else text
        line = base64.b64encode(self._key_id() + self.private.sign(text)).decode()
        return text + f"\n\u2014 {self.origin} {line}\n".encode()

    def _key_id(self) -> bytes:
        return hashlib.sha256(self.origin.encode() + b"\n\x01" + self.key).digest()[:4]
