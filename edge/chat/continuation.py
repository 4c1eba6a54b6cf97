"""What a sibling needs to go on with a conversation, sealed for the way through the customer's page. Pure.

A token is `v1.` and base64url of a salt and a ciphertext: AES-256-GCM (NIST SP 800-38D) under a key and a nonce that
HKDF (RFC 5869) derives from the key of the siblings and the salt, so that no nonce can come twice however many tokens a
site makes. The additional data is the version and the site. It holds no key, and lives as long as its conversation.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, TypeAdapter, ValidationError

from core.errors import PosternError

VERSION: Final = "v1"

TURNS_MAX: Final = 8
"""The newest: as far back as somebody at a screen asks for a person about an answer."""

PLAIN_BYTES_MAX: Final = 32 * 1024
"""Older turns stay behind rather than that a token is longer: in base64 it fits a request's body (64 KiB)."""

TOKEN_CHARS_MAX: Final = 48 * 1024
"""What is looked at at all: 32 KiB in base64, and the salt, the tag, the version."""

_SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CONTEXT: Final = b"postern continuation 1\n"


class ContinuationRefused(PosternError):
    """A continuation token that is forged, altered, too old, of another site or version, or was taken before."""

    code = "continuation_refused"
    title = "This conversation cannot go on here"
    remedy = "Start a new conversation."
    status = 401


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that was final. `body`: as its row has it; `at_ms`: since 1970."""

    id: str
    at_ms: int
    route: str
    label: str
    redactions: list[str]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Continuation:
    """One conversation. Times in milliseconds since 1970. Whether its texts may leave is asked anew at each node.

    conversation  its identifier, the same at every node
    moves         how often it has moved: a node takes it once for each
    label         the most sensitive of all its texts, which sticks
    spent         bytes of it that were let out, by purpose
    topic, offered  see `live_session.Memory`
    turns         the newest, oldest first
    """

    conversation: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    moves: Annotated[int, Field(ge=0, le=2**31)]
    subject: str
    channel: str
    locale: str
    audience: str
    notice_version: str
    consented_ms: int
    expires_ms: int
    label: str
    spent: dict[str, Annotated[int, Field(ge=0)]]
    topic: str
    offered: tuple[str, ...]
    turns: tuple[Turn, ...]


_PARSED: Final = TypeAdapter(Continuation)


def seal(key: bytes, site: str, told: Continuation) -> str:
    """The token, with as many turns as there is room for."""
    told = replace(told, turns=told.turns[-TURNS_MAX:])
    plain = _packed(told)
    while len(plain) > PLAIN_BYTES_MAX and told.turns:
        told = replace(told, turns=told.turns[1:])
        plain = _packed(told)
    salt = os.urandom(_SALT_BYTES)
    cipher, nonce = _derived(key, site, salt)
    sealed = salt + cipher.encrypt(nonce, plain, _context(site))
    return f"{VERSION}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def opened(key: bytes, site: str, token: str, now_ms: int) -> Continuation:
    """What the token holds. Raises ContinuationRefused."""
    version, _, text = token.partition(".")
    if version != VERSION or len(token) > TOKEN_CHARS_MAX:
        raise ContinuationRefused
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cipher, nonce = _derived(key, site, sealed[:_SALT_BYTES])
        told = _PARSED.validate_json(cipher.decrypt(nonce, sealed[_SALT_BYTES:], _context(site)))
    except (InvalidTag, ValidationError, binascii.Error, ValueError):
        raise ContinuationRefused from None
    if told.expires_ms <= now_ms:
        raise ContinuationRefused("The conversation's time is over.")
    return told


def _packed(told: Continuation) -> bytes:
    return _PARSED.dump_json(told)


def _derived(key: bytes, site: str, salt: bytes) -> tuple[AESGCM, bytes]:
    made = HKDF(SHA256(), length=_KEY_BYTES + _NONCE_BYTES, salt=salt, info=_context(site)).derive(key)
    return AESGCM(made[:_KEY_BYTES]), made[_KEY_BYTES:]


def _context(site: str) -> bytes:
    return _CONTEXT + site.encode()
