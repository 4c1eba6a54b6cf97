"""Whether a witness signs what it is shown. Pure: no I/O, no clock, no memory of its own.

A witness says one thing: that this is the longest tree of this log that it has ever seen, and that every shorter one
that it signed is the beginning of it. So it signs nothing shorter, nothing else of the same length, and nothing longer
without a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cloud_sync.witness.notes import (
    ED25519,
    KEY_BYTES,
    LOG_ORIGIN,
    Checkpoint,
    MalformedNote,
    PublicKey,
    name_of,
    read_checkpoint,
    read_note,
    signed_by,
)
from cloud_sync.witness.proofs import EMPTY_ROOT, consistent


class Reason(StrEnum):
    """Why nothing is signed. All but the first three are signed by the log: they are evidence against whoever has its
    key."""

    MALFORMED = "malformed"
    """It is not a checkpoint with a proof."""
    UNKNOWN_LOG = "unknown_log"
    """Nobody told the witness of this log, or its key is another one than its name says."""
    BAD_SIGNATURE = "bad_signature"
    """The log's key did not sign it."""
    OTHER_NODE = "other_node"
    """The log is another node's: its folder was copied."""
    SET_ASIDE = "set_aside"
    """A newer log of the node took this one's place, and this one goes on all the same."""
    ROLLED_BACK = "rolled_back"
    """The log was longer before: a restored disk, or its end was cut off."""
    SPLIT_VIEW = "split_view"
    """A tree of this length was signed, and it was another one."""
    INCONSISTENT = "inconsistent"
    """The proof does not hold: what was signed before is not the beginning of this one, as far as anybody showed."""


EVIDENCE = frozenset(Reason) - {Reason.MALFORMED, Reason.UNKNOWN_LOG, Reason.BAD_SIGNATURE}
"""What the log's own key has signed."""


@dataclass(frozen=True)
class Remembered:
    """The longest tree of a log that the witness has signed; of a log that is new to it, the empty one."""

    origin: str
    key: bytes
    size: int = 0
    root: bytes = EMPTY_ROOT
    set_aside: bool = False
    """A newer log of the same node took its place."""


@dataclass(frozen=True)
class Submitted:
    """What a witness is shown."""

    old_size: int
    """Of the tree that the proof begins with: the one that the witness signed last, as the log believes."""
    proof: tuple[bytes, ...]
    note: bytes
    """The signed checkpoint."""


@dataclass(frozen=True)
class Cosign:
    """To be remembered, and then signed."""

    checkpoint: Checkpoint
    text: bytes
    """As it was signed by the log."""


@dataclass(frozen=True)
class Conflict:
    """Nothing is wrong: the proof must begin with the tree of this size."""

    size: int


@dataclass(frozen=True)
class Refusal:
    """Something is."""

    reason: Reason


Decision = Cosign | Conflict | Refusal


def origin_of(note: bytes) -> str | None:
    """Which log a checkpoint claims to be of; None: it is no checkpoint."""
    try:
        return read_checkpoint(read_note(note).text).origin
    except MalformedNote:
        return None


def newcomer(origin: str, key: bytes) -> Remembered | None:
    """A ledger that nobody has seen before, where its name is that of its key; else None."""
    fits = len(key) == KEY_BYTES and origin == name_of(key, LOG_ORIGIN)
    return Remembered(origin, key) if fits else None


def decide(remembered: Remembered | None, submitted: Submitted) -> Decision:
    """What to do with a submission; `remembered` is what is known of the log that it claims to be of."""
    try:
        note = read_note(submitted.note)
        found = read_checkpoint(note.text)
    except MalformedNote:
        return Refusal(Reason.MALFORMED)
    if remembered is None or found.origin != remembered.origin:
        return Refusal(Reason.UNKNOWN_LOG)
    if not signed_by(note, PublicKey(remembered.origin, ED25519, remembered.key)):
        return Refusal(Reason.BAD_SIGNATURE)
    if remembered.set_aside:
        return Refusal(Reason.SET_ASIDE)
    if not 0 <= submitted.old_size <= found.size:
        return Refusal(Reason.ROLLED_BACK if found.size < remembered.size else Reason.MALFORMED)
    return _grown(remembered, found, submitted) or Cosign(found, note.text)


def _grown(remembered: Remembered, found: Checkpoint, submitted: Submitted) -> Conflict | Refusal | None:
    """What keeps a genuine checkpoint from being the next one; None: nothing."""
    if found.size < remembered.size:
        return Refusal(Reason.ROLLED_BACK)
    if found.size == remembered.size and found.root != remembered.root:
        return Refusal(Reason.SPLIT_VIEW)
    if submitted.old_size != remembered.size:
        return Conflict(remembered.size)
    if not consistent(remembered.size, remembered.root, found.size, found.root, submitted.proof):
        return Refusal(Reason.INCONSISTENT)
    return None
