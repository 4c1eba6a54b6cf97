"""Signed notes, checkpoints in them, cosignatures: signed-note, tlog-checkpoint and cosignature/v1 of C2SP. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud_sync.witness.proofs import HASH_BYTES

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
SIGNATURE_BYTES: Final = 64
TIME_BYTES: Final = 8
NOTE_BYTES_MAX: Final = 16_384
"""A checkpoint has some 300 bytes, and 110 for each cosignature."""
SIGNATURES_MAX: Final = 64
SIZE_MAX: Final = 2**63 - 1
"""Of a tree, in leaves: what a column of the database holds."""
LOG_ORIGIN: Final = "postern-ledger/"
WITNESS_NAME: Final = "postern-witness/"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_DASH: Final = "\u2014 "


class MalformedNote(ValueError):
    """What came is no signed note, no checkpoint or no key."""


@dataclass(frozen=True)
class Signature:
    """One line under a note."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True)
class Note:
    """A text as it was signed (to its last newline), and the signatures under it."""

    text: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Checkpoint:
    """How long a log is, and what stands over all of its leaves."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class PublicKey:
    """Whose signature, of which kind (ED25519 or COSIGNATURE_V1)."""

    name: str
    kind: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        """By which its lines are found."""
        named = self.name.encode() + b"\n" + bytes((self.kind,)) + self.key
        return hashlib.sha256(named).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """As people pass it on."""
        encoded = base64.b64encode(bytes((self.kind,)) + self.key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


def read_vkey(vkey: str) -> PublicKey:
    """Raises MalformedNote."""
    name, _, rest = vkey.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    content = _base64(encoded)
    if not _is_name(name) or len(content) != 1 + KEY_BYTES or content[0] not in (ED25519, COSIGNATURE_V1):
        raise MalformedNote("It is not a key of Ed25519.")
    found = PublicKey(name, content[0], content[1:])
    if found.key_id.hex() != key_id:
        raise MalformedNote("Its identifier does not belong to its name and key.")
    return found


def read_note(content: bytes) -> Note:
    """Raises MalformedNote."""
    try:
        whole = content.decode()
    except UnicodeDecodeError:
        raise MalformedNote("It is not UTF-8.") from None
    if len(content) > NOTE_BYTES_MAX or any(sign < " " and sign != "\n" for sign in whole):
        raise MalformedNote("It is too long, or has control characters.")
    text, gap, below = whole.rpartition("\n\n")
    lines = below.split("\n")
    if not text or not gap or lines.pop() or not 0 < len(lines) <= SIGNATURES_MAX:
        raise MalformedNote("It is not a text with signatures under it.")
    return Note(f"{text}\n".encode(), tuple(map(read_signature, lines)))


def read_signature(line: str) -> Signature:
    """Without its newline. Raises MalformedNote."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    value = _base64(encoded)
    if not line.startswith(_DASH) or not _is_name(name) or len(value) <= KEY_ID_BYTES:
        raise MalformedNote("A line under it is no signature.")
    return Signature(name, value[:KEY_ID_BYTES], value[KEY_ID_BYTES:])


def signature_line(signature: Signature) -> str:
    """With its newline."""
    encoded = base64.b64encode(signature.key_id + signature.value).decode()
    return f"{_DASH}{signature.name} {encoded}\n"


def read_checkpoint(text: bytes) -> Checkpoint:
    """The first three lines of a note's text; what a log says beside them means nothing here. Raises MalformedNote."""
    origin, _, rest = text.decode().partition("\n")
    size, _, rest = rest.partition("\n")
    root, ended, extensions = rest.partition("\n")
    content = _base64(root)
    if not _is_name(origin) or not _DECIMAL.fullmatch(size) or len(content) != HASH_BYTES or not ended:
        raise MalformedNote("It is not a checkpoint.")
    if int(size) > SIZE_MAX or "" in extensions.split("\n")[:-1]:
        raise MalformedNote("It is not a checkpoint.")
    return Checkpoint(origin, int(size), content)


def signed_by(note: Note, key: PublicKey) -> bool:
    """Whether `key` (ED25519) signed it. Lines of other keys mean nothing; one of this key that is wrong spoils it."""
    mine = [one.value for one in note.signatures if (one.name, one.key_id) == (key.name, key.key_id)]
    return bool(mine) and all(_verifies(key.key, value, note.text) for value in mine)


def cosigned_at(note: Note, key: PublicKey) -> int | None:
    """When `key` (COSIGNATURE_V1) signed it, Unix time in seconds; None: it did not."""
    times = []
    for one in note.signatures:
        if (one.name, one.key_id) == (key.name, key.key_id):
            at, value = int.from_bytes(one.value[:TIME_BYTES]), one.value[TIME_BYTES:]
            if not _verifies(key.key, value, _cosigned(note.text, at)):
                return None
            times.append(at)
    return max(times, default=None)


def public_key(private: Ed25519PrivateKey, kind: int, name_begins: str) -> PublicKey:
    """The key's public half, named by itself: by its hash, under `name_begins`."""
    key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicKey(name_of(key, name_begins), kind, key)


def name_of(key: bytes, begins: str) -> str:
    """A name that nobody else's key has."""
    return begins + hashlib.sha256(key).hexdigest()[:32]


def cosign(text: bytes, private: Ed25519PrivateKey, mine: PublicKey, at: int) -> Signature:
    """A cosignature of a checkpoint's text; `at` is Unix time, seconds."""
    value = at.to_bytes(TIME_BYTES) + private.sign(_cosigned(text, at))
    return Signature(mine.name, mine.key_id, value)


def _cosigned(text: bytes, at: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % at + text


def _verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_name(name: str) -> bool:
    return bool(name) and not any(sign.isspace() or sign == "+" for sign in name)


def _base64(encoded: str) -> bytes:
    """The one spelling of each content. Raises MalformedNote."""
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNote("It holds what is no base64.") from None
    if base64.b64encode(content).decode() != encoded:
        raise MalformedNote("It holds what is no base64.")
    return content
