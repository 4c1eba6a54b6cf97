"""What a batch must look like before it is believed, and what a bucket of counts says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cloud_sync.fleet import outbox, telemetry
from cloud_sync.fleet.outbox import HashedRow, HelloFacts, ProtocolFault
from cloud_sync.store.streams import CountRow, RecordRow
from core.signing import content_hash

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EPOCH = b"e" * 16


def _row(seq: int, payload: bytes = b"{}", kind: str = "k") -> HashedRow:
    return HashedRow(RecordRow(seq, 3, kind, payload, NOW), content_hash(payload))


def _hello(oldest: int = 0, newest: int = 0, epoch: bytes = EPOCH) -> HelloFacts:
    return HelloFacts(epoch, oldest, newest, "1")


@pytest.mark.parametrize("rows", [[_row(1)], [_row(5), _row(6)], [_row(n) for n in range(1, 257)]])
def test_batches_that_are_believed(rows: list[HashedRow]) -> None:
    outbox.check_batch(EPOCH, EPOCH, rows)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [_row(0)],
        [_row(1), _row(3)],
        [_row(2), _row(1)],
        [_row(1), _row(1)],
        [_row(n) for n in range(1, 258)],
        [_row(2**64 - 1)],
        [HashedRow(_row(1).row, b"")],
        [HashedRow(_row(1, b"{}").row, content_hash(b"[]"))],
    ],
)
def test_batches_that_are_not(rows: list[HashedRow]) -> None:
    with pytest.raises(ProtocolFault):
        outbox.check_batch(EPOCH, EPOCH, rows)


def test_a_batch_of_another_epoch_is_not_believed() -> None:
    with pytest.raises(ProtocolFault):
        outbox.check_batch(EPOCH, b"f" * 16, [_row(1)])


@pytest.mark.parametrize(
    "hello",
    [
        _hello(epoch=b""),
        _hello(epoch=b"x" * 17),
        _hello(5, 4),
        _hello(0, 4),
        _hello(4, 0),
        _hello(1, 2**64 - 1),
    ],
)
def test_hellos_that_are_not_believed(hello: HelloFacts) -> None:
    with pytest.raises(ProtocolFault):
        outbox.check_hello(hello)


@pytest.mark.parametrize(
    ("committed", "hello", "lost"),
    [
        (0, _hello(), None),
        (0, _hello(1, 9), None),
        (4, _hello(5, 9), None),
        (9, _hello(5, 9), None),  # the last acks were lost
        (4, _hello(6, 9), (5, 5)),
        (0, _hello(8, 9), (1, 7)),
    ],
)
def test_rows_that_neither_side_has(committed: int, hello: HelloFacts, lost: tuple[int, int] | None) -> None:
    outbox.check_hello(hello)
    outbox.check_not_rewound(committed, hello)
    assert outbox.lost_rows(committed, hello) == lost


def test_a_node_that_went_back_in_time_is_told_so() -> None:
    with pytest.raises(ProtocolFault, match="newest row is 4"):
        outbox.check_not_rewound(9, _hello(1, 4))


def _bucket(**changes: Any) -> RecordRow:
    document = {
        "start_s": 3600,
        "length_s": 3600,
        "counts": {"turns": {"answer": 7, "refuse": None}},
    } | changes
    return _row(1, json.dumps(document).encode(), telemetry.KIND).row


def test_a_bucket_is_read_cell_by_cell() -> None:
    start = datetime(1970, 1, 1, 1, tzinfo=UTC)
    expected = (CountRow(start, 3600, "turns.answer", 7), CountRow(start, 3600, "turns.refuse", None))
    assert telemetry.read_counts(_bucket()) == expected
    assert telemetry.read_counts(_bucket(counts={})) == ()


@pytest.mark.parametrize(
    "row",
    [
        _row(1, b"{}", "another.kind").row,
        _row(1, b"", telemetry.KIND).row,
        _row(1, b"[]", telemetry.KIND).row,
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
