"""Frames of the guard as bytes of the protocol (ConnectRequest, UploadRequest). Conversion only."""

from __future__ import annotations

from edge.egress.records.schemas import Batch, Frame, Heartbeat, Hello, ReportedState, Row, UploadOpen
from postern.v1 import sync_pb2


def kind_of(frame: Frame) -> str:
    """The field of ConnectRequest or UploadRequest that holds this frame."""
    match frame:
        case Hello():
            return "hello"
        case Heartbeat():
            return "heartbeat"
        case ReportedState():
            return "reported_state"
        case UploadOpen():
            return "upload_open"
        case Batch():
            return "outbox_batch"


def to_bytes(frame: Frame) -> bytes:
    """The frame as a serialised ConnectRequest or UploadRequest."""
    request: sync_pb2.ConnectRequest | sync_pb2.UploadRequest
    match frame:
        case Hello():
            request = sync_pb2.ConnectRequest(hello=sync_pb2.Hello(**frame.model_dump()))
        case Heartbeat():
            request = sync_pb2.ConnectRequest(heartbeat=sync_pb2.Heartbeat(**frame.model_dump()))
        case ReportedState():
            request = sync_pb2.ConnectRequest(reported_state=_reported(frame))
        case UploadOpen():
            request = sync_pb2.UploadRequest(upload_open=sync_pb2.UploadOpen(**frame.model_dump()))
        case Batch():
            batch = sync_pb2.OutboxBatch(epoch=frame.epoch, rows=[_row(row) for row in frame.rows])
            request = sync_pb2.UploadRequest(outbox_batch=batch)
    return request.SerializeToString()


def _reported(frame: ReportedState) -> sync_pb2.ReportedState:
    fields = frame.model_dump(exclude={"models"})
    models = [sync_pb2.ModelState(**model.model_dump()) for model in frame.models]
    return sync_pb2.ReportedState(models=models, **fields)


def _row(row: Row) -> sync_pb2.OutboxRow:
    message = sync_pb2.OutboxRow(
        sequence=row.sequence,
        kind=row.kind,
        payload=row.payload,
        payload_hash=row.payload_hash,
        created_unix_ms=row.created_ms,
    )
    # `class` is a word of Python: the generated field can only be set by name.
    setattr(message, "class", row.outbox_class)
    return message
