"""The guard denies by default."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from core.signing import canonical_json
from edge.egress import envelope
from edge.egress.records.guard import Guard, GuardRefused, Refusal, refusal_of, tombstone
from edge.egress.records.schemas import Batch, Heartbeat, Hello, ReportedState, Row, UploadOpen
from edge.store.outbox import OutboxClass, OutboxRow
from postern.v1 import sync_pb2

KEY = b"k" * 32
BUCKET = {"start_s": 1_700_000_000, "length_s": 3600, "counts": {"turns": {"answer": 12, "refuse": 5}}}
ALLOWED = [
    ("telemetry.bucket", BUCKET),
    ("knowledge.changed", {"documents": 3, "chunks": 40, "generation": 2}),
    ("node.started", {"software_version": "0.1.0"}),
    (
        "model.active",
        {"name": "all-minilm-l6-v2", "version": "0.1.0", "runtime": "onnxruntime", "device": "CPU"},
    ),
    (
        "desired.result",
        {"generation": 3, "state": "rejected", "field": "answer_mode", "reason": "literal_error"},
    ),
    (
        "update.step",
        {
            "rollout": "r-1",
            "kind": "model",
            "name": "all-minilm-l6-v2",
            "version": "1.2.0",
            "step": "gate",
            "outcome": "failed",
            "reason": "golden_set",
            "golden_permille": 870,
        },
    ),
    ("outbox.refused", {"reason": "schema", "bytes": 12}),
]
DENIED = [
    ("turn.text", {"text": "hello"}, "kind"),
    ("", {}, "kind"),
    ("knowledge.changed", {"documents": 3, "chunks": 40, "title": "Visiting hours"}, "schema"),
    ("knowledge.changed", {"documents": "3", "chunks": 40}, "schema"),
    ("knowledge.changed", {"documents": -1, "chunks": 40}, "schema"),
    ("knowledge.changed", {"documents": True, "chunks": 40}, "schema"),
    ("node.started", {"software_version": "0.1.0 Mrs Miller"}, "schema"),
    ("node.started", {"software_version": "0.1.0\n"}, "schema"),
    ("node.started", ["0.1.0"], "schema"),
    ("telemetry.bucket", {**BUCKET, "counts": {"turns": {"mrs_miller": 12}}}, "schema"),
    ("telemetry.bucket", {**BUCKET, "counts": {"intents": {"answer": 12}}}, "schema"),
    ("telemetry.bucket", {**BUCKET, "length_s": 1}, "schema"),
    ("telemetry.bucket", {**BUCKET, "counts": {"turns": {"answer": 4}}}, "schema"),
    ("telemetry.bucket", {**BUCKET, "counts": {"turns": {"answer": None}}}, "schema"),
    ("desired.result", {"generation": 3, "state": "applied", "reason": "call 555 0199"}, "schema"),
    ("node.started", {"software_version": "1" * 20_000}, "size"),
]


def _row(kind: str, payload: bytes, sequence: int = 1) -> OutboxRow:
    return OutboxRow(
        sequence, OutboxClass.STATE, kind, payload, hashlib.sha256(payload).digest(), 1_700_000_000_000
    )


def _refusal(kind: str, payload: bytes) -> str:
    return refusal_of(kind, payload, hashlib.sha256(payload).digest())


@pytest.mark.parametrize(("kind", "value"), ALLOWED)
def test_aggregate_records_pass(kind: str, value: object) -> None:
    assert isinstance(Guard(KEY).check(_row(kind, canonical_json(value))), Row)


@pytest.mark.proves("counts-only")
@pytest.mark.parametrize(("kind", "value", "reason"), DENIED)
def test_everything_else_stays(kind: str, value: object, reason: str) -> None:
    assert Guard(KEY).check(_row(kind, canonical_json(value))) == Refusal(reason)


@pytest.mark.proves("counts-only")
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"chunks":40,"documents":"Mrs Miller","documents":3}', "canonical"),
        (b'{"chunks":40, "documents":3}', "canonical"),
        (b'{"documents":3,"chunks":40}', "canonical"),
        (b"hello", "json"),
        (b"\xff", "json"),
        (b"[" * 10_000, "json"),
        (b'{"chunks":NaN,"documents":3}', "json"),
    ],
)
def test_text_cannot_hide_in_the_form(payload: bytes, reason: str) -> None:
    assert _refusal("knowledge.changed", payload) == reason


def test_a_hash_that_does_not_fit_is_refused() -> None:
    assert refusal_of("node.started", b'{"software_version":"0.1.0"}', bytes(32)) == "hash"


def test_a_tombstone_keeps_the_sequence_and_may_leave() -> None:
    refused = _row("turn.text", b'{"text":"hello"}', sequence=17)
    row = tombstone(refused, Refusal("kind"))
    assert (row.sequence, row.kind, b"hello" in row.payload) == (17, "outbox.refused", False)
    assert isinstance(Guard(KEY).check(row), Row)


def test_frames_are_sealed_for_their_purpose() -> None:
    guard = Guard(KEY)
    hello = guard.seal(
        Hello(
            software_version="0.1.0",
            applied_generation=0,
            applied_hash=b"",
        )
    )
    assert envelope.verify(hello, KEY)
    assert (hello.purpose, hello.kind, hello.rows) == (envelope.Purpose.FRAMING, "hello", 0)
    opening = guard.seal(
        UploadOpen(epoch=b"e" * 16, stream_generation=3, oldest_sequence=1, newest_sequence=2)
    )
    assert (opening.purpose, opening.kind, opening.rows) == (envelope.Purpose.FRAMING, "upload_open", 0)
    assert sync_pb2.UploadRequest.FromString(opening.payload).upload_open.stream_generation == 3
    row = guard.check(_row("node.started", b'{"software_version":"0.1.0"}'))
    assert isinstance(row, Row)
    batch = guard.seal(Batch(epoch=b"e" * 16, rows=(row,)))
    assert (batch.purpose, batch.kind, batch.rows) == (envelope.Purpose.RECORDS, "outbox_batch", 1)
    sent = sync_pb2.UploadRequest.FromString(batch.payload).outbox_batch.rows[0]
    assert (sent.sequence, sent.kind, getattr(sent, "class")) == (1, "node.started", 2)


def test_a_batch_is_checked_again_when_it_is_sealed() -> None:
    payload = b'{"text":"hello"}'
    digest = hashlib.sha256(payload).digest()
    forged = Row(
        sequence=1, outbox_class=2, kind="turn.text", payload=payload, payload_hash=digest, created_ms=0
    )
    with pytest.raises(GuardRefused, match="kind"):
        Guard(KEY).seal(Batch(epoch=b"e" * 16, rows=(forged,)))
    with pytest.raises(GuardRefused, match="rows"):
        Guard(KEY).seal(Batch(epoch=b"e" * 16, rows=()))


@pytest.mark.parametrize(
    "values",
    [
        {"queue_percent": 55},
        {"queue_percent": 110},
        {"disk_free_percent": 35},
        {"fallbacks": ("llm: the customer said hello",)},
        {"fallbacks": ("a",) * 17},
        {"note": "hello"},
    ],
)
def test_a_heartbeat_is_coarse_and_has_no_room_for_text(values: dict[str, object]) -> None:
    fields = {"number": 1, "queue_percent": 50, "outbox_rows": 0, "outbox_oldest_seconds": 0} | values
    with pytest.raises(ValidationError):
        Heartbeat.model_validate(fields)


def test_reported_state_holds_codes_only() -> None:
    with pytest.raises(ValidationError):
        ReportedState(
            observed_generation=1,
            applied_generation=0,
            rejected_field="notes",
            rejected_reason="The text is too long",
            models=(),
            documents=0,
            chunks=0,
            devices_online=0,
            software_version="0.1.0",
        )
