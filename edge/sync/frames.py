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
    """The stream is accepted; everything up to `committed_sequence` is committed under the epoch of Hello."""

    committed_sequence: int
    heartbeat_interval_ms: int
    batch_rows_max: int
    batch_bytes_max: int


@dataclass(frozen=True)
class HeartbeatAck:
    """The control plane is there."""

    number: int


@dataclass(frozen=True)
class OutboxAck:
    """Everything up to `committed_sequence` is committed."""

    epoch: bytes
    committed_sequence: int


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


CloudFrame = Welcome | HeartbeatAck | OutboxAck | DesiredState | Goodbye

_FAREWELLS = {
    sync_pb2.GOODBYE_REASON_SHUTDOWN: Farewell.SHUTDOWN,
    sync_pb2.GOODBYE_REASON_REPLACED: Farewell.REPLACED,
    sync_pb2.GOODBYE_REASON_REVOKED: Farewell.REVOKED,
    sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR: Farewell.PROTOCOL_ERROR,
    sync_pb2.GOODBYE_REASON_BUSY: Farewell.BUSY,
}


def parse(payload: bytes) -> CloudFrame | None:
    """A serialised ConnectResponse as a value; None for a frame that this version does not know."""
    try:
        response = sync_pb2.ConnectResponse.FromString(payload)
    except DecodeError:
        return None
    match response.WhichOneof("frame"):
        case "welcome":
            welcome = response.welcome
            return Welcome(
                welcome.committed_sequence,
                welcome.heartbeat_interval_ms,
                welcome.batch_rows_max,
                welcome.batch_bytes_max,
            )
        case "heartbeat_ack":
            return HeartbeatAck(response.heartbeat_ack.number)
        case "outbox_ack":
            return OutboxAck(response.outbox_ack.epoch, response.outbox_ack.committed_sequence)
        case "desired_state":
            desired = response.desired_state
            return DesiredState(desired.generation, desired.hash, desired.document)
        case "goodbye":
            reason = _FAREWELLS.get(response.goodbye.reason, Farewell.UNKNOWN)
            return Goodbye(reason, response.goodbye.retry_after_ms)
        case _:
            return None
