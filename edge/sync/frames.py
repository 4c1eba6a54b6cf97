"""What the control plane says, as frozen values; unknown frames and reasons degrade instead of raising."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.message import DecodeError

from postern.v1 import sync_pb2


class Farewell(StrEnum):
    """Why the control plane ended the stream."""

    UNKNOWN = "unknown"
    SHUTDOWN = "shutdown"
    REPLACED = "replaced"
    REVOKED = "revoked"
    PROTOCOL_ERROR = "protocol_error"
    BUSY = "busy"


@dataclass(frozen=True)
class Welcome:
    """The stream is accepted, as the node's `stream_generation`th."""

    stream_generation: int
    heartbeat_interval_ms: int


@dataclass(frozen=True)
class HeartbeatAck:
    """The control plane is there. `at_s`: when that came, by the clock of HeartbeatDue; 0 as it is parsed."""

    number: int
    at_s: float = 0.0


@dataclass(frozen=True)
class DesiredState:
    """How the node should run; `hash` is SHA-256 of `document`, as claimed."""

    generation: int
    hash: bytes
    document: bytes


@dataclass(frozen=True)
class Goodbye:
    """The stream ends."""

    reason: Farewell
    retry_after_ms: int


@dataclass(frozen=True)
class Credit:
    """How much may be sent and not yet acknowledged."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class UploadReady:
    """Everything up to `committed_sequence` is committed; the next one is due."""

    committed_sequence: int
    batch_rows_max: int
    batch_bytes_max: int
    credit: Credit


@dataclass(frozen=True)
class OutboxAck:
    """Everything up to `committed_sequence` is committed."""

    epoch: bytes
    committed_sequence: int
    credit: Credit


@dataclass(frozen=True)
class OutboxNack:
    """Everything before `sequence` is committed, and that row will never be."""

    epoch: bytes
    sequence: int
    code: str


ControlFrame = Welcome | HeartbeatAck | DesiredState | Goodbye
UploadFrame = UploadReady | OutboxAck | OutboxNack

_FAREWELLS = {
    sync_pb2.GOODBYE_REASON_SHUTDOWN: Farewell.SHUTDOWN,
    sync_pb2.GOODBYE_REASON_REPLACED: Farewell.REPLACED,
    sync_pb2.GOODBYE_REASON_REVOKED: Farewell.REVOKED,
    sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR: Farewell.PROTOCOL_ERROR,
    sync_pb2.GOODBYE_REASON_BUSY: Farewell.BUSY,
}


def parse(payload: bytes) -> ControlFrame | None:
    """A serialised ConnectResponse as a value; None for a frame that this version does not know."""
    try:
        response = sync_pb2.ConnectResponse.FromString(payload)
    except DecodeError:
        return None
    match response.WhichOneof("frame"):
        case "welcome":
            return Welcome(response.welcome.stream_generation, response.welcome.heartbeat_interval_ms)
        case "heartbeat_ack":
            return HeartbeatAck(response.heartbeat_ack.number)
        case "desired_state":
            desired = response.desired_state
            return DesiredState(desired.generation, desired.hash, desired.document)
        case "goodbye":
            reason = _FAREWELLS.get(response.goodbye.reason, Farewell.UNKNOWN)
            return Goodbye(reason, response.goodbye.retry_after_ms)
        case _:
            return None


def parse_upload(payload: bytes) -> UploadFrame | None:
    """A serialised UploadResponse as a value; None for a frame that this version does not know."""
    try:
        response = sync_pb2.UploadResponse.FromString(payload)
    except DecodeError:
        return None
    match response.WhichOneof("frame"):
        case "upload_ready":
            ready = response.upload_ready
            return UploadReady(
                ready.committed_sequence,
                ready.batch_rows_max,
                ready.batch_bytes_max,
                Credit(ready.credit_rows, ready.credit_bytes),
            )
        case "outbox_ack":
            ack = response.outbox_ack
            return OutboxAck(ack.epoch, ack.committed_sequence, Credit(ack.credit_rows, ack.credit_bytes))
        case "outbox_nack":
            nack = response.outbox_nack
            return OutboxNack(nack.epoch, nack.sequence, nack.code)
        case _:
            return None
