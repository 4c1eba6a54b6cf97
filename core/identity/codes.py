"""The one-time enrolment code: a secret and the fingerprint of the port it is to be spent at.

32 Crockford base32 characters in groups of four: 80 random bits that the control plane recognises once, then
the first 80 bits of SHA-256 over the certificate (DER) of the enrolment port. A node that finds another
certificate there stops before it says a word, so whoever carries the code also carries the trust. Pure: no
I/O but the system's random numbers.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from core.identity.errors import InvalidCode

# No I, L, O, U: they are misread or make words (Douglas Crockford, "Base 32").
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)} | {"I": 1, "L": 1, "O": 0}
_BITS_PER_CHARACTER = 5

# 80 bits: online guessing is rate-limited and the secret lives for hours; a second certificate with the same
# 80-bit prefix costs 2^80 hashes.
SECRET_BYTES = 10
FINGERPRINT_BYTES = 10
CODE_CHARACTERS = (SECRET_BYTES + FINGERPRINT_BYTES) * 8 // _BITS_PER_CHARACTER
_GROUP_CHARACTERS = 4


@dataclass(frozen=True)
class EnrolmentCode:
    """A code taken apart: what is sent (`secret`) and what the port must show (`fingerprint`)."""

    secret: str
    """16 Crockford characters, upper case, no separators: the form that goes into EnrolRequest."""
    fingerprint: bytes
    """First 80 bits of SHA-256 over the enrolment port's certificate (DER)."""

    def __str__(self) -> str:
        """The code as people read it."""
        return _grouped(self.secret + _encode(self.fingerprint))

    def __repr__(self) -> str:
        return "EnrolmentCode(secret=…)"

    def matches(self, fingerprint: bytes) -> bool:
        """Whether `fingerprint` (as from `certificate_fingerprint`) is the one that the code was made for."""
        return hmac.compare_digest(self.fingerprint, fingerprint[:FINGERPRINT_BYTES])


def new_code(fingerprint: bytes) -> EnrolmentCode:
    """A fresh code for the enrolment port whose certificate has this fingerprint (at least 80 bits of it)."""
    if len(fingerprint) < FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint has at least {FINGERPRINT_BYTES} bytes, not {len(fingerprint)}")
    return EnrolmentCode(new_secret(SECRET_BYTES), fingerprint[:FINGERPRINT_BYTES])


def parse_code(code: str) -> EnrolmentCode:
    """Read a code as typed: case, spaces and hyphens do not matter; I and L read as 1, O as 0.

    Raises InvalidCode.
    """
    letters = "".join(code.split()).replace("-", "").upper()
    if len(letters) != CODE_CHARACTERS:
        raise InvalidCode(f"A code has {CODE_CHARACTERS} letters and digits; this one has {len(letters)}.")
    unknown = sum(letter not in _VALUES for letter in letters)
    if unknown:
        raise InvalidCode(f"{unknown} of the characters cannot be part of a code.")
    raw = _decode(letters)
    return EnrolmentCode(_encode(raw[:SECRET_BYTES]), raw[SECRET_BYTES:])


def new_secret(size_bytes: int) -> str:
    """Random Crockford base32 characters worth `size_bytes` bytes (a multiple of five)."""
    return _encode(secrets.token_bytes(size_bytes))


def _grouped(letters: str) -> str:
    starts = range(0, len(letters), _GROUP_CHARACTERS)
    return "-".join(letters[start : start + _GROUP_CHARACTERS] for start in starts)


def _encode(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    shifts = range(len(raw) * 8 - _BITS_PER_CHARACTER, -1, -_BITS_PER_CHARACTER)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in shifts)


def _decode(letters: str) -> bytes:
    number = 0
    for letter in letters:
        number = number << _BITS_PER_CHARACTER | _VALUES[letter]
    return number.to_bytes(len(letters) * _BITS_PER_CHARACTER // 8, "big")
