"""Notes and keys as C2SP writes them; its own examples, and what is almost one."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_sync.witness.notes import (
    COSIGNATURE_V1,
    ED25519,
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    WITNESS_NAME,
    Checkpoint,
    MalformedNote,
    PublicKey,
    cosign,
    cosigned_at,
    public_key,
    read_checkpoint,
    read_note,
    read_vkey,
    signature_line,
    signed_by,
)
from tests.naive_log import NaiveLog

# Of golang.org/x/mod/sumdb/note's documentation.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()
LOG = NaiveLog().grow(7)
LOG_KEY = PublicKey(LOG.origin, ED25519, LOG.key)
WITNESS = Ed25519PrivateKey.generate()
MINE = public_key(WITNESS, COSIGNATURE_V1, WITNESS_NAME)
AT = 1_700_000_000


def test_a_note_of_another_implementation_is_read() -> None:
    key = read_vkey(GO_VKEY)
    assert key.vkey == GO_VKEY
    assert signed_by(read_note(GO_NOTE), key)
    assert not signed_by(read_note(GO_NOTE.replace(b"answer", b"Answer")), key)


def test_a_checkpoint_is_read() -> None:
    note = read_note(LOG.note())
    assert signed_by(note, LOG_KEY)
    assert read_checkpoint(note.text) == Checkpoint(LOG.origin, 7, read_checkpoint(LOG.text()).root)
    assert read_vkey(LOG.vkey) == LOG_KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        "origin\n7\n",
        "{o}\n7\n{r}",
        "{o}\n07\n{r}\n",
        "{o}\n+7\n{r}\n",
        "{o}\n-7\n{r}\n",
        "{o}\n7 \n{r}\n",
        "{o}\n\u0667\n{r}\n",
        "{o}\n9223372036854775808\n{r}\n",
        "{o}\n7\n{r}=\n",
        "{o}\n7\nAAAA\n",
        "{o}\n7\n{r}\n\n",
        "{o}\n7\n{r}\none\n\ntwo\n",
        "\n7\n{r}\n",
        "with blank\n7\n{r}\n",
    ],
)
def test_what_is_almost_a_checkpoint_is_none(text: str) -> None:
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(MalformedNote):
        read_checkpoint(text.format(o=LOG.origin, r=root).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        LOG.text(),
        LOG.note()[:-1],
        LOG.note() + b"\n",
        LOG.note() + b"more\n",
        LOG.note().replace(b"\n", b"\r\n"),
        LOG.note().replace("\u2014".encode(), b"-"),
        LOG.note().replace(b"postern", b"post\x00ern"),
        LOG.note().replace(b"postern", b"post\xffern"),
        LOG.note()[:-2] + b"\n",
        LOG.note() + (f"\u2014 {'a' * NOTE_BYTES_MAX} AAAAAAAA\n".encode()),
        LOG.text() + b"\n" + "\u2014 a AAAAAAAA\n".encode() * (SIGNATURES_MAX + 1),
        LOG.text() + "\n\u2014 a+b AAAAAAAA\n".encode(),
        LOG.text() + "\n\u2014 a AAAA\n".encode(),
        LOG.text() + "\n\u2014  AAAAAAAA\n".encode(),
    ],
)
def test_what_is_almost_a_note_is_none(content: bytes) -> None:
    with pytest.raises(MalformedNote):
        read_note(content)


def test_signatures_of_others_mean_nothing_and_a_wrong_one_spoils_it() -> None:
    other = NaiveLog()
    note = LOG.note()
    theirs = other.note(LOG.text()).removeprefix(LOG.text() + b"\n")
    assert signed_by(read_note(note + theirs), LOG_KEY)
    assert not signed_by(read_note(other.note(LOG.text())), LOG_KEY)
    wrong = LOG.note(b"something else\n").partition(b"\n\n")[2]
    assert not signed_by(read_note(note + wrong), LOG_KEY)


def test_a_cosignature_is_of_its_moment() -> None:
    line = signature_line(cosign(LOG.text(), WITNESS, MINE, AT))
    note = read_note(LOG.note() + line.encode())
    assert cosigned_at(note, MINE) == AT
    assert cosigned_at(read_note(LOG.note()), MINE) is None
    one = cosign(LOG.text(), WITNESS, MINE, AT)
    later = type(one)(one.name, one.key_id, (AT + 1).to_bytes(8) + one.value[8:])
    assert cosigned_at(read_note(LOG.note() + signature_line(later).encode()), MINE) is None
    assert read_vkey(MINE.vkey) == MINE


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000+AQ==",
        GO_VKEY.replace("c74f", "c74e"),
        GO_VKEY.replace("Peter", "Pe ter"),
        "a+00000000+Ag" + "A" * 42,
    ],
)
def test_what_is_almost_a_key_is_none(vkey: str) -> None:
    with pytest.raises(MalformedNote):
        read_vkey(vkey)
