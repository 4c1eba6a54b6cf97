"""Signed notes, checkpoints and cosignatures in the formats of C2SP (signed-note, tlog-checkpoint, tlog-cosignature).

Pure. Whoever only reads notes does not load the library that signs and checks them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TIME_BYTES: Final = 8
HASH_BYTES: Final = 32
# A log's own signature, and a witness's that also says when.
ED25519: Final = 1
COSIGNATURE: Final = 4
# A checkpoint has 200 bytes, each signature 150; this is room for more witnesses than anybody has.
NOTE_BYTES_MAX: Final = 16_384
SIGNATURES_MAX: Final = 64
ORIGIN_PREFIX: Final = "postern-ledger/"
_ORIGIN_HEX: Final = 32
_ID_BYTES: Final = 4
_MARK: Final = "\N{EM DASH} "
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class BadNote(ValueError):
    """What was given is no such note, key or checkpoint."""


@dataclass(frozen=True)
class Verifier:
    """A public key by its name. As text a "vkey": name, key ID and key, joined by "+"."""

    name: str
    public: bytes
    """32 bytes, Ed25519."""
    kind: int = ED25519

    @property
    def key_id(self) -> bytes:
        """4 bytes that find its signatures."""
        tagged = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(tagged).digest()[:_ID_BYTES]

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Raises BadNote."""
        name, _, rest = vkey.strip().partition("+")
        identifier, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not _is_name(name) or len(key) != 1 + KEY_BYTES or key[0] not in (ED25519, COSIGNATURE):
            raise BadNote("not a key of the form name+id+key")
        found = cls(name, key[1:], key[0])
        if found.key_id.hex() != identifier:
            raise BadNote("the key's name, identifier and bytes do not fit together")
        return found

    def __str__(self) -> str:
        key = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True)
class Signature:
    """One line under a note; `blob` is what follows the key ID."""

    name: str
    key_id: bytes
    blob: bytes


@dataclass(frozen=True)
class Note:
    """A text, which ends with a newline, and signatures of it, not checked."""

    text: str
    signatures: tuple[Signature, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Raises BadNote."""
        if len(data) > NOTE_BYTES_MAX:
            raise BadNote("too long for a note")
        try:
            content = data.decode()
        except UnicodeDecodeError:
            raise BadNote("not UTF-8") from None
        text, gap, below = content.rpartition("\n\n")
        lines = below.split("\n")
        if not gap or _CONTROL.search(content) or lines.pop() or not 0 < len(lines) <= SIGNATURES_MAX:
            raise BadNote("not a text with signatures under it")
        return cls(text + "\n", tuple(_signature(line) for line in lines))

    def __bytes__(self) -> bytes:
        lines = "".join(
            f"{_MARK}{one.name} {base64.b64encode(one.key_id + one.blob).decode()}\n"
            for one in self.signatures
        )
        return f"{self.text}\n{lines}".encode()

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """With those too; of each key the newest, for a tree that stands still is signed again and again."""
        found = {(one.name, one.key_id): one for one in self.signatures}
        for one in more:
            mine = (one.name, one.key_id)
            found[mine] = max(found.get(mine, one), one, key=lambda line: line.blob[:TIME_BYTES])
        return replace(self, signatures=tuple(found.values()))


@dataclass(frozen=True)
class Checkpoint:
    """What a log claims to be: `size` leaves of this root."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """From a note's text; lines after the third are others' extensions. Raises BadNote."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):
            raise BadNote("not a checkpoint: origin, size and root, a line each")
        found = _decoded(lines[2])
        if len(found) != HASH_BYTES:
            raise BadNote("the checkpoint's root is not 32 bytes")
        return cls(lines[0], int(lines[1]), found)

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(public: bytes) -> str:
    """Name of a log and of its key, from the key's 32 bytes."""
    return ORIGIN_PREFIX + hashlib.sha256(public).hexdigest()[:_ORIGIN_HEX]


def log_verifier(public: bytes) -> Verifier:
    """That of the log with this key."""
    return Verifier(origin_of(public), public)


def sign(text: str, private: bytes) -> Note:
    """A log's note, signed by its Ed25519 key of 32 bytes."""
    # The library takes 8 MB of memory, which whoever only reads notes does not need.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(private)
    verifier = log_verifier(key.public_key().public_bytes_raw())
    return Note(text, (Signature(verifier.name, verifier.key_id, key.sign(text.encode())),))


def is_signed(note: Note, verifier: Verifier) -> bool:
    """Whether the log of this key signed it, and no line says so falsely."""
    if verifier.kind != ED25519:
        return False
    signed, mine = note.text.encode(), _of(note, verifier)
    return bool(mine) and all(_holds(verifier.public, one.blob, signed) for one in mine)


def cosigned_s(note: Note, verifier: Verifier) -> int | None:
    """When this witness cosigned it, Unix seconds, by its newest signature; None when it did not."""
    newest = _newest(note, verifier)
    return None if newest is None else int.from_bytes(newest.blob[:TIME_BYTES], "big")


def cosigned(note: Note, by_log: Verifier, by_witness: Verifier) -> Note:
    """With the log's signature and the witness's newest, which hold, and no other line: nobody checked those.

    Raises BadNote where one of both did not sign it, or one could be taken for the other.
    """
    newest = _newest(note, by_witness)
    if newest is None or not is_signed(note, by_log):
        raise BadNote("not signed by both the log and the witness")
    if by_log.name == by_witness.name or by_log.key_id == by_witness.key_id:
        raise BadNote("the witness has the log's name or key ID")
    return Note(note.text, (_of(note, by_log)[0], newest))


def _newest(note: Note, verifier: Verifier) -> Signature | None:
    if verifier.kind != COSIGNATURE:
        return None
    found: Signature | None = None
    for one in _of(note, verifier):
        if len(one.blob) == TIME_BYTES + SIGNATURE_BYTES:
            at = int.from_bytes(one.blob[:TIME_BYTES], "big")
            signed = f"cosignature/v1\ntime {at}\n{note.text}".encode()
            later = found is None or one.blob[:TIME_BYTES] > found.blob[:TIME_BYTES]
            if later and _holds(verifier.public, one.blob[TIME_BYTES:], signed):
                found = one
    return found


def _of(note: Note, verifier: Verifier) -> list[Signature]:
    mine = (verifier.name, verifier.key_id)
    return [one for one in note.signatures if (one.name, one.key_id) == mine]


def _holds(public: bytes, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    decoded = _decoded(encoded)
    if not line.startswith(_MARK) or not _is_name(name) or len(decoded) <= _ID_BYTES:
        raise BadNote("a line under the note is no signature")
    return Signature(name, decoded[:_ID_BYTES], decoded[_ID_BYTES:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def _decoded(encoded: str) -> bytes:
    """Base64 with its padding, and in its only form. Raises BadNote."""
    try:
        found = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote("not base64") from None
    if base64.b64encode(found).decode() != encoded:
        raise BadNote("not base64 in its only form")
    return found
