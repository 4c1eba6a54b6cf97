"""Sealing: every field is covered, and only the key seals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from edge.egress.envelope import (
    SALT_BYTES,
    SCHEMA,
    VERDICTS,
    Envelope,
    EnvelopeKeyDamaged,
    Purpose,
    commitment,
    load_or_create_key,
    record_salt,
    seal,
    verify,
)
from models.detect.label import Label

KEY = b"k" * 32
SEALED = seal(Envelope(b"i" * 16, Purpose.RECORDS, "outbox_batch", b"payload", 3), KEY)


def test_a_sealed_envelope_verifies() -> None:
    assert verify(SEALED, KEY)
    assert not verify(SEALED, b"j" * 32)


@pytest.mark.proves("integrity")
@pytest.mark.parametrize(
    "altered",
    [
        replace(SEALED, identifier=b"j" * 16),
        replace(SEALED, purpose=Purpose.FRAMING),
        replace(SEALED, kind="outbox_batc"),
        replace(SEALED, kind="outbox_batchp", payload=b"ayload"),
        replace(SEALED, payload=b"payloae"),
        replace(SEALED, rows=4),
        replace(SEALED, verdict="public"),
        replace(SEALED, policy=bytes(32)),
        replace(SEALED, salt=bytes(32)),
        replace(SEALED, mac=b""),
        replace(SEALED, mac=bytes(32)),
    ],
)
def test_any_altered_field_is_noticed(altered: Envelope) -> None:
    assert not verify(altered, KEY)


def test_every_label_is_a_verdict() -> None:
    assert {SCHEMA, *map(str, Label)} == VERDICTS


def test_who_holds_the_key_can_open_a_records_commitment_and_equal_payloads_look_different() -> None:
    assert SEALED.salt == record_salt(SEALED.identifier, KEY)
    assert len(SEALED.salt) == SALT_BYTES
    other = seal(replace(SEALED, identifier=b"j" * 16, salt=b""), KEY)
    assert commitment(other.salt, other.payload) != commitment(SEALED.salt, SEALED.payload)


def test_a_salt_that_was_given_stays() -> None:
    given = seal(replace(SEALED, salt=b"s" * SALT_BYTES), KEY)
    assert given.salt == b"s" * SALT_BYTES
    assert verify(given, KEY)


def test_both_ends_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert len(set(pool.map(load_or_create_key, [tmp_path / "keys"] * 4))) == 1
    path = tmp_path / "keys" / "envelope.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    with pytest.raises(EnvelopeKeyDamaged):
        load_or_create_key(tmp_path / "keys")
