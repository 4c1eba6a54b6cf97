"""What a batch must look like before it is believed, and what a bucket of counts says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from cloud_sync.fleet import outbox, telemetry
from cloud_sync.fleet.credit import ROWS_MAX, WIRE_BYTES_MAX, Credit, grant
from cloud_sync.fleet.outbox import Line, Poison, ProtocolFault, Run, UploadFacts, WireRow
from cloud_sync.rpc.uploads import OutboxUpload
from cloud_sync.store.streams import CountRow, RecordRow
from core.signing import content_hash
from postern.v1 import sync_pb2

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EPOCH = b"e" * 16


def _wire(seq: int, payload: bytes = b"{}", kind: str = "k", **changes: Any) -> WireRow:
    return replace(WireRow(seq, 3, kind, payload, content_hash(payload), 1_772_366_400_000), **changes)


def _row(seq: int, payload: bytes = b"{}", kind: str = "k") -> RecordRow:
    return RecordRow(seq, 3, kind, payload, NOW)


def _gap(first: int, last: int, **changes: Any) -> WireRow:
    said = {"first": first, "last": last, "bytes": 9, "outbox_class": "metrics", "reason": "quota"} | changes
    return _wire(last, json.dumps(said).encode(), outbox.GAP_KIND)


def _facts(oldest: int = 1, newest: int = 0, epoch: bytes = EPOCH) -> UploadFacts:
    return UploadFacts(epoch, oldest, newest)


def _sequences(run: Run) -> list[int]:
    return [row.seq for row in run.rows]


@pytest.mark.parametrize(
    ("committed", "rows"),
    [
        (0, [_wire(1)]),
        (4, [_wire(5), _wire(6)]),
        (0, [_wire(n) for n in range(1, 257)]),
        (0, [_gap(1, 9), _wire(10)]),
        (4, [_gap(1, 9), _wire(10)]),  # some of what was dropped had come
        (0, [_wire(1), _gap(1, 4), _gap(5, 5), _wire(6)]),
        (2**63 - 3, [_wire(2**63 - 2)]),
    ],
)
def test_rows_that_follow_are_taken(committed: int, rows: list[WireRow]) -> None:
    line = Line(EPOCH, committed)
    line.add(EPOCH, rows)
    run = line.take()
    assert (run.first, run.last, run.poison, run.astray) == (committed + 1, rows[-1].seq, None, False)
    assert _sequences(run) == [row.seq for row in rows]
    assert line.take() == Run(run.last + 1, run.last, (), None, astray=False)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [_wire(0)],
        [_wire(1), _wire(3)],
        [_wire(2), _wire(1)],
        [_wire(1), _wire(1)],
        [_wire(n) for n in range(1, 258)],
        [_wire(2**63 - 1)],
        [_wire(1), _gap(3, 4)],
    ],
)
def test_batches_that_are_not_believed(rows: list[WireRow]) -> None:
    with pytest.raises(ProtocolFault):
        Line(EPOCH, 0).add(EPOCH, rows)


def test_a_batch_of_another_epoch_is_not_believed() -> None:
    with pytest.raises(ProtocolFault):
        Line(EPOCH, 0).add(b"f" * 16, [_wire(1)])


@pytest.mark.parametrize(
    ("poison", "code"),
    [
        (_wire(3, payload_hash=b""), "hash"),
        (_wire(3, payload_hash=content_hash(b"[]")), "hash"),
        (_wire(3, kind=""), "kind"),
        (_wire(3, kind="k" * 61), "kind"),
        (_wire(3, kind="a\0b"), "kind"),
        (_wire(3, bytes(outbox.PAYLOAD_BYTES_MAX + 1)), "size"),
        (_wire(3, created_ms=-1), "schema"),
        (_wire(3, created_ms=outbox.CREATED_MS_MAX + 1), "schema"),
        (_wire(3, class_code=0), "schema"),
        (_wire(3, class_code=4), "schema"),
        (_gap(4, 3), "schema"),
        (_gap(1, 3, reason="The customer said"), "schema"),
    ],
)
def test_a_row_that_can_never_be_taken_stops_the_line_before_it(poison: WireRow, code: str) -> None:
    line = Line(EPOCH, 0)
    line.add(EPOCH, [_wire(1), _wire(2), poison, _wire(4)])
    line.add(EPOCH, [_wire(5), _wire(6)])
    run = line.take()
    assert (_sequences(run), run.last, run.poison, run.astray) == ([1, 2], 2, Poison(3, code), False)
    line.add(EPOCH, [_wire(7)])  # was on its way, too
    line.add(EPOCH, [_wire(3), _wire(4)])
    line.add(EPOCH, [_wire(5)])
    assert _sequences(line.take()) == [3, 4, 5]


@pytest.mark.parametrize(
    "row",
    [
        _wire(1, bytes(outbox.PAYLOAD_BYTES_MAX)),
        _wire(1, kind="k" * 60),
        _wire(1, created_ms=outbox.CREATED_MS_MAX),
        _wire(1, b"not json", "unknown.kind"),
    ],
)
def test_what_is_just_allowed_is_taken(row: WireRow) -> None:
    line = Line(EPOCH, 0)
    line.add(EPOCH, [row])
    assert _sequences(line.take()) == [1]


def test_a_batch_that_does_not_follow_is_said_once() -> None:
    line = Line(EPOCH, 2)
    line.add(EPOCH, [_wire(1), _wire(2)])
    line.add(EPOCH, [_wire(7)])
    assert line.take() == Run(3, 2, (), None, astray=True)
    line.add(EPOCH, [_wire(8)])
    assert not line.take().astray
    line.add(EPOCH, [_wire(3)])
    line.add(EPOCH, [_wire(9)])
    run = line.take()
    assert (_sequences(run), run.astray) == ([3], True)


@pytest.mark.parametrize(
    "facts",
    [
        _facts(epoch=b""),
        _facts(epoch=b"x" * 17),
        _facts(6, 4),
        _facts(0, 4),
        _facts(0, 0),
        _facts(1, 2**64 - 1),
    ],
)
def test_openings_that_are_not_believed(facts: UploadFacts) -> None:
    with pytest.raises(ProtocolFault):
        outbox.check_opening(facts)


@pytest.mark.parametrize(
    ("committed", "facts", "lost"),
    [
        (0, _facts(), None),
        (0, _facts(1, 9), None),
        (4, _facts(5, 9), None),
        (9, _facts(5, 9), None),  # the last acks were lost
        (9, _facts(10, 9), None),
        (4, _facts(6, 9), (5, 5)),
        (0, _facts(8, 9), (1, 7)),
        (4, _facts(10, 9), (5, 9)),  # an empty outbox whose rows came to a control plane that forgot them
    ],
)
def test_rows_that_neither_side_has(committed: int, facts: UploadFacts, lost: tuple[int, int] | None) -> None:
    outbox.check_opening(facts)
    outbox.check_not_rewound(committed, facts)
    assert outbox.lost_rows(committed, facts) == lost


@pytest.mark.parametrize("facts", [_facts(1, 8), _facts(9, 8)])
def test_a_node_that_went_back_in_time_is_told_so(facts: UploadFacts) -> None:
    with pytest.raises(ProtocolFault, match="newest row is 8"):
        outbox.check_not_rewound(9, facts)


@pytest.mark.parametrize(
    ("uploads", "expected"),
    [
        (0, Credit(4096, 4 * 2**20)),
        (1, Credit(4096, 4 * 2**20)),
        (32, Credit(4096, 4 * 2**20)),
        (64, Credit(2048, 2 * 2**20)),
        (2000, Credit(65, 67108)),
        (10**6, Credit(64, 64 * 2**10)),
    ],
)
def test_credit_is_shared_among_uploads(uploads: int, expected: Credit) -> None:
    assert grant(uploads) == expected


def test_more_than_was_ever_granted_is_not_kept() -> None:
    upload = OutboxUpload(cast("Any", None), "n1", 1, lambda: grant(1), lambda *_: None)
    batch = sync_pb2.OutboxBatch(rows=[sync_pb2.OutboxRow(sequence=n) for n in range(1, 257)])
    for _ in range(ROWS_MAX // 256):
        upload.keep(batch)
    with pytest.raises(ProtocolFault):
        upload.keep(sync_pb2.OutboxBatch(rows=[sync_pb2.OutboxRow(sequence=1)]))
    large = OutboxUpload(cast("Any", None), "n1", 1, lambda: grant(1), lambda *_: None)
    with pytest.raises(ProtocolFault):
        large.keep(sync_pb2.OutboxBatch(rows=[sync_pb2.OutboxRow(payload=bytes(WIRE_BYTES_MAX))]))


def _bucket(**changes: Any) -> RecordRow:
    document = {
        "start_s": 3600,
        "length_s": 3600,
        "counts": {"turns": {"answer": 7, "refuse": None}},
    } | changes
    return _row(1, json.dumps(document).encode(), telemetry.KIND)


def test_a_bucket_is_read_cell_by_cell() -> None:
    start = datetime(1970, 1, 1, 1, tzinfo=UTC)
    expected = (CountRow(start, 3600, "turns.answer", 7), CountRow(start, 3600, "turns.refuse", None))
    assert telemetry.read_counts(_bucket()) == expected
    assert telemetry.read_counts(_bucket(counts={})) == ()


@pytest.mark.parametrize(
    "row",
    [
        _row(1, b"{}", "another.kind"),
        _row(1, b"", telemetry.KIND),
        _row(1, b"[]", telemetry.KIND),
        _bucket(start_s=-1),
        _bucket(start_s=10**18),
        _bucket(length_s=0),
        _bucket(counts={"turns": 3}),
        _bucket(counts={"turns": {"answer": -1}}),
        _bucket(counts={"turns": {"answer": "7"}}),
        _bucket(counts={"turns": {"answer": 10**30}}),
        _bucket(counts={"What the customer said": {"answer": 7}}),
        _bucket(counts={"turns": {f"c{n}": 5 for n in range(telemetry.CELLS_MAX + 1)}}),
    ],
)
def test_what_is_no_bucket_has_no_effect(row: RecordRow) -> None:
    assert telemetry.read_counts(row) is None
