"""Between wire messages and the fleet's values, with every length limited. Nothing here decides anything."""

from __future__ import annotations

from cloud_sync.fleet.credit import Credit
from cloud_sync.fleet.outbox import Poison, UploadFacts, WireRow
from cloud_sync.store.desired import DesiredRow
from cloud_sync.store.nodes import Report
from postern.v1 import sync_pb2

# Codes, names and versions are short; what is longer is a fault of the sender and is cut.
TEXT_CHARACTERS_MAX = 200
FALLBACKS_MAX = 16
MODELS_MAX = 32
# What a database integer holds.
COUNT_MAX = 2**63 - 1


def upload_facts(opening: sync_pb2.UploadOpen) -> UploadFacts:
    """What the node says about its outbox."""
    return UploadFacts(opening.epoch, opening.oldest_sequence, opening.newest_sequence)


def wire_row(row: sync_pb2.OutboxRow) -> WireRow:
    """A row, not yet believed."""
    class_code: int = getattr(row, "class")
    return WireRow(row.sequence, class_code, row.kind, row.payload, row.payload_hash, row.created_unix_ms)


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


def ack_frame(epoch: bytes, sequence: int, granted: Credit) -> sync_pb2.UploadResponse:
    """Everything up to `sequence` is durable here."""
    ack = sync_pb2.OutboxAck(
        epoch=epoch, committed_sequence=sequence, credit_rows=granted.rows, credit_bytes=granted.bytes
    )
    return sync_pb2.UploadResponse(outbox_ack=ack)


def nack_frame(epoch: bytes, poison: Poison) -> sync_pb2.UploadResponse:
    """A row will never be taken; everything before it is durable here."""
    nack = sync_pb2.OutboxNack(epoch=epoch, sequence=poison.sequence, code=poison.code)
    return sync_pb2.UploadResponse(outbox_nack=nack)
