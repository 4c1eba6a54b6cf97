"""The vectors that all implementations of the proof rules share, on the witness's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tests.vectors
from cloud_sync.witness.notes import (
    COSIGNATURE_V1,
    PublicKey,
    cosign,
    cosigned_at,
    read_checkpoint,
    read_note,
    read_vkey,
    signature_line,
    signed_by,
)
from cloud_sync.witness.proofs import consistent
from cloud_sync.witness.rules import Cosign, Submitted, decide, newcomer

VECTORS: dict[str, Any] = json.loads((Path(tests.vectors.__path__[0]) / "tlog.json").read_bytes())
CHECKPOINT, COSIGNATURE = VECTORS["checkpoint"], VECTORS["cosignature"]


@pytest.mark.parametrize("new", sorted({one["new_size"] for one in VECTORS["consistency"]}))
def test_every_proof_holds_and_none_holds_for_another_root(new: int) -> None:
    for one in (row for row in VECTORS["consistency"] if row["new_size"] == new):
        old_root, new_root = bytes.fromhex(one["old_root"]), bytes.fromhex(one["new_root"])
        proof, old = [bytes.fromhex(each) for each in one["proof"]], one["old_size"]
        assert consistent(old, old_root, new, new_root, proof)
        assert not consistent(old, old_root[::-1], new, new_root, proof)
        assert old == 0 or not consistent(old, old_root, new, new_root[::-1], proof)


def test_the_checkpoint_is_signed_by_its_key_and_taken_on() -> None:
    note, key = read_note(CHECKPOINT["note"].encode()), read_vkey(CHECKPOINT["vkey"])
    found = read_checkpoint(note.text)
    assert signed_by(note, key)
    assert (found.origin, found.size, found.root.hex()) == (
        CHECKPOINT["origin"],
        CHECKPOINT["size"],
        CHECKPOINT["root"],
    )
    fresh = newcomer(found.origin, bytes.fromhex(CHECKPOINT["public_key"]))
    decision = decide(fresh, Submitted(0, (), CHECKPOINT["note"].encode()))
    assert decision == Cosign(found, note.text)


def test_a_cosignature_is_byte_for_byte_that_of_the_vectors() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(COSIGNATURE["private_key"]))
    mine = PublicKey(COSIGNATURE["name"], COSIGNATURE_V1, bytes.fromhex(COSIGNATURE["public_key"]))
    assert mine.vkey == COSIGNATURE["vkey"]
    text = read_note(CHECKPOINT["note"].encode()).text
    assert signature_line(cosign(text, private, mine, COSIGNATURE["time_s"])) == COSIGNATURE["line"]
    assert cosigned_at(read_note(COSIGNATURE["note"].encode()), mine) == COSIGNATURE["time_s"]


def test_roots_are_those_of_every_implementation() -> None:
    sizes = {one["size"]: bytes.fromhex(one["root"]) for one in VECTORS["roots"]}
    assert base64.b64encode(sizes[0]).startswith(b"47DEQpj8")
    for one in VECTORS["consistency"]:
        assert sizes.get(one["new_size"], bytes.fromhex(one["new_root"])).hex() == one["new_root"]
