"""The wire form that nodes in the field rely on: numbers of fields and values may be added to, not changed."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import Descriptor

from postern.v1 import enrolment_pb2, sync_pb2

FIELDS = {
    sync_pb2.ConnectRequest: "1 hello, 2 heartbeat, 3 reported_state",
    sync_pb2.ConnectResponse: "1 welcome, 2 heartbeat_ack, 3 desired_state, 4 goodbye",
    sync_pb2.Hello: "1 software_version, 2 applied_generation, 3 applied_hash",
    sync_pb2.Welcome: "1 stream_generation, 2 heartbeat_interval_ms",
    sync_pb2.UploadRequest: "1 upload_open, 2 outbox_batch",
    sync_pb2.UploadResponse: "1 upload_ready, 2 outbox_ack, 3 outbox_nack",
    sync_pb2.UploadOpen: "1 epoch, 2 stream_generation, 3 oldest_sequence, 4 newest_sequence",
    sync_pb2.UploadReady: (
        "1 committed_sequence, 2 batch_rows_max, 3 batch_bytes_max, 4 credit_rows, 5 credit_bytes"
    ),
    sync_pb2.OutboxNack: "1 epoch, 2 sequence, 3 code",
    sync_pb2.OutboxRow: "1 sequence, 2 class, 3 kind, 4 payload, 5 payload_hash, 6 created_unix_ms",
    sync_pb2.OutboxBatch: "1 epoch, 2 rows",
    sync_pb2.OutboxAck: "1 epoch, 2 committed_sequence, 3 credit_rows, 4 credit_bytes",
    sync_pb2.DesiredState: "1 generation, 2 hash, 3 document",
    sync_pb2.Goodbye: "1 reason, 2 retry_after_ms",
    enrolment_pb2.EnrolRequest: "1 secret, 2 signing_request, 3 software_version",
    enrolment_pb2.EnrolResponse: "1 node_id, 2 site_name, 3 certificate_chain, 4 ca_certificates, 5 sync_endpoint",
}
GOODBYES = ["UNSPECIFIED", "SHUTDOWN", "REPLACED", "REVOKED", "PROTOCOL_ERROR", "BUSY"]


@pytest.mark.parametrize(
    ("message", "expected"), FIELDS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_fields_keep_their_numbers(message: type, expected: str) -> None:
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[attr-defined]
    found = {f"{field.number} {field.name}" for field in descriptor.fields}
    assert set(expected.split(", ")) <= found


def test_reasons_of_goodbye_keep_their_numbers() -> None:
    for number, name in enumerate(GOODBYES):
        assert sync_pb2.GoodbyeReason.Value(f"GOODBYE_REASON_{name}") == number


def test_a_frame_of_a_newer_node_is_read_without_what_this_release_does_not_know() -> None:
    unknown_frame = bytes([15 << 3 | 2, 2]) + b"xx"  # field 15, two bytes
    frame = sync_pb2.ConnectRequest.FromString(unknown_frame)
    assert frame.WhichOneof("frame") is None
