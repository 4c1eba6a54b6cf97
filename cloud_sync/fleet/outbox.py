"""What rows of an outbox must look like before they are believed, and in which order they are taken. Pure rules.

`intake` does the I/O. A frame that breaks the contract ends the stream; a single row that can never be taken is named
to the node, which puts a tombstone in its place and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_sync.store.streams import RecordRow
from core.errors import PosternError
from core.signing import content_hash

# 256 rows an envelope is the egress ledger's limit; a mebibyte keeps one batch well under gRPC's message limit.
BATCH_ROWS_MAX = 256
BATCH_BYTES_MAX = 1024 * 1024
# A node's guard lets 16 KiB out.
PAYLOAD_BYTES_MAX = 64 * 1024
KIND_CHARACTERS_MAX = 60
# The year 2248; datetime cannot hold much more.
CREATED_MS_MAX = 2**43
EPOCH_BYTES = 16
SEQUENCE_MAX = 2**63 - 1  # what a database integer holds
# audit, state, metrics
CLASSES = frozenset({1, 2, 3})
GAP_KIND = "outbox.gap"


class ProtocolFault(PosternError):
    """A node sent what the contract does not allow; the stream ends."""

    code = "protocol_fault"
    title = "The node does not keep to the protocol"
    remedy = "Update the node's software; if it is current, look at its store with `postern doctor`."
    status = 400


@dataclass(frozen=True)
class WireRow:
    """A row as it came, and the hash that the node computed when it committed it."""

    seq: int
    class_code: int
    kind: str
    payload: bytes
    payload_hash: bytes
    created_ms: int


@dataclass(frozen=True)
class UploadFacts:
    """What a node says first about its outbox."""

    epoch: bytes
    oldest_sequence: int
    """The first that it can still send: with an empty outbox the one after the newest."""
    newest_sequence: int
    """The last one ever given."""


@dataclass(frozen=True)
class Poison:
    """A row that will never be taken, and why, as a short code."""

    sequence: int
    code: str


class Gap(BaseModel):
    """What a row of kind "outbox.gap" says: the node dropped these rows, and how."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    first: int = Field(ge=1, le=SEQUENCE_MAX)
    last: int = Field(ge=1, le=SEQUENCE_MAX)
    bytes: int = Field(ge=0, le=SEQUENCE_MAX)
    outbox_class: str = Field(pattern=r"^[a-z_]{1,20}$")
    reason: str = Field(pattern=r"^[a-z_]{1,40}$")


@dataclass(frozen=True)
class Run:
    """What an upload has brought since the last look: rows that follow what is committed, and what stopped them."""

    first: int
    last: int
    """`first - 1` when there are no rows."""
    rows: tuple[RecordRow, ...]
    poison: Poison | None
    astray: bool
    """A batch did not follow."""


def check_opening(facts: UploadFacts) -> None:
    """Raises ProtocolFault."""
    if len(facts.epoch) != EPOCH_BYTES:
        raise ProtocolFault(f"The epoch has {len(facts.epoch)} bytes instead of {EPOCH_BYTES}.")
    if not 1 <= facts.oldest_sequence <= facts.newest_sequence + 1 <= SEQUENCE_MAX:
        raise ProtocolFault("The oldest sequence lies after the newest.")


def lost_rows(committed: int, facts: UploadFacts) -> tuple[int, int] | None:
    """The first and last sequence that neither side has, or None.

    It happens when the control plane was restored from an old backup, or a node changed its control plane.
    """
    if facts.oldest_sequence > committed + 1:
        return committed + 1, facts.oldest_sequence - 1
    return None


def check_not_rewound(committed: int, facts: UploadFacts) -> None:
    """A node whose newest row is older than what is committed has gone back in time under the same epoch.

    Acknowledging its next rows would lose them in silence. Raises ProtocolFault.
    """
    if facts.newest_sequence < committed:
        raise ProtocolFault(
            f"The node's newest row is {facts.newest_sequence}, but {committed} are committed under this epoch.",
            remedy="Restore the node with `postern restore`, which begins a new epoch.",
        )


class Line:
    """The rows of one upload between the wire and the database: `add` batches, `take` what may be committed at once."""

    def __init__(self, epoch: bytes, committed: int) -> None:
        self._epoch = epoch
        self._due = committed + 1
        self._taken_to = committed
        self._rows: list[RecordRow] = []
        self._poison: Poison | None = None
        self._astray = False
        self._passing = False

    def add(self, epoch: bytes, rows: Sequence[WireRow]) -> None:
        """Add a batch; one that was sent before the node heard where to go on is passed over. Raises ProtocolFault."""
        _check_batch(self._epoch, epoch, rows)
        if not first_of(rows[0]) <= self._due <= rows[0].seq:
            self._astray = self._astray or not self._passing
            self._passing = True
            return
        self._passing = False
        for row in rows:
            code = _fault_of(row)
            if code is None and not first_of(row) <= self._due:
                raise ProtocolFault(f"Row {row.seq} of the batch is out of order.")
            if code is not None:
                self._poison = Poison(row.seq, code)
                self._passing = True
                return
            self._rows.append(_record_of(row))
            self._due = row.seq + 1

    def take(self) -> Run:
        """What has come since the last time; the line goes on behind it."""
        found = Run(self._taken_to + 1, self._due - 1, tuple(self._rows), self._poison, self._astray)
        self._taken_to = self._due - 1
        self._rows, self._poison, self._astray = [], None, False
        return found


def first_of(row: WireRow | RecordRow) -> int:
    """The first sequence that a row stands for: its own, but for a gap record."""
    gap = gap_of(row)
    return row.seq if gap is None else gap.first


def gap_of(row: WireRow | RecordRow) -> Gap | None:
    """What a gap record says; None for another row, and for one that is not well formed."""
    if row.kind != GAP_KIND:
        return None
    try:
        gap = Gap.model_validate_json(row.payload)
    except ValidationError:
        return None
    return gap if gap.first <= gap.last == row.seq else None


def _check_batch(epoch: bytes, batch_epoch: bytes, rows: Sequence[WireRow]) -> None:
    """Raises ProtocolFault. An empty batch is allowed to nobody: it would only cost a transaction."""
    if batch_epoch != epoch:
        raise ProtocolFault("The batch is of another epoch than the upload.")
    if not 0 < len(rows) <= BATCH_ROWS_MAX:
        raise ProtocolFault(f"The batch has {len(rows)} rows; 1 to {BATCH_ROWS_MAX} are allowed.")
    before = 0
    for row in rows:
        if not before < row.seq < SEQUENCE_MAX:
            raise ProtocolFault(f"Row {row.seq} of the batch is out of order.")
        before = row.seq


def _fault_of(row: WireRow) -> str | None:
    """Why a row can never be taken, or None."""
    if content_hash(row.payload) != row.payload_hash:
        return "hash"
    if not 0 < len(row.kind) <= KIND_CHARACTERS_MAX or "\0" in row.kind:
        return "kind"
    if len(row.payload) > PAYLOAD_BYTES_MAX:
        return "size"
    if not 0 <= row.created_ms <= CREATED_MS_MAX or row.class_code not in CLASSES:
        return "schema"
    return "schema" if row.kind == GAP_KIND and gap_of(row) is None else None


def _record_of(row: WireRow) -> RecordRow:
    created = datetime.fromtimestamp(row.created_ms / 1000, UTC)
    return RecordRow(row.seq, row.class_code, row.kind, row.payload, created)
