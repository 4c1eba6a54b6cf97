"""Receipts: genuine as they were given, and no other way."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.privacy import receipts
from edge.privacy.receipts import RECEIPT_BYTES_MAX, Kind, OtherReceipt, Receipt, ReceiptInvalid

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
FACTS = {"subject": "ab" * 32, "erased_ms": 5, "removed": {"turns": 2}, "site": "Zürich"}


@pytest.fixture
def receipt() -> Receipt:
    return receipts.signed(Kind.ERASURE, FACTS, KEY)


def test_a_receipt_is_genuine_however_its_json_is_written(receipt: Receipt) -> None:
    for text in (json.dumps(receipt, indent=4), json.dumps(receipt, ensure_ascii=False).encode()):
        found = receipts.parse(text)
        receipts.verify(Kind.ERASURE, found, KEY.public_key())
        assert found["key"] == KEY.public_key().public_bytes_raw().hex()
        assert receipts.is_signed(found)
    assert not receipts.is_signed(FACTS)


@pytest.mark.parametrize(
    "change",
    [
        {"removed": {"turns": 3}},
        {"erased_ms": 6},
        {"note": "added"},
        {"format": "postern-erasure-receipt-2"},
        {"format": Kind.VISITOR.value},
        {"key": "00" * 32},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "no base64"},
        {"signature": None},
    ],
)
def test_whatever_is_changed_is_noticed(receipt: Receipt, change: dict[str, object]) -> None:
    with pytest.raises(ReceiptInvalid):
        receipts.verify(Kind.ERASURE, {**receipt, **change}, KEY.public_key())


def test_whatever_is_left_out_is_noticed(receipt: Receipt) -> None:
    for name in receipt:
        with pytest.raises(ReceiptInvalid):
            receipts.verify(
                Kind.ERASURE, {other: receipt[other] for other in receipt if other != name}, KEY.public_key()
            )


def test_erasures_first_receipts_stay_genuine() -> None:
    issued = {
        "subject": "ab" * 32,
        "erased_ms": 5,
        "site": "Zürich",
        "format": "postern-erasure-receipt-1",
        "key": "cd8fa86afd6bf20d",
        "signature": "J+HtHWpRI9f8nqFRm7Ky7HevSdRD46lNDlmMhL/8QlJXAT3a/XM8/pE3G1GDctS82nY/2A7INFjfK59NC/YgCw==",
    }
    receipts.verify(Kind.ERASURE, issued, KEY.public_key())


def test_a_visitors_receipt_is_the_same_bytes_as_ever() -> None:
    assert receipts.signed(Kind.VISITOR, {"session_id": "s1", "at_ms": 5, "claim": "Zürich"}, KEY) == {
        "session_id": "s1",
        "at_ms": 5,
        "claim": "Zürich",
        "format": "postern-visitor-receipt-1",
        "key": "8320a51977d8c38ca8a4927c670df5821e449761945e15e9efb26a1509d230ea",
        "signature": "hXiMl22wGLA+PckkoMmZkp+LpVGbfWXhRNLaB0JI1b6DGvZj+JlO3t6G58s9aaznoJrk1aHeQo4TfuZM3GPlAQ==",
    }


def test_a_receipt_of_another_kind_does_not_do() -> None:
    for kind, other in ((Kind.VISITOR, Kind.ERASURE), (Kind.ERASURE, Kind.VISITOR)):
        made = receipts.signed(kind, FACTS, KEY)
        receipts.verify(kind, made, KEY.public_key())
        for told in (made, {**made, "format": other.value}):
            with pytest.raises(ReceiptInvalid):
                receipts.verify(other, told, KEY.public_key())


def test_a_visitors_is_not_called_false_where_an_erasures_is_asked_for() -> None:
    with pytest.raises(OtherReceipt) as refused:
        receipts.verify(Kind.ERASURE, receipts.signed(Kind.VISITOR, FACTS, KEY), KEY.public_key())
    error = refused.value
    assert "genuine" not in error.title
    assert ("visitor" in error.detail, "verify.py --receipt" in error.remedy) == (True, True)


def test_another_sites_key_does_not_do(receipt: Receipt) -> None:
    with pytest.raises(ReceiptInvalid):
        receipts.verify(Kind.ERASURE, receipt, Ed25519PrivateKey.generate().public_key())


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

    assert receipts.public_key(pem(KEY)) == KEY.public_key()
    other = generate_private_key(SECP256R1()).public_key()
    for content in (b"", b"no key", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        with pytest.raises(ReceiptInvalid):
            receipts.public_key(content)
