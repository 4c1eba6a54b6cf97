"""The rules of an upload as tables, and against a model of the control plane under cuts, repeats, poison and delays."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from core.signing import canonical_json
from edge.egress.records.schemas import Batch, Row, UploadOpen
from edge.sync.events import (
    Acknowledge,
    Bury,
    Disconnect,
    Effect,
    Outbox,
    OutboxGrew,
    ReadRows,
    RowBuried,
    RowsRead,
    Send,
    UploadEvent,
)
from edge.sync.frames import Credit, OutboxAck, OutboxNack, UploadReady
from edge.sync.upload_session import BATCHES_IN_FLIGHT_MAX, UploadSession

EPOCH = b"e" * 16
CREDIT = Credit(4096, 4 << 20)
READY = UploadReady(committed_sequence=0, batch_rows_max=256, batch_bytes_max=1 << 20, credit=CREDIT)


def _row(sequence: int, kind: str = "node.started", payload: bytes = b'{"software_version":"0.1.0"}') -> Row:
    digest = hashlib.sha256(payload).digest()
    return Row(
        sequence=sequence,
        outbox_class=2,
        kind=kind,
        payload=payload,
        payload_hash=digest,
        created_ms=0,
    )


def _gap(first: int, last: int) -> Row:
    said = {"first": first, "last": last, "bytes": 9, "outbox_class": "metrics", "reason": "quota"}
    return _row(last, "outbox.gap", canonical_json(said))


def _outbox(newest: int = 0, oldest: int = 1) -> Outbox:
    return Outbox(EPOCH, newest - oldest + 1, oldest, newest)


def _ready(newest: int = 10, **changes: object) -> UploadSession:
    session = UploadSession(_outbox(newest), 7)
    session.begin()
    session.receive(replace(READY, **changes))  # type: ignore[arg-type]
    return session


def _ack(sequence: int, credit: Credit = CREDIT) -> OutboxAck:
    return OutboxAck(EPOCH, sequence, credit)


def _nack(sequence: int, code: str = "hash") -> OutboxNack:
    return OutboxNack(EPOCH, sequence, code)


def _reads(effects: list[Effect]) -> list[ReadRows]:
    return [effect for effect in effects if isinstance(effect, ReadRows)]


def test_the_node_says_which_stream_it_belongs_to_and_what_it_can_send() -> None:
    (send,) = UploadSession(_outbox(newest=9, oldest=4), 7).begin()
    assert isinstance(send, Send)
    assert isinstance(send.frame, UploadOpen)
    said = send.frame
    assert (said.stream_generation, said.oldest_sequence, said.newest_sequence) == (7, 4, 9)


def test_it_goes_on_where_the_control_plane_is() -> None:
    session = UploadSession(_outbox(10), 7)
    session.begin()
    effects = session.receive(replace(READY, committed_sequence=4))
    assert effects == [Acknowledge(EPOCH, 4), ReadRows(4, 256, 900_000)]


def test_limits_are_bounded() -> None:
    for ready, read in (
        (replace(READY, batch_rows_max=100_000, batch_bytes_max=0), ReadRows(0, 256, 900_000)),
        (replace(READY, batch_rows_max=10, batch_bytes_max=70_000), ReadRows(0, 10, 70_000)),
        (replace(READY, credit=Credit(0, 0)), ReadRows(0, 1, 1)),
        (replace(READY, credit=Credit(100, 50_000)), ReadRows(0, 100, 50_000)),
    ):
        session = UploadSession(_outbox(10), 7)
        session.begin()
        assert session.receive(ready) == [read]


def test_no_more_is_under_way_than_there_is_credit_for() -> None:
    session = _ready(credit=Credit(3, 1 << 20))
    assert session.receive(RowsRead(0, (_row(1), _row(2))))[-1] == ReadRows(2, 1, 900_000)
    assert session.receive(RowsRead(2, (_row(3),)))[1:] == []
    assert session.receive(_ack(2, Credit(5, 1 << 20))) == [Acknowledge(EPOCH, 2), ReadRows(3, 4, 900_000)]


def test_credit_counts_bytes() -> None:
    large = _row(1, payload=bytes(12_000))
    for credit, more in ((12_000 + 17 * 1024 - 1, []), (12_000 + 17 * 1024, [ReadRows(1, 256, 17 * 1024)])):
        session = _ready(credit=Credit(4096, credit))
        assert _reads(session.receive(RowsRead(0, (large,)))) == more


def test_batches_in_flight_are_as_many_as_the_courier_holds() -> None:
    session = _ready(newest=100)
    for sequence in range(1, BATCHES_IN_FLIGHT_MAX):
        assert _reads(session.receive(RowsRead(sequence - 1, (_row(sequence),)))) != []
    last = session.receive(RowsRead(BATCHES_IN_FLIGHT_MAX - 1, (_row(BATCHES_IN_FLIGHT_MAX),)))
    assert _reads(last) == []
    assert _reads(session.receive(_ack(1))) != []


def test_nothing_is_read_until_something_is_written() -> None:
    session = _ready(newest=0)
    assert session.receive(RowsRead(0, ())) == []
    assert session.receive(OutboxGrew()) == [ReadRows(0, 256, 900_000)]
    assert session.receive(OutboxGrew()) == []


def test_rows_that_come_before_the_answer_wait_for_it() -> None:
    session = UploadSession(_outbox(0), 7)
    session.begin()
    assert session.receive(OutboxGrew()) == []
    assert session.receive(READY) == [ReadRows(0, 256, 900_000)]


def test_late_and_repeated_acknowledgements_do_nothing() -> None:
    session = _ready()
    session.receive(RowsRead(0, (_row(1), _row(2))))
    session.receive(RowsRead(2, ()))
    session.receive(_ack(2))
    assert session.receive(_ack(2)) == []
    assert session.receive(_ack(1)) == []


def test_what_cannot_be_true_ends_the_upload() -> None:
    for frame, reason in (
        (_ack(3), "ack_of_unsent_rows"),
        (OutboxAck(b"f" * 16, 1, CREDIT), "ack_of_other_epoch"),
        (_nack(3), "nack_of_unsent_row"),
        (_nack(0), "nack_of_unsent_row"),
        (OutboxNack(b"f" * 16, 1, "hash"), "nack_of_other_epoch"),
        (replace(READY, committed_sequence=3), "ready_out_of_range"),
    ):
        session = _ready()
        session.receive(RowsRead(0, (_row(1), _row(2))))
        assert session.receive(frame) == [Disconnect(reason, 60_000)]
        assert session.receive(_ack(1)) == []


def test_frames_before_the_answer_end_the_upload() -> None:
    for frame in (_ack(0), _nack(1)):
        session = UploadSession(_outbox(10), 7)
        session.begin()
        assert session.receive(frame) == [Disconnect("upload_not_ready", 60_000)]


def test_a_store_older_than_the_control_plane_stops_loudly() -> None:
    session = UploadSession(_outbox(10), 7)
    session.begin()
    effects = session.receive(replace(READY, committed_sequence=11))
    assert effects == [Disconnect("outbox_behind_control_plane", 60_000)]


def test_a_second_answer_rewinds() -> None:
    session = _ready()
    session.receive(RowsRead(0, (_row(1), _row(2))))
    session.receive(RowsRead(2, (_row(3),)))
    session.receive(RowsRead(3, ()))
    effects = session.receive(replace(READY, committed_sequence=1))
    assert effects == [Acknowledge(EPOCH, 1), ReadRows(1, 256, 900_000)]


def test_rows_read_for_a_place_that_was_left_are_dropped() -> None:
    session = _ready()
    session.receive(RowsRead(0, (_row(1),)))
    session.receive(replace(READY, committed_sequence=0))
    assert session.receive(RowsRead(1, (_row(2),))) == [ReadRows(0, 256, 900_000)]


def test_a_gap_without_a_record_asks_for_a_new_upload() -> None:
    assert _ready().receive(RowsRead(0, (_row(5),))) == [Disconnect("outbox_gap")]
    assert _ready().receive(RowsRead(0, (_gap(2, 5),))) == [Disconnect("outbox_gap")]


def test_a_record_of_what_was_dropped_takes_its_place() -> None:
    for committed, gap in ((0, _gap(1, 5)), (3, _gap(4, 5))):
        effects = _ready(committed_sequence=committed).receive(RowsRead(committed, (gap, _row(6))))
        assert effects[0] == Send(Batch(epoch=EPOCH, rows=(gap, _row(6))))
    # Sent before they were dropped: the record stands for rows on both sides of the place.
    session = _ready()
    session.receive(RowsRead(0, (_row(1), _row(2))))
    assert session.receive(RowsRead(2, (_gap(2, 4),)))[0] == Send(Batch(epoch=EPOCH, rows=(_gap(2, 4),)))


def test_a_refused_row_is_buried_and_the_line_goes_on() -> None:
    session = _ready()
    session.receive(RowsRead(0, (_row(1), _row(2), _row(3))))
    session.receive(RowsRead(3, (_row(4),)))
    session.receive(RowsRead(4, ()))
    assert session.receive(_nack(2)) == [Acknowledge(EPOCH, 1), Bury(2, "hash")]
    assert session.receive(OutboxGrew()) == []
    assert session.receive(RowBuried(2, done=True)) == [ReadRows(1, 256, 900_000)]


def test_codes_that_this_version_does_not_know_are_kept_as_one() -> None:
    for code, kept in (("size", "size"), ("the customer's words", "other"), ("", "other")):
        session = _ready()
        session.receive(RowsRead(0, (_row(1),)))
        assert session.receive(_nack(1, code))[-1] == Bury(1, kept)


def test_a_refused_tombstone_ends_the_upload() -> None:
    session = _ready()
    session.receive(RowsRead(0, (_row(1),)))
    session.receive(_nack(1))
    assert session.receive(RowBuried(1, done=False)) == [Disconnect("tombstone_refused", 60_000)]


# Nothing lost, nothing doubled.


class _ModelCloud:
    """The promise of the control plane: a watermark that moves with the rows, or not at all."""

    def __init__(self, poison: frozenset[int]) -> None:
        self.committed = 0
        self.records: list[int] = []
        self.passing = False
        self.poison = poison

    def receive(self, batch: Batch) -> list[UploadEvent]:
        if batch.rows[0].sequence != self.committed + 1:
            answer = [] if self.passing else [replace(READY, committed_sequence=self.committed)]
            self.passing = True
            return list(answer)
        self.passing = False
        for row in batch.rows:
            if row.sequence in self.poison and row.kind != "outbox.refused":
                self.passing = True
                return [_ack(self.committed), _nack(row.sequence)]
            self.records.append(row.sequence)
            self.committed = row.sequence
        return [_ack(self.committed)]


class _Node:
    """A store in a list, and a session over a wire that the test may cut at any moment."""

    def __init__(self, cloud: _ModelCloud) -> None:
        self.cloud = cloud
        self.written = 0
        self.kept: deque[int] = deque()
        self.buried: set[int] = set()
        self.connect()

    def write(self, rows: int) -> None:
        self.kept.extend(range(self.written + 1, self.written + rows + 1))
        self.written += rows

    def connect(self) -> None:
        oldest = self.kept[0] if self.kept else self.written + 1
        self.session = UploadSession(Outbox(EPOCH, len(self.kept), oldest, self.written), 1)
        self.ended = self.cloud.passing = False
        self.up: deque[Batch] = deque()
        self.down: deque[UploadEvent] = deque()
        self.work: deque[ReadRows] = deque()
        self.session.begin()
        self.do(replace(READY, committed_sequence=self.cloud.committed))

    def do(self, event: UploadEvent) -> None:
        for effect in self.session.receive(event):
            match effect:
                case Send(frame=Batch() as batch):
                    self.up.append(batch)
                case ReadRows():
                    self.work.append(effect)
                case Bury(sequence=sequence):
                    self.buried.add(sequence)
                    self.do(RowBuried(sequence, done=True))
                case Disconnect():
                    self.ended = True
                case Acknowledge(sequence=sequence):
                    assert sequence <= self.cloud.committed, "deleted before it was committed"
                    while self.kept and self.kept[0] <= sequence:
                        self.kept.popleft()

    def step(self, action: str, size: int) -> None:
        if action == "write":
            self.write(size)
            self.do(OutboxGrew())
        elif action == "read" and self.work:
            wanted = self.work.popleft()
            rows = [number for number in self.kept if number > wanted.after][:size]
            self.do(RowsRead(wanted.after, tuple(map(self.row, rows))))
        elif action == "arrive" and self.up:
            self.down.extend(self.cloud.receive(self.up.popleft()))
        elif action == "repeat" and self.up:
            self.down.extend(self.cloud.receive(self.up[0]))
        elif action == "answer" and self.down:
            self.do(self.down.popleft())
        elif action == "old_answer" and self.down:
            self.do(self.down[0])
        elif action == "cut":
            self.connect()

    def row(self, sequence: int) -> Row:
        return _row(sequence, "outbox.refused" if sequence in self.buried else "node.started")

    def drain(self) -> None:
        self.connect()
        for _ in range(20 * self.written + 20):
            for action in ("read", "arrive", "answer"):
                self.step(action, 3)
            if self.ended:
                self.connect()


ACTIONS = st.sampled_from(["write", "read", "arrive", "answer", "cut", "repeat", "old_answer"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(ACTIONS, st.integers(1, 4)), max_size=60),
    st.frozensets(st.integers(1, 20), max_size=3),
)
def test_every_row_arrives_once_and_in_order_whatever_happens(
    steps: list[tuple[str, int]], poison: frozenset[int]
) -> None:
    cloud = _ModelCloud(poison)
    node = _Node(cloud)
    for action, size in steps:
        node.step(action, size)
        if node.ended:
            node.connect()
    node.drain()
    assert cloud.records == list(range(1, node.written + 1))
    assert node.buried == {sequence for sequence in poison if sequence <= node.written}
    assert not node.kept
