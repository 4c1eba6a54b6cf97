"""Receipts: genuine as they were given, and no other way."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.privacy import receipts
from edge.privacy.receipts import RECEIPT_BYTES_MAX, Receipt, ReceiptInvalid

KEY = Ed25519PrivateKey.generate()
FACTS = {"subject": "ab" * 32, "erased_ms": 5, "removed": {"turns": 2}, "site": "Zürich"}


@pytest.fixture
def receipt() -> Receipt:
    return receipts.signed(FACTS, KEY)


def test_a_receipt_is_genuine_however_its_json_is_written(receipt: Receipt) -> None:
    for text in (json.dumps(receipt, indent=4), json.dumps(receipt, ensure_ascii=False).encode()):
        found = receipts.parse(text)
        receipts.verify(found, KEY.public_key())
        assert found["key"] == receipts.key_name(KEY.public_key())
        assert receipts.is_signed(found)
    assert not receipts.is_signed(FACTS)


@pytest.mark.parametrize(
    "change",
    [
        {"removed": {"turns": 3}},
        {"erased_ms": 6},
        {"note": "added"},
        {"format": "postern-erasure-receipt-2"},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "no base64"},
        {"signature": None},
    ],
)
def test_whatever_is_changed_is_noticed(receipt: Receipt, change: dict[str, object]) -> None:
    with pytest.raises(ReceiptInvalid):
        receipts.verify({**receipt, **change}, KEY.public_key())


def test_whatever_is_left_out_is_noticed(receipt: Receipt) -> None:
    for name in receipt:
        with pytest.raises(ReceiptInvalid):
            receipts.verify({other: receipt[other] for other in receipt if other != name}, KEY.public_key())


def test_another_sites_key_does_not_do(receipt: Receipt) -> None:
    with pytest.raises(ReceiptInvalid):
        receipts.verify(receipt, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize("text", ["", "no json", "[]", '"text"', "null", '{"a": 1, "a": 2}', "[" * 100_000])
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        receipts.parse(text)


def test_a_file_is_bounded() -> None:
    fits = '{"a": "%s"}' % ("x" * (RECEIPT_BYTES_MAX - len('{"a": ""}')))
    assert len(fits) == RECEIPT_BYTES_MAX
    assert receipts.parse(fits)
    with pytest.raises(ReceiptInvalid):
        receipts.parse(f"{fits} ")


def test_a_key_is_one_that_signs_receipts() -> None:
    def pem(key: Ed25519PrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    assert receipts.key_name(receipts.public_key(pem(KEY))) == receipts.key_name(KEY.public_key())
    other = generate_private_key(SECP256R1()).public_key()
    for content in (b"", b"no key", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        with pytest.raises(ReceiptInvalid):
            receipts.public_key(content)
