"""The ledger as a witness is shown it: a checkpoint, and the proof that it continues an older one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from edge.egress.ledger.notes import Checkpoint, Note
from edge.egress.ledger.rows import Rows
from edge.egress.ledger.tree import consistency_proof


@dataclass(frozen=True)
class Submission:
    """The ledger at one moment."""

    note: Note
    public: bytes
    """The ledger's key, 32 bytes."""
    old_size: int
    """Leaves that the proof begins with."""
    proof: Sequence[bytes]

    @property
    def tree(self) -> tuple[int, str]:
        """How many leaves, and their root in hexadecimal."""
        found = Checkpoint.parse(self.note.text)
        return found.size, found.root.hex()

    @property
    def origin(self) -> str:
        """The ledger's name."""
        return Checkpoint.parse(self.note.text).origin

    def __bytes__(self) -> bytes:
        """As C2SP tlog-witness has it."""
        lines = [f"old {self.old_size}", *(base64.b64encode(one).decode() for one in self.proof)]
        return "\n".join(lines).encode() + b"\n\n" + bytes(self.note)


def submission(rows: Rows, note: Note, public: bytes, old_size: int) -> Submission:
    """`note`, with the proof from `old_size`; where it has fewer leaves than that, it says so by claiming no more."""
    size = Checkpoint.parse(note.text).size
    old = min(old_size, size)
    return Submission(note, public, old, consistency_proof(old, size, rows.subtree()))
