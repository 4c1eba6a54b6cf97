"""Notes, checkpoints and cosignatures, against the shared vectors and the example of the signed-note specification."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from edge.egress.ledger import notes
from edge.egress.ledger.notes import BadNote, Checkpoint, Note, Verifier
from tests.vectors import tlog

VECTORS: dict[str, Any] = json.loads(tlog.PLACE.read_text(encoding="utf-8"))
LOG, WITNESS = VECTORS["checkpoint"], VECTORS["cosignature"]
# Of golang.org/x/mod/sumdb/note, from which the format comes.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\N{EM DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_checkpoint_is_signed_as_everybody_signs_it() -> None:
    text = str(Checkpoint(LOG["origin"], LOG["size"], bytes.fromhex(LOG["root"])))
    assert bytes(notes.sign(text, bytes.fromhex(LOG["private_key"]))).decode() == LOG["note"]
    verifier = notes.log_verifier(bytes.fromhex(LOG["public_key"]))
    assert (str(verifier), verifier.name) == (LOG["vkey"], LOG["origin"])


def test_what_is_signed_is_read_back() -> None:
    for made in (LOG, WITNESS):
        note = Note.parse(made["note"].encode())
        assert bytes(note).decode() == made["note"]
        assert Checkpoint.parse(note.text) == Checkpoint(
            LOG["origin"], LOG["size"], bytes.fromhex(LOG["root"])
        )
        assert notes.is_signed(note, Verifier.parse(LOG["vkey"]))


def test_a_witness_says_when() -> None:
    note, witness = Note.parse(WITNESS["note"].encode()), Verifier.parse(WITNESS["vkey"])
    assert str(witness) == WITNESS["vkey"]
    assert notes.cosigned_s(note, witness) == WITNESS["time_s"]
    assert notes.cosigned_s(Note.parse(LOG["note"].encode()), witness) is None
    assert not notes.is_signed(note, witness)
    assert notes.cosigned_s(note, Verifier.parse(LOG["vkey"])) is None
    # A time that it did not sign.
    _, one = note.signatures
    later = notes.Signature(one.name, one.key_id, (WITNESS["time_s"] + 1).to_bytes(8, "big") + one.blob[8:])
    assert notes.cosigned_s(Note(note.text, (later,)), witness) is None


def test_signatures_are_added_once() -> None:
    note, more = Note.parse(LOG["note"].encode()), Note.parse(WITNESS["note"].encode())
    assert bytes(note.with_signatures(more.signatures)).decode() == WITNESS["note"]
    assert more.with_signatures(more.signatures) == more


def test_of_each_key_the_newest_signature_stays() -> None:
    note = Note.parse(WITNESS["note"].encode())
    mine, one = note.signatures
    for second, kept in ((1, 1), (-1, 0)):
        at = (WITNESS["time_s"] + second).to_bytes(8, "big")
        other = notes.Signature(one.name, one.key_id, at + one.blob[8:])
        assert note.with_signatures([other]).signatures == (mine, (one, other)[kept])


def test_a_false_line_of_the_log_is_not_hidden_by_a_good_one() -> None:
    note, log = Note.parse(WITNESS["note"].encode()), Verifier.parse(LOG["vkey"])
    false = notes.Signature(log.name, log.key_id, bytes(64))
    assert not notes.is_signed(Note(note.text, (*note.signatures, false)), log)


def test_the_example_of_the_format_holds() -> None:
    verifier = Verifier.parse(GO_VKEY)
    note = Note.parse(GO_NOTE.encode())
    assert notes.is_signed(note, verifier)
    assert not notes.is_signed(Note("Another text.\n", note.signatures), verifier)


def test_a_flipped_bit_of_a_checkpoint_is_found() -> None:
    whole = WITNESS["note"].encode()
    log, witness = Verifier.parse(LOG["vkey"]), Verifier.parse(WITNESS["vkey"])
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        try:
            note = Note.parse(bytes(data))
        except BadNote:
            continue
        assert not (notes.is_signed(note, log) and notes.cosigned_s(note, witness)), at


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nno mark YWJjZGU=\n",
        "text\n\n\N{EM DASH} name YWJjZA==\n".encode(),  # a key ID and nothing after it
        "text\n\n\N{EM DASH} na+me YWJjZGU=\n".encode(),
        "text\n\n\N{EM DASH} name YWJjZGV=\n".encode(),  # bits left over
        "text\n\n\N{EM DASH} name YWJjZGU=".encode(),
        "te\txt\n\n\N{EM DASH} name YWJjZGU=\n".encode(),
        b"\xff\n\n",
        b"text\n\n" + "\N{EM DASH} name YWJjZGU=\n".encode() * (notes.SIGNATURES_MAX + 1),
        b"x" * (notes.NOTE_BYTES_MAX + 1),
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(BadNote):
        Note.parse(data)


def test_what_is_no_checkpoint() -> None:
    root = base64.b64encode(bytes(32)).decode()
    assert Checkpoint.parse(f"o\n7\n{root}\nan extension\n") == Checkpoint("o", 7, bytes(32))
    for text in (
        "",
        "o\n7\n",
        f"o\n07\n{root}\n",
        f"o\n-1\n{root}\n",
        f"o\n7\n{root}",
        f"\n7\n{root}\n",
        "o\n7\nAA==\n",
    ):
        with pytest.raises(BadNote):
            Checkpoint.parse(text)


@pytest.mark.parametrize("vkey", ["", "name", "a b+00000000+AAAA", GO_VKEY.replace("c7", "c8"), GO_VKEY[:-4]])
def test_what_is_no_key(vkey: str) -> None:
    with pytest.raises(BadNote):
        Verifier.parse(vkey)
