"""Between wire messages and the fleet's values, with every length limited. Nothing here decides anything."""

from __future__ import annotations

from datetime import UTC, datetime

from cloud_sync.fleet.outbox import HashedRow, HelloFacts, ProtocolFault
from cloud_sync.store.desired import DesiredRow
from cloud_sync.store.nodes import Report
from cloud_sync.store.streams import RecordRow
from postern.v1 import sync_pb2

# Codes, names and versions are short; what is longer is a fault of the sender and is cut.
TEXT_CHARACTERS_MAX = 200
KIND_CHARACTERS_MAX = 60
FALLBACKS_MAX = 16
MODELS_MAX = 32
# The year 2248; datetime cannot hold much more.
CREATED_MS_MAX = 2**43
# What a database integer holds.
COUNT_MAX = 2**63 - 1


def hello_facts(hello: sync_pb2.Hello) -> HelloFacts:
    """The node's first words."""
    return HelloFacts(hello.epoch, hello.oldest_sequence, hello.newest_sequence, text(hello.software_version))


def batch_rows(batch: sync_pb2.OutboxBatch) -> list[HashedRow]:
    """The rows of a batch. Raises ProtocolFault."""
    return [_row(row) for row in batch.rows]


def _row(row: sync_pb2.OutboxRow) -> HashedRow:
    if not 0 < len(row.kind) <= KIND_CHARACTERS_MAX:
        raise ProtocolFault("A row's kind is empty or too long.")
    if not 0 <= row.created_unix_ms <= CREATED_MS_MAX:
        raise ProtocolFault("A row's time is out of range.")
    created = datetime.fromtimestamp(row.created_unix_ms / 1000, UTC)
    class_code: int = getattr(row, "class")
    return HashedRow(RecordRow(row.sequence, class_code, row.kind, row.payload, created), row.payload_hash)


def report(state: sync_pb2.ReportedState) -> Report:
    """The node's account of itself."""
    return Report(
        observed_generation=count(state.observed_generation),
        applied_generation=count(state.applied_generation),
        rejected_field=text(state.rejected_field),
        rejected_reason=text(state.rejected_reason),
        models=tuple(_model(model) for model in state.models[:MODELS_MAX]),
        documents=count(state.documents),
        chunks=count(state.chunks),
        devices_online=count(state.devices_online),
        software_version=text(state.software_version),
    )


def _model(model: sync_pb2.ModelState) -> dict[str, str]:
    return {name: text(getattr(model, name)) for name in ("name", "version", "runtime", "device")}


def fallbacks(heartbeat: sync_pb2.Heartbeat) -> tuple[str, ...]:
    """Why the node runs weaker than asked."""
    return tuple(text(code) for code in heartbeat.fallbacks[:FALLBACKS_MAX])


def disk_free(heartbeat: sync_pb2.Heartbeat) -> int | None:
    """Free part of the node's disk in percent; None where it did not say."""
    return min(heartbeat.disk_free_percent, 100) if heartbeat.HasField("disk_free_percent") else None


def text(value: str) -> str:
    """Cut to what a page can show; NUL is what PostgreSQL cannot keep."""
    return value.replace("\0", "")[:TEXT_CHARACTERS_MAX]


def count(value: int) -> int:
    """Cut to what a database can keep."""
    return min(value, COUNT_MAX)


def desired_frame(desired: DesiredRow) -> sync_pb2.ConnectResponse:
    """A snapshot of what is wanted."""
    state = sync_pb2.DesiredState(generation=desired.generation, hash=desired.hash, document=desired.document)
    return sync_pb2.ConnectResponse(desired_state=state)


def ack_frame(epoch: bytes, sequence: int) -> sync_pb2.ConnectResponse:
    """Everything up to `sequence` is durable here."""
    ack = sync_pb2.OutboxAck(epoch=epoch, committed_sequence=sequence)
    return sync_pb2.ConnectResponse(outbox_ack=ack)
