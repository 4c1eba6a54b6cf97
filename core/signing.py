"""The one byte form of structured data that both ends hash, compare and sign. Pure; holds no keys."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> bytes:
    """`value` as JSON that is the same bytes on every machine: sorted keys, no spaces, UTF-8, no NaN.

    Raises ValueError for NaN and infinities, TypeError for what JSON cannot hold.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def content_hash(content: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()
