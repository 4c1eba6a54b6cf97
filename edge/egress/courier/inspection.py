"""Whether an envelope may go out, and which way. Pure: the courier's own look at what the node hands it."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from edge.egress.envelope import (
    ENVELOPE_BYTES_MAX,
    ENVELOPE_ROWS_MAX,
    SALT_BYTES,
    SCHEMA,
    VERDICTS,
    Envelope,
    Purpose,
    verify,
)
from edge.egress.fetch import order as fetch_order
from edge.egress.overflow import order as overflow_order
from postern.v1 import courier_pb2 as wire
from postern.v1 import sync_pb2

# A link's own frames are small; a larger one is not what it says it is.
FRAMING_BYTES_MAX = 4096
POLICY_BYTES: Final = 32
"""Of the hash of the policies."""

# Kinds that go over the link's second stream.
UPLOADS: Final = frozenset({"upload_open", "outbox_batch"})
_FRAMES = {
    Purpose.FRAMING: frozenset({"hello", "heartbeat", "upload_open"}),
    Purpose.RECORDS: frozenset({"outbox_batch", "reported_state"}),
}
_PURPOSES = {
    wire.ENVELOPE_PURPOSE_FRAMING: Purpose.FRAMING,
    wire.ENVELOPE_PURPOSE_RECORDS: Purpose.RECORDS,
    wire.ENVELOPE_PURPOSE_OVERFLOW: Purpose.OVERFLOW,
    wire.ENVELOPE_PURPOSE_FETCH: Purpose.FETCH,
}


def sealed(message: wire.Envelope) -> Envelope | None:
    """What came over the socket, as a value; None for a purpose that is not known."""
    purpose = _PURPOSES.get(message.purpose)
    if purpose is None:
        return None
    return Envelope(
        message.envelope_id,
        purpose,
        message.kind,
        message.payload,
        message.rows,
        message.verdict,
        message.policy,
        message.salt,
        message.mac,
    )


def refusal_of(envelope: Envelope | None, key: bytes) -> str:
    """Why an envelope may not go out over the link, or "" if it may."""
    if reason := _outer_refusal(envelope, key):
        return reason
    assert envelope is not None
    if envelope.purpose not in _FRAMES:  # text goes another way
        return "purpose"
    found = _frame_of(envelope)
    if found is None or found[0] != envelope.kind or envelope.kind not in _FRAMES[envelope.purpose]:
        return "kind"
    if envelope.purpose is Purpose.FRAMING and len(envelope.payload) > FRAMING_BYTES_MAX:
        return "size"
    return "" if found[1] == envelope.rows else "rows"


def _frame_of(envelope: Envelope) -> tuple[str | None, int] | None:
    """What a frame of the link is, and how many rows it holds; None where it is none."""
    try:
        if envelope.kind in UPLOADS:
            upload = sync_pb2.UploadRequest.FromString(envelope.payload)
            return upload.WhichOneof("frame"), len(upload.outbox_batch.rows)
        return sync_pb2.ConnectRequest.FromString(envelope.payload).WhichOneof("frame"), 0
    except DecodeError:
        return None


def overflow_refusal_of(envelope: Envelope | None, key: bytes) -> str:
    """Why an envelope may not go out as a text to be answered, or "" if it may."""
    if reason := _outer_refusal(envelope, key):
        return reason
    assert envelope is not None
    return overflow_order.inner_refusal_of(envelope)


def fetch_refusal_of(envelope: Envelope | None, key: bytes) -> str:
    """Why an envelope may not go out as a request for what the node updates itself from, or "" if it may."""
    if reason := _outer_refusal(envelope, key):
        return reason
    assert envelope is not None
    return fetch_order.inner_refusal_of(envelope)


def _outer_refusal(envelope: Envelope | None, key: bytes) -> str:
    """What is wrong with any envelope, whatever it holds."""
    if envelope is None or not verify(envelope, key):
        return "mac"
    if len(envelope.payload) > ENVELOPE_BYTES_MAX or envelope.rows > ENVELOPE_ROWS_MAX:
        return "size"
    return "" if _has_a_verdict(envelope) else "verdict"


def _has_a_verdict(envelope: Envelope) -> bool:
    """Whether the ledger can say why it leaves: a text by a policy, all else by its schema."""
    if len(envelope.salt) != SALT_BYTES:
        return False
    if envelope.purpose is Purpose.OVERFLOW:
        return envelope.verdict in VERDICTS - {SCHEMA} and len(envelope.policy) == POLICY_BYTES
    return envelope.verdict == SCHEMA and not envelope.policy
