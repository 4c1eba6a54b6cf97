"""Signatures of webhooks as Standard Webhooks has them (standardwebhooks.com). Pure.

The signature covers identifier, time and body, so that the other side can tell who called, and refuse what is old.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
# The scheme's own bounds for a secret, bytes.
SECRET_BYTES = range(24, 65)
MAKE_A_SECRET = "Make one: (printf whsec_; head -c 32 /dev/urandom | base64) > FILE"  # noqa: S105 - how to make one


def read_secret(text: str) -> bytes:
    """The secret's bytes. Raises ValueError."""
    with suppress(binascii.Error, ValueError):
        secret = base64.b64decode(text.strip().removeprefix(SECRET_PREFIX), validate=True)
        if len(secret) in SECRET_BYTES:
            return secret
    raise ValueError(f"a secret is {SECRET_PREFIX} and 24 to 64 random bytes in base64")


def sign(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """One signature: version 1, HMAC-SHA256 over `id.timestamp.body`."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def signed_headers(
    secrets: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The headers of a message, signed with each secret: while one is being replaced, either one is right."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp_s, body) for secret in secrets),
    }
