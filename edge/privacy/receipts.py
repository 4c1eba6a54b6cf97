"""Receipts of erasures: canonical JSON, signed with Ed25519 (RFC 8032) by a key of the site's own. Pure.

A receipt names nobody: its digest is keyed, so that only the site can say whose it is, when it is asked with the name.
Whoever has keys/receipts.pub checks one without the site.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from core.errors import ExitCode, PosternError
from core.signing import canonical_json, content_hash

Receipt = Mapping[str, object]
"""A receipt as its JSON is read."""

FORMAT: Final = "postern-erasure-receipt-1"
SIGNATURE: Final = "signature"
RECEIPT_BYTES_MAX: Final = 256 * 1024
"""Some hundred bytes and a hundred for each backup that was known."""

_CONTEXT: Final = b"postern erasure receipt 1\n"
_KEY_DIGITS: Final = 16


class ReceiptInvalid(PosternError):
    """What was given is no receipt of this key's."""

    code = "receipt_invalid"
    title = "This receipt is not genuine"
    remedy = "Take the file as the site gave it, and keys/receipts.pub of that site."
    status = 422
    exit_code = ExitCode.CHECK_FAILED


def signed(facts: Mapping[str, object], key: Ed25519PrivateKey) -> Receipt:
    """The receipt of what is said in `facts`."""
    body = {**facts, "format": FORMAT, "key": key_name(key.public_key())}
    signature = base64.b64encode(key.sign(_CONTEXT + canonical_json(body))).decode()
    return {**body, SIGNATURE: signature}


def is_signed(receipt: Receipt) -> bool:
    """Whether it is finished; a draft has no signature yet."""
    return SIGNATURE in receipt


def parse(text: str | bytes) -> Receipt:
    """A receipt out of its file, unchecked. Raises ReceiptInvalid."""
    try:
        found = json.loads(text, object_pairs_hook=_once) if len(text) <= RECEIPT_BYTES_MAX else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ReceiptInvalid("This is not a receipt.")
    return found


def verify(receipt: Receipt, public: Ed25519PublicKey) -> None:
    """Raises ReceiptInvalid where it was altered, or signed by another key."""
    body = {name: value for name, value in receipt.items() if name != SIGNATURE}
    if body.get("format") != FORMAT:
        raise ReceiptInvalid("This is not a receipt of an erasure.")
    try:
        signature = base64.b64decode(str(receipt.get(SIGNATURE, "")), validate=True)
        public.verify(signature, _CONTEXT + canonical_json(body))
    except (InvalidSignature, binascii.Error, ValueError):
        raise ReceiptInvalid("It was altered, or signed by another key.") from None


def public_key(pem: bytes) -> Ed25519PublicKey:
    """The key in a file like keys/receipts.pub. Raises ReceiptInvalid."""
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ReceiptInvalid("The file of the key is not one of an Ed25519 key.")
    return key


def key_name(public: Ed25519PublicKey) -> str:
    """By which a receipt says which key signed it."""
    return content_hash(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hex()[:_KEY_DIGITS]


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A second value under a name could show what was never signed."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("twice the same name")
    return found
