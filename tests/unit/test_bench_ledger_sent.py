"""What a tap heard is held against the ledger: a message that nobody had announced is found, whole or cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge.egress.courier.leaves import close_of, intent_of
from edge.egress.envelope import Envelope, Purpose
from edge.egress.ledger import Draft, Leaf
from edge.egress.ledger.leaf_types import ended_unknown
from postern.v1 import overflow_pb2, sync_pb2, witness_pb2
from tests.bench import ledger_kills
from tests.bench.egress_tap import DATA_FRAME, HEAD_BYTES, PREFACE, Heard
from tests.bench.ledger_sent import (
    Compared,
    Said,
    compare,
    is_framing,
    open_of,
    outcomes_of,
    rows_in,
    said_in,
)

ROWS = [sync_pb2.OutboxRow(sequence=1, kind="knowledge.changed", payload=b"{}")]
BATCH = sync_pb2.UploadRequest(outbox_batch=sync_pb2.OutboxBatch(epoch=b"e" * 16, rows=ROWS))
ENVELOPES = [
    Envelope(bytes([number]) * 16, Purpose.RECORDS, "outbox_batch", payload, salt=bytes([number]) * 32)
    for number, payload in enumerate((BATCH.SerializeToString(), BATCH.SerializeToString(), b"another"))
]
FRAMING = (
    sync_pb2.ConnectRequest(hello=sync_pb2.Hello(software_version="1", applied_generation=3)),
    sync_pb2.ConnectRequest(heartbeat=sync_pb2.Heartbeat(number=1, fallbacks=["a"])),
    sync_pb2.UploadRequest(upload_open=sync_pb2.UploadOpen(epoch=b"e" * 16, newest_sequence=4)),
    witness_pb2.AddCheckpointRequest(old_size=1, checkpoint=b"note", log_key=b"k" * 32),
)
NOT_FRAMING = (
    BATCH,
    sync_pb2.ConnectRequest(reported_state=sync_pb2.ReportedState(documents=3)),
    overflow_pb2.GenerateRequest(messages=[overflow_pb2.OverflowMessage(role="user")], max_new_tokens=3),
)


def _leaves(drafts: Sequence[Draft]) -> list[Leaf]:
    return [Leaf(index, 1, draft.type, draft.fields) for index, draft in enumerate(drafts)]


def _compared(said: Sequence[Said], *, without: int | None = None, outcome: str = "written") -> Compared:
    """All three announced but for one, and closed with that outcome."""
    kept = [envelope for number, envelope in enumerate(ENVELOPES) if number != without]
    leaves = _leaves([intent_of(envelope, "cloud:7443") for envelope in kept])
    ends = outcomes_of(_leaves([close_of(envelope, outcome, "") for envelope in kept]))
    return compare(leaves, said, ends, {one.identifier.hex(): one.salt for one in ENVELOPES}.get)


def _said(content: bytes, left_out: int = 0) -> Said:
    return Said(content[: len(content) - left_out], len(content))


ALL = [_said(envelope.payload) for envelope in ENVELOPES]


def test_what_was_announced_is_found_each_once() -> None:
    found = _compared([*ALL, *(_said(one.SerializeToString()) for one in FRAMING)])
    assert (len(found.sent), found.framing, found.unlogged) == (3, len(FRAMING), [])
    assert len(_compared([*ALL, ALL[0]]).unlogged) == 1


@pytest.mark.parametrize("without", range(3))
def test_what_nobody_announced_is_told(without: int) -> None:
    assert len(_compared(ALL, without=without).unlogged) == 1


def test_a_salt_that_is_not_the_envelopes_shows_nothing() -> None:
    leaves = _leaves([intent_of(replace(ENVELOPES[0], salt=b"x" * 32), "cloud:7443")])
    assert len(compare(leaves, ALL[:1], {}, lambda _: ENVELOPES[0].salt).unlogged) == 1


def test_what_was_cut_belongs_to_an_envelope_of_that_size_that_may_have_left() -> None:
    cut = [_said(ENVELOPES[2].payload, 1), Said(b"", None)]
    assert len(_compared(cut, outcome="unknown").cut) == 2
    assert len(_compared(cut, outcome="written").unlogged) == 2
    assert len(_compared(cut[:1], outcome="unknown", without=2).unlogged) == 1


def test_what_is_told_not_to_have_left_may_not_be_at_the_tap() -> None:
    found = _compared(ALL)
    ends = dict.fromkeys(found.intents, "written")
    assert not found.told_as_kept(ends)
    assert len(found.told_as_kept({**ends, ENVELOPES[1].identifier.hex(): "not_sent"})) == 1


def test_framing_is_nothing_else() -> None:
    assert all(is_framing(one.SerializeToString()) for one in FRAMING)
    assert not any(is_framing(one.SerializeToString()) for one in NOT_FRAMING)
    assert not any(is_framing(one.SerializeToString() + b"\x7a\x01w") for one in FRAMING)


def test_a_frame_that_was_cut_is_heard() -> None:
    def frame(content: bytes) -> bytes:
        return len(content).to_bytes(3, "big") + bytes([DATA_FRAME, 0]) + (1).to_bytes(4, "big") + content

    batch = b"\0" + BATCH.ByteSize().to_bytes(4, "big") + BATCH.SerializeToString()
    whole, heard = PREFACE + frame(batch) + frame(batch), Heard()
    heard.feed(whole[:-3])
    first, second = said_in(heard.spoken())
    assert first.whole
    assert (len(second.content), second.size) == (BATCH.ByteSize() - 3, BATCH.ByteSize())
    assert rows_in([first, second]) == 1
    heard = Heard()
    heard.feed(whole[: len(PREFACE) + HEAD_BYTES + 2])
    assert list(said_in(heard.spoken())) == [Said(b"", None)]


def test_an_intent_without_an_end_is_open() -> None:
    drafts = [intent_of(ENVELOPES[0], "cloud:7443"), ended_unknown(ENVELOPES[0].identifier.hex(), "intent")]
    assert open_of(_leaves(drafts)) == set()
    assert open_of(_leaves(drafts[:1])) == {ENVELOPES[0].identifier.hex()}


def test_kills_that_hit_nothing_show_little() -> None:
    found = ledger_kills.Found(kills=10, texts_under_way=5, rows_under_way=1)
    found.texts["answered"] = 11
    assert found.shows_little() == ""
    assert replace(found, rows_under_way=0).shows_little()
    assert replace(found, texts_under_way=4).shows_little()
    found.texts["answered"] = 3
    assert "Hardly" in found.shows_little()


def test_what_a_kill_hit_is_told_by_what_the_tap_heard_of_it() -> None:
    found, (rows, *_) = ledger_kills.Found(), _leaves([intent_of(ENVELOPES[0], "cloud:7443")])
    ledger_kills._count_hit([rows], set(), found)
    ledger_kills._count_hit([rows], {ENVELOPES[0].identifier.hex()}, found)
    ledger_kills._count_hit([], set(), found)
    assert (found.under_way, found.rows_under_way, found.texts_under_way) == (2, 2, 0)
    assert (found.before_send, found.after_send) == (1, 1)
