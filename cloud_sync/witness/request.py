"""A submission as C2SP tlog-witness writes it: over HTTP, and in a file on a stick. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from cloud_sync.witness.notes import NOTE_BYTES_MAX, MalformedNote
from cloud_sync.witness.proofs import PROOF_HASHES_MAX
from cloud_sync.witness.rules import Submitted

HASH_LINE_BYTES: Final = 45
REQUEST_BYTES_MAX: Final = NOTE_BYTES_MAX + HASH_LINE_BYTES * (PROOF_HASHES_MAX + 1)
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


def read_request(body: bytes) -> Submitted:
    """Raises MalformedNote."""
    head, gap, note = body.partition(b"\n\n")
    try:
        old, *proof = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedNote("It does not begin with the size of an older tree.") from None
    found = _OLD.fullmatch(old)
    if not found or not gap or len(body) > REQUEST_BYTES_MAX or len(proof) > PROOF_HASHES_MAX:
        raise MalformedNote("It is not a checkpoint with a proof.")
    try:
        hashes = tuple(base64.b64decode(line, validate=True) for line in proof)
    except (binascii.Error, ValueError):
        raise MalformedNote("Its proof is not base64.") from None
    return Submitted(int(found[1]), hashes, note)


def write_request(submitted: Submitted) -> bytes:
    """The opposite."""
    lines = [f"old {submitted.old_size}", *(base64.b64encode(one).decode() for one in submitted.proof)]
    return "\n".join(lines).encode() + b"\n\n" + submitted.note
