"""The file keys/site.key: the site key under the root key, and the keys of the data under the site key. Pure.

AES-256-GCM (NIST SP 800-38D) with random nonces; the additional data is the file's name, its version and the part, so
that no part passes for another. Any change of any bit is found.
"""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.keys.errors import KeysUnusable

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
NAME: Final = "site.key"
_VERSION: Final = b"postern keys/site.key 1\n"
_SITE_BYTES: Final = NONCE_BYTES + KEY_BYTES + TAG_BYTES


@dataclass(frozen=True)
class DataKeys:
    """What the site key opens, each 32 bytes: of site.db, of keys.db, and the private key that signs receipts."""

    store: bytes = field(repr=False)
    subjects: bytes = field(repr=False)
    receipts: bytes = field(repr=False)


def new_key() -> bytes:
    """256 random bits."""
    return os.urandom(KEY_BYTES)


def wrap(root: bytes, keys: DataKeys) -> bytes:
    """The content of the file, with a new site key."""
    site = new_key()
    return _VERSION + _seal(root, b"site", site) + _seal(site, b"data", b"".join(astuple(keys)))


def unwrap(root: bytes, content: bytes) -> DataKeys:
    """The keys of the data. Raises KeysUnusable: altered, cut off, or wrapped by another root key."""
    if not content.startswith(_VERSION):
        raise KeysUnusable(f"keys/{NAME} is damaged, or of a later version of Postern.")
    sealed = content[len(_VERSION) :]
    try:
        site = _open(root, b"site", sealed[:_SITE_BYTES])
        data = _open(site, b"data", sealed[_SITE_BYTES:])
    except (InvalidTag, ValueError):
        raise KeysUnusable(f"keys/{NAME} is damaged, or belongs to another root key.") from None
    return DataKeys(*(data[start : start + KEY_BYTES] for start in range(0, 3 * KEY_BYTES, KEY_BYTES)))


def _seal(key: bytes, part: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, _VERSION + part)


def _open(key: bytes, part: bytes, sealed: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _VERSION + part)
