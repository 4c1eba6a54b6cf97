"""The rules of a stream as tables, and against a model of the control plane under cuts, repeats and delays."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.egress.records import Batch, Heartbeat, Hello, ModelState, ReportedState, Row
from edge.sync.desired import DesiredDocument, DesiredRefused, Progress
from edge.sync.events import (
    Acknowledge,
    Apply,
    BeatEvery,
    Connected,
    DesiredSettled,
    Disconnect,
    Effect,
    Event,
    FactsChanged,
    HeartbeatDue,
    NodeFacts,
    Outbox,
    OutboxGrew,
    ReadRows,
    Reject,
    RowsRead,
    Send,
)
from edge.sync.frames import DesiredState, Farewell, Goodbye, HeartbeatAck, OutboxAck, Welcome
from edge.sync.session import Phase, Session, settled

EPOCH = b"e" * 16
FACTS = NodeFacts("0.1.0")
WELCOME = Welcome(
    committed_sequence=0, heartbeat_interval_ms=15_000, batch_rows_max=256, batch_bytes_max=1 << 20
)


def _row(sequence: int) -> Row:
    payload = b'{"software_version":"0.1.0"}'
    digest = hashlib.sha256(payload).digest()
    return Row(
        sequence=sequence,
        outbox_class=2,
        kind="node.started",
        payload=payload,
        payload_hash=digest,
        created_ms=0,
    )


def _outbox(newest: int = 0, oldest: int = 1) -> Outbox:
    return Outbox(EPOCH, newest - oldest + 1 if newest else 0, oldest if newest else 0, newest)


def _streaming(newest: int = 10, progress: Progress | None = None, committed: int = 0) -> Session:
    session = Session(_outbox(newest), FACTS, progress or Progress())
    session.receive(Connected())
    session.receive(replace(WELCOME, committed_sequence=committed))
    return session


def _desired(generation: int, document: bytes = b"{}") -> DesiredState:
    return DesiredState(generation, hashlib.sha256(document).digest(), document)


def _frames(effects: list[Effect]) -> list[object]:
    return [effect.frame for effect in effects if isinstance(effect, Send)]


def test_the_node_speaks_first_and_says_what_it_holds() -> None:
    session = Session(_outbox(newest=9, oldest=4), FACTS, Progress(3, 2, b"h" * 32))
    (hello,) = _frames(session.receive(Connected()))
    assert isinstance(hello, Hello)
    assert (hello.oldest_sequence, hello.newest_sequence) == (4, 9)
    assert (hello.applied_generation, hello.applied_hash) == (2, b"h" * 32)


def test_an_empty_outbox_is_zero_and_zero() -> None:
    session = Session(Outbox(EPOCH, 0, 17, 17), FACTS, Progress())
    (hello,) = _frames(session.receive(Connected()))
    assert isinstance(hello, Hello)
    assert (hello.oldest_sequence, hello.newest_sequence) == (0, 0)


def test_a_welcome_starts_everything() -> None:
    session = Session(_outbox(10), FACTS, Progress())
    session.receive(Connected())
    effects = session.receive(replace(WELCOME, committed_sequence=4))
    assert effects[0] == BeatEvery(15_000)
    assert effects[1] == Acknowledge(EPOCH, 4)
    assert isinstance(_frames(effects)[0], ReportedState)
    assert effects[-1] == ReadRows(4, 256, 900_000)


def test_limits_of_a_welcome_are_bounded() -> None:
    session = Session(_outbox(10), FACTS, Progress())
    session.receive(Connected())
    effects = session.receive(Welcome(0, heartbeat_interval_ms=1, batch_rows_max=100_000, batch_bytes_max=0))
    assert effects[0] == BeatEvery(1_000)
    assert effects[-1] == ReadRows(0, 256, 900_000)


def test_two_batches_are_in_flight_and_the_third_waits() -> None:
    session = _streaming()
    first = session.receive(RowsRead(0, (_row(1), _row(2))))
    assert first[-1] == ReadRows(2, 256, 900_000)
    assert session.receive(RowsRead(2, (_row(3),)))[1:] == []
    effects = session.receive(OutboxAck(EPOCH, 2))
    assert effects == [Acknowledge(EPOCH, 2), ReadRows(3, 256, 900_000)]


def test_nothing_is_read_until_something_is_written() -> None:
    session = _streaming(newest=0)
    assert session.receive(RowsRead(0, ())) == []
    assert session.receive(OutboxGrew()) == [ReadRows(0, 256, 900_000)]
    assert session.receive(OutboxGrew()) == []


def test_late_and_repeated_acknowledgements_do_nothing() -> None:
    session = _streaming()
    session.receive(RowsRead(0, (_row(1), _row(2))))
    session.receive(OutboxAck(EPOCH, 2))
    assert session.receive(OutboxAck(EPOCH, 2)) == []
    assert session.receive(OutboxAck(EPOCH, 1)) == []


def test_acknowledgements_that_cannot_be_true_end_the_stream() -> None:
    for ack, reason in (
        (OutboxAck(EPOCH, 3), "ack_of_unsent_rows"),
        (OutboxAck(b"f" * 16, 1), "ack_of_other_epoch"),
    ):
        session = _streaming()
        session.receive(RowsRead(0, (_row(1), _row(2))))
        assert session.receive(ack) == [Disconnect(reason, 60_000)]
        assert session.receive(OutboxAck(EPOCH, 1)) == []


def test_a_store_older_than_the_control_plane_stops_loudly() -> None:
    session = Session(_outbox(10), FACTS, Progress())
    session.receive(Connected())
    effects = session.receive(replace(WELCOME, committed_sequence=11))
    assert effects == [Disconnect("outbox_behind_control_plane", 60_000)]


def test_frames_before_the_welcome_end_the_stream() -> None:
    for frame in (OutboxAck(EPOCH, 1), _desired(1), HeartbeatAck(1)):
        session = Session(_outbox(10), FACTS, Progress())
        session.receive(Connected())
        assert session.receive(frame) == [Disconnect("no_welcome", 60_000)]


def test_a_second_welcome_rewinds() -> None:
    session = _streaming()
    session.receive(RowsRead(0, (_row(1), _row(2))))
    session.receive(RowsRead(2, (_row(3),)))
    effects = session.receive(replace(WELCOME, committed_sequence=1))
    assert effects == [Acknowledge(EPOCH, 1), ReadRows(1, 256, 900_000)]


def test_rows_read_for_a_place_that_was_left_are_dropped() -> None:
    session = _streaming()
    session.receive(RowsRead(0, (_row(1),)))
    session.receive(replace(WELCOME, committed_sequence=0))
    assert session.receive(RowsRead(1, (_row(2),))) == [ReadRows(0, 256, 900_000)]


def test_a_gap_asks_for_a_new_hello() -> None:
    assert _streaming().receive(RowsRead(0, (_row(5),))) == [Disconnect("outbox_gap")]


def test_heartbeats_are_coarse_and_two_unanswered_ones_end_the_link() -> None:
    session = _streaming()
    session.receive(
        FactsChanged(replace(FACTS, queue_percent=34.9, fallbacks=("llm:slow",) * 20, disk_free_percent=39.9))
    )
    (beat,) = _frames(session.receive(HeartbeatDue(_outbox(10))))
    assert isinstance(beat, Heartbeat)
    assert (beat.number, beat.queue_percent, len(beat.fallbacks)) == (1, 30, 16)
    assert beat.disk_free_percent == 30
    session.receive(HeartbeatAck(1))
    session.receive(HeartbeatDue(_outbox(10)))
    session.receive(HeartbeatDue(_outbox(10)))
    assert session.receive(HeartbeatDue(_outbox(10))) == [Disconnect("heartbeats_unanswered")]


def test_facts_are_reported_when_they_change_and_only_then() -> None:
    session = _streaming()
    model = ModelState(name="m", version="1", runtime="onnxruntime", device="CPU")
    changed = replace(FACTS, models=(model,), documents=3)
    (report,) = _frames(session.receive(FactsChanged(changed)))
    assert isinstance(report, ReportedState)
    assert (report.documents, report.models) == (3, (model,))
    assert session.receive(FactsChanged(replace(changed, queue_percent=80.0))) == []


def test_goodbyes_carry_their_pause() -> None:
    for reason, asked, pause in (
        (Farewell.SHUTDOWN, 1_000, 1_000),
        (Farewell.BUSY, 5_000, 5_000),
        (Farewell.REPLACED, 0, 30_000),
        (Farewell.REVOKED, 60_000, 600_000),
        (Farewell.UNKNOWN, 0, 0),
    ):
        assert _streaming().receive(Goodbye(reason, asked)) == [Disconnect(f"goodbye_{reason}", pause)]


# Desired state.


def test_a_newer_document_is_applied_and_reported() -> None:
    session = _streaming()
    frame = _desired(3, b'{"answer_mode":"generative"}')
    assert session.receive(frame) == [Apply(frame, DesiredDocument(answer_mode="generative"))]
    (report,) = _frames(session.receive(DesiredSettled(settled(Progress(), frame, None))))
    assert isinstance(report, ReportedState)
    assert (report.observed_generation, report.applied_generation, report.rejected_field) == (3, 3, "")


def test_what_cannot_be_run_is_named_and_the_last_good_stays() -> None:
    good = Progress(2, 2, b"h" * 32)
    table = [
        (_desired(3, b'{"answer_mode":"overflow"}'), "answer_mode", "literal_error"),
        (_desired(3, b'{"shell":"rm -rf /"}'), "shell", "extra_forbidden"),
        (_desired(3, b'{"heartbeat_s":1}'), "heartbeat_s", "greater_than_equal"),
        (_desired(3, b"not json"), "document", "json_invalid"),
        (_desired(1), "generation", "older_than_observed"),
        (_desired(2), "generation", "reused"),
        (replace(_desired(3), hash=bytes(32)), "hash", "mismatch"),
        (_desired(3, b'{"notes":"' + b"x" * 70_000 + b'"}'), "document", "too_long"),
    ]
    for frame, field, reason in table:
        session = _streaming(progress=good)
        assert session.receive(frame) == [Reject(frame, field, reason)], field
        progress = settled(good, frame, DesiredRefused(field, reason))
        (report,) = _frames(session.receive(DesiredSettled(progress)))
        assert isinstance(report, ReportedState)
        assert (report.applied_generation, report.rejected_field, report.rejected_reason) == (
            2,
            field,
            reason,
        )


def test_a_field_name_cannot_carry_words_back() -> None:
    frame = _desired(3, b'{"Mrs Miller, 555-0199":1}')
    (effect,) = _streaming().receive(frame)
    assert effect == Reject(frame, "mrs_miller__555_0199", "extra_forbidden")


def test_a_forged_hash_does_not_move_what_was_observed() -> None:
    progress = settled(Progress(2, 2, b"h" * 32), _desired(9), DesiredRefused("hash", "mismatch"))
    assert progress.observed_generation == 2


def test_what_is_known_is_only_reported_again() -> None:
    frame = _desired(3)
    session = _streaming(progress=Progress(3, 3, frame.hash))
    assert [type(effect) for effect in session.receive(frame)] == [Send]
    rejected = Progress(3, 2, b"h" * 32, rejected_hash=frame.hash, rejected_field="x", rejected_reason="y")
    assert [type(effect) for effect in _streaming(progress=rejected).receive(frame)] == [Send]


def test_one_document_at_a_time_and_the_newest_next() -> None:
    session = _streaming()
    first, second, third = _desired(1), _desired(2), _desired(3)
    session.receive(first)
    assert session.receive(second) == []
    assert session.receive(third) == []
    effects = session.receive(DesiredSettled(settled(Progress(), first, None)))
    assert effects[-1] == Apply(third, DesiredDocument())


# Nothing lost, nothing doubled.


class _ModelCloud:
    """The promise of the control plane: a watermark that moves with the rows, or not at all."""

    def __init__(self) -> None:
        self.committed = 0
        self.records: list[int] = []

    def receive(self, batch: Batch) -> Event:
        sequences = [row.sequence for row in batch.rows]
        if sequences[0] != self.committed + 1:
            return replace(WELCOME, committed_sequence=self.committed)
        self.records += sequences
        self.committed = sequences[-1]
        return OutboxAck(EPOCH, self.committed)


class _Node:
    """A store in a list, and a session over a wire that the test may cut at any moment."""

    def __init__(self, cloud: _ModelCloud) -> None:
        self.cloud = cloud
        self.written = 0
        self.kept: deque[int] = deque()
        self.connect()

    def write(self, rows: int) -> None:
        self.kept.extend(range(self.written + 1, self.written + rows + 1))
        self.written += rows

    def connect(self) -> None:
        oldest = self.kept[0] if self.kept else self.written
        self.session = Session(Outbox(EPOCH, len(self.kept), oldest, self.written), FACTS, Progress())
        self.up: deque[Batch] = deque()
        self.down: deque[Event] = deque()
        self.work: deque[ReadRows] = deque()
        self.do(Connected())
        self.do(replace(WELCOME, committed_sequence=self.cloud.committed))

    def do(self, event: Event) -> None:
        for effect in self.session.receive(event):
            match effect:
                case Send(frame=Batch() as batch):
                    self.up.append(batch)
                case ReadRows():
                    self.work.append(effect)
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
            self.do(RowsRead(wanted.after, tuple(map(_row, rows))))
        elif action == "arrive" and self.up:
            self.down.append(self.cloud.receive(self.up.popleft()))
        elif action == "repeat" and self.up:
            self.down.append(self.cloud.receive(self.up[0]))
        elif action == "answer" and self.down:
            self.do(self.down.popleft())
        elif action == "old_answer" and self.down:
            self.do(self.down[0])
        elif action == "cut":
            self.connect()

    def drain(self) -> None:
        self.connect()
        for _ in range(20 * self.written + 20):
            for action in ("read", "arrive", "answer"):
                self.step(action, 3)
            if self.session.phase is Phase.CLOSED:
                self.connect()


ACTIONS = st.sampled_from(["write", "read", "arrive", "answer", "cut", "repeat", "old_answer"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(1, 4)), max_size=60))
def test_every_row_arrives_once_and_in_order_whatever_happens(steps: list[tuple[str, int]]) -> None:
    cloud = _ModelCloud()
    node = _Node(cloud)
    for action, size in steps:
        node.step(action, size)
        if node.session.phase is Phase.CLOSED:
            node.connect()
    node.drain()
    assert cloud.records == list(range(1, node.written + 1))
    assert not node.kept
