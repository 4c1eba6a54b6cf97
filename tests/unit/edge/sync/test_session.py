"""The rules of a control stream as tables."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from edge.egress.records.schemas import Heartbeat, Hello, ModelState, ReportedState
from edge.sync.desired import DesiredDocument, DesiredRefused, Progress
from edge.sync.events import (
    Apply,
    BeatEvery,
    BeginUpload,
    Connected,
    DesiredSettled,
    Disconnect,
    Effect,
    FactsChanged,
    HeartbeatDue,
    NodeFacts,
    Outbox,
    Reject,
    Send,
)
from edge.sync.frames import DesiredState, Farewell, Goodbye, HeartbeatAck, Welcome
from edge.sync.session import Session, settled

EPOCH = b"e" * 16
FACTS = NodeFacts("0.1.0")
WELCOME = Welcome(stream_generation=7, heartbeat_interval_ms=15_000)


OUTBOX = Outbox(EPOCH, 10, 1, 10)


def _streaming(progress: Progress | None = None) -> Session:
    session = Session(FACTS, progress or Progress())
    session.receive(Connected())
    session.receive(WELCOME)
    return session


def _desired(generation: int, document: bytes = b"{}") -> DesiredState:
    return DesiredState(generation, hashlib.sha256(document).digest(), document)


def _frames(effects: list[Effect]) -> list[object]:
    return [effect.frame for effect in effects if isinstance(effect, Send)]


def test_the_node_speaks_first() -> None:
    session = Session(FACTS, Progress(3, 2, b"h" * 32))
    (hello,) = _frames(session.receive(Connected()))
    assert isinstance(hello, Hello)
    assert (hello.applied_generation, hello.applied_hash) == (2, b"h" * 32)
    assert session.receive(Connected()) == []


def test_a_welcome_starts_everything() -> None:
    session = Session(FACTS, Progress())
    session.receive(Connected())
    effects = session.receive(WELCOME)
    assert effects[:2] == [BeatEvery(15_000), BeginUpload(7)]
    assert isinstance(_frames(effects)[0], ReportedState)


def test_the_interval_of_a_welcome_is_bounded() -> None:
    for asked, kept in ((1, 1_000), (1_000, 1_000), (300_000, 300_000), (300_001, 300_000)):
        session = Session(FACTS, Progress())
        session.receive(Connected())
        assert session.receive(Welcome(1, asked))[0] == BeatEvery(kept)


def test_a_welcome_comes_once_and_after_hello() -> None:
    assert _streaming().receive(WELCOME) == [Disconnect("unexpected_welcome", 60_000)]
    assert Session(FACTS, Progress()).receive(WELCOME) == [Disconnect("unexpected_welcome", 60_000)]


def test_frames_before_the_welcome_end_the_stream() -> None:
    for frame in (_desired(1), HeartbeatAck(1)):
        session = Session(FACTS, Progress())
        session.receive(Connected())
        assert session.receive(frame) == [Disconnect("no_welcome", 60_000)]


def test_heartbeats_are_coarse_and_two_unanswered_ones_end_the_link() -> None:
    session = _streaming()
    session.receive(
        FactsChanged(replace(FACTS, queue_percent=34.9, fallbacks=("llm:slow",) * 20, disk_free_percent=39.9))
    )
    (beat,) = _frames(session.receive(HeartbeatDue(OUTBOX, 0.0)))
    assert isinstance(beat, Heartbeat)
    assert (beat.number, beat.queue_percent, len(beat.fallbacks)) == (1, 30, 16)
    assert beat.disk_free_percent == 30
    session.receive(HeartbeatAck(1, 0.1))
    session.receive(HeartbeatDue(OUTBOX, 10.0))
    session.receive(HeartbeatDue(OUTBOX, 20.0))
    assert len(_frames(session.receive(HeartbeatDue(OUTBOX, 30.0)))) == 1
    assert session.receive(HeartbeatDue(OUTBOX, 40.0)) == [Disconnect("heartbeats_unanswered")]


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
