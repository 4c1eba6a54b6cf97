"""Receipts that the site gives: canonical JSON, signed with Ed25519 (RFC 8032) by a key of the site's own. Pure.

That of an erasure names nobody: its digest is keyed, so that only the site can say whose it is, when it is asked with
the name. A visitor's tells what left the building (`edge/egress/proofs/receipt.py`); whoever holds one checks it with
`edge/egress/verify.py`, which imports nothing of ours. Whoever has keys/receipts.pub checks either without the site.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from core.errors import ExitCode, PosternError
from core.signing import canonical_json

Receipt = Mapping[str, object]
"""A receipt as its JSON is read."""

SIGNATURE: Final = "signature"
RECEIPT_BYTES_MAX: Final = 256 * 1024
"""Of an erasure's: some hundred bytes and a hundred for each backup that was known."""


class Kind(StrEnum):
    """What a receipt is of: its `format`."""

    ERASURE = "postern-erasure-receipt-1"
    VISITOR = "postern-visitor-receipt-1"

    @property
    def context(self) -> bytes:
        """Before what is signed, so that no signature of the key's passes for one of another kind."""
        return f"{self.replace('-', ' ')}\n".encode()


class ReceiptInvalid(PosternError):
    """What was given is no receipt of this key's."""

    code = "receipt_invalid"
    title = "This receipt is not genuine"
    remedy = "Take the file as the site gave it, and keys/receipts.pub of that site."
    status = 422
    exit_code = ExitCode.CHECK_FAILED


class OtherReceipt(ReceiptInvalid):
    """A receipt of something else than an erasure, genuine or not."""

    code = "other_receipt"
    title = "This is no receipt of an erasure"
    remedy = "Take the file that the erasure gave: postern privacy erase --receipt FILE."
    exit_code = ExitCode.USAGE


def signed(kind: Kind, facts: Mapping[str, object], key: Ed25519PrivateKey) -> dict[str, object]:
    """The receipt of what is said in `facts`. It names the key: 32 bytes, hexadecimal."""
    body = {**facts, "format": kind.value, "key": key.public_key().public_bytes_raw().hex()}
    signature = base64.b64encode(key.sign(kind.context + canonical_json(body))).decode()
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


def verify(kind: Kind, receipt: Receipt, public: Ed25519PublicKey) -> None:
    """Raises ReceiptInvalid where it is none, was altered, or signed by another key; OtherReceipt for a
    visitor's in an erasure's place.

    Its `key` is not asked: erasures' first receipts have a part of its hash there.
    """
    body = {name: value for name, value in receipt.items() if name != SIGNATURE}
    if body.get("format") != kind.value:
        if (kind, body.get("format")) == (Kind.ERASURE, Kind.VISITOR):
            raise OtherReceipt(
                "It is a visitor's, of what left the building. Whether it is genuine was not looked at.",
                remedy="Check it with: python3 edge/egress/verify.py --receipt FILE --site-key keys/receipts.pub",
            )
        raise ReceiptInvalid(f"This is not a receipt of the format {kind.value}.")
    try:
        signature = base64.b64decode(str(receipt.get(SIGNATURE, "")), validate=True)
        public.verify(signature, kind.context + canonical_json(body))
    except (InvalidSignature, binascii.Error, ValueError, RecursionError):
        raise ReceiptInvalid("It was altered, or signed by another key.") from None


def public_key(pem: bytes) -> Ed25519PublicKey:
    """The key in a file like keys/receipts.pub. Raises ReceiptInvalid."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ReceiptInvalid("The file of the key is not one of an Ed25519 key.")
    return key


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A second value under a name could show what was never signed."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("twice the same name")
    return found
