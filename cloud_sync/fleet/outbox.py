"""What a batch of outbox rows must look like before it is believed. Pure rules; `intake` does the I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_sync.store.streams import RecordRow
from core.errors import PosternError
from core.signing import content_hash

# 256 rows an envelope is the egress ledger's limit; a mebibyte keeps one batch well under gRPC's message limit.
BATCH_ROWS_MAX = 256
BATCH_BYTES_MAX = 1024 * 1024
EPOCH_BYTES = 16
SEQUENCE_MAX = 2**63 - 1  # what a database integer holds


class ProtocolFault(PosternError):
    """A node sent what the contract does not allow; the stream ends."""

    code = "protocol_fault"
    title = "The node does not keep to the protocol"
    remedy = "Update the node's software; if it is current, look at its store with `postern doctor`."
    status = 400


@dataclass(frozen=True)
class HashedRow:
    """A row and the hash that the node computed when it committed it."""

    row: RecordRow
    payload_hash: bytes


@dataclass(frozen=True)
class HelloFacts:
    """What a node says first."""

    epoch: bytes
    oldest_sequence: int
    newest_sequence: int
    software_version: str


def check_hello(hello: HelloFacts) -> None:
    """Raises ProtocolFault."""
    if len(hello.epoch) != EPOCH_BYTES:
        raise ProtocolFault(f"The epoch has {len(hello.epoch)} bytes instead of {EPOCH_BYTES}.")
    if (hello.oldest_sequence == 0) != (hello.newest_sequence == 0):
        raise ProtocolFault("Only one of the oldest and newest sequence is given.")
    if not 0 <= hello.oldest_sequence <= hello.newest_sequence <= SEQUENCE_MAX:
        raise ProtocolFault("The oldest sequence lies after the newest.")


def check_batch(epoch: bytes, batch_epoch: bytes, rows: Sequence[HashedRow]) -> None:
    """Raises ProtocolFault. An empty batch is allowed to nobody: it would only cost a transaction."""
    if batch_epoch != epoch:
        raise ProtocolFault("The batch is of another epoch than the stream.")
    if not 0 < len(rows) <= BATCH_ROWS_MAX:
        raise ProtocolFault(f"The batch has {len(rows)} rows; 1 to {BATCH_ROWS_MAX} are allowed.")
    first = rows[0].row.seq
    if not 0 < first <= SEQUENCE_MAX - BATCH_ROWS_MAX:
        raise ProtocolFault("The first sequence is out of range.")
    for offset, hashed in enumerate(rows):
        if hashed.row.seq != first + offset:
            raise ProtocolFault(f"Row {offset} of the batch is out of order.")
        if content_hash(hashed.row.payload) != hashed.payload_hash:
            raise ProtocolFault(f"Row {hashed.row.seq} does not have the hash it was committed with.")


def lost_rows(committed: int, hello: HelloFacts) -> tuple[int, int] | None:
    """The first and last sequence that neither side has, or None.

    It happens when the control plane was restored from an old backup, or a node changed its control plane.
    """
    if hello.oldest_sequence > committed + 1:
        return committed + 1, hello.oldest_sequence - 1
    return None


def check_not_rewound(committed: int, hello: HelloFacts) -> None:
    """A node that holds rows, all of them older than what is committed, has gone back in time under the same epoch.

    Acknowledging them would lose them in silence. Raises ProtocolFault.
    """
    if 0 < hello.newest_sequence < committed:
        raise ProtocolFault(
            f"The node's newest row is {hello.newest_sequence}, but {committed} are committed under this epoch.",
            remedy="Restore the node with `postern restore`, which begins a new epoch.",
        )
