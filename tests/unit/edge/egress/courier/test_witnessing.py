"""The courier shows its ledger: when, from where, and what becomes of each answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_sync.witness.notes import (
    COSIGNATURE_V1,
    WITNESS_NAME,
    PublicKey,
    cosign,
    public_key,
    signature_line,
)
from cloud_sync.witness.rules import Conflict, Cosign, Remembered, Submitted, decide
from core.errors import NotReachable
from edge.egress.courier.witnessing import ADD_CHECKPOINT, AGAIN_S, Witnessing, recall
from edge.egress.ledger.notes import BadNote, Note, Signature, Verifier, cosigned_s, is_signed
from edge.egress.ledger.submission import Submission
from postern.v1 import witness_pb2
from tests.naive_log import NaiveLog

NOW = 1_790_000_000


class Ledger:
    """A naive one, as the courier's queue shows it."""

    def __init__(self) -> None:
        self.log = NaiveLog().grow(3)
        self.kept: list[Note] = []

    async def submission(self, old_size: int) -> Submission:
        old = min(old_size, len(self.log.leaves))
        return Submission(Note.parse(self.log.note()), self.log.key, old, self.log.proof(old))

    async def cosigned(self, note: Note) -> None:
        self.kept.append(note)


class Witness:
    """The rules themselves at the other end of a link."""

    def __init__(self, log: NaiveLog) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.known = Remembered(log.origin, log.key)
        self.asked: list[int] = []
        self.bend: Callable[[witness_pb2.AddCheckpointResponse], Any] = lambda answer: answer

    async def ask(self, method: str, request: bytes) -> bytes:
        assert method == ADD_CHECKPOINT
        told = witness_pb2.AddCheckpointRequest.FromString(request)
        self.asked.append(told.old_size)
        decision = decide(self.known, Submitted(told.old_size, tuple(told.proof), told.checkpoint))
        mine = public_key(self.private, COSIGNATURE_V1, WITNESS_NAME)
        answer = witness_pb2.AddCheckpointResponse(witness_vkey=mine.vkey)
        match decision:
            case Cosign(found, text):
                self.known = Remembered(found.origin, self.known.key, found.size, found.root)
                answer.cosignature = signature_line(cosign(text, self.private, mine, NOW))
            case Conflict(size):
                answer.conflict_size = size
            case refusal:
                answer.refused = refusal.reason
        self.bend(answer)
        return answer.SerializeToString()


class Site:
    """A courier with a ledger, and a link that may be down."""

    def __init__(self, folder: Path) -> None:
        self.memory = folder / "witness.json"
        self.ledger = Ledger()
        self.witness = Witness(self.ledger.log)
        self.up = True
        self.now = NOW
        self.stopped: list[str] = []
        self.started()

    def started(self) -> None:
        async def stop(reason: str) -> None:
            self.stopped.append(reason)

        self.showing = Witnessing(
            self.memory, self.ledger, lambda: self.witness if self.up else None, stop, lambda: self.now
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_what_grew_is_shown_from_where_it_was_signed(site: Site) -> None:
    for size in (3, 7, 7, 12):
        site.ledger.log.grow(size)
        await site.showing.show()
    assert site.witness.asked == [0, 3, 7]
    vkey = recall(site.memory).vkey
    assert [cosigned_s(note, Verifier.parse(vkey)) for note in site.ledger.kept] == [NOW] * 3
    site.started()
    site.ledger.log.grow(13)
    await site.showing.show()
    assert site.witness.asked[-1] == 12


async def test_what_stands_still_is_shown_now_and_then(site: Site) -> None:
    for passed in (0, AGAIN_S - 1, AGAIN_S):
        site.now = NOW + passed
        await site.showing.show()
    assert site.witness.asked == [0, 3]


async def test_nothing_is_shown_while_nobody_is_there(site: Site) -> None:
    site.up = False
    await site.showing.show()
    assert site.witness.asked == []


async def test_a_lost_memory_is_the_witnesss_to_know(site: Site) -> None:
    await site.showing.show()
    site.memory.write_text("{")
    site.started()
    site.ledger.log.grow(9)
    await site.showing.show()
    assert site.witness.asked == [0, 0, 3]
    assert recall(site.memory).size == 9


@pytest.mark.parametrize(
    ("leaves", "reason"),
    [
        ([b"leaf 0"], "rolled_back"),
        ([b"leaf 0", b"leaf 1", b"another"], "split_view"),
        ([b"leaf 0", b"another", b"leaf 2", b"leaf 3"], "inconsistent"),
    ],
)
@pytest.mark.parametrize("memory_too", [False, True])
async def test_what_the_witness_refuses_stops_what_leaves(
    site: Site, leaves: list[bytes], reason: str, memory_too: bool
) -> None:
    await site.showing.show()
    if memory_too:  # the whole folder was put back, from before anything was signed
        site.memory.unlink()
        site.started()
    site.ledger.log.leaves[:] = leaves
    await site.showing.show()
    assert site.stopped == [reason]
    site.started()
    await site.showing.keep()  # ends at once: there is nothing more to show
    assert site.stopped == [reason, reason]
    assert json.loads(site.memory.read_bytes())["refused"] == reason


def _another(answer: witness_pb2.AddCheckpointResponse) -> None:
    answer.cosignature = answer.cosignature.replace(" ", " A", 1)


def _none(answer: witness_pb2.AddCheckpointResponse) -> None:
    answer.ClearField("cosignature")


def _twisted(answer: witness_pb2.AddCheckpointResponse) -> None:
    answer.witness_vkey = NaiveLog().vkey


@pytest.mark.parametrize("bend", [_another, _none, _twisted])
async def test_an_answer_that_is_no_signature_is_not_kept(site: Site, bend: Callable[[Any], None]) -> None:
    site.witness.bend = bend
    await site.showing.show()
    assert (site.ledger.kept, site.stopped, recall(site.memory).size) == ([], [], 0)


async def test_a_line_that_nobody_checked_is_not_kept(site: Site) -> None:
    log = Verifier(site.ledger.log.origin, site.ledger.log.key)
    added = Signature(log.name, log.key_id, bytes(64))

    def add(answer: witness_pb2.AddCheckpointResponse) -> None:
        if answer.cosignature:
            answer.cosignature += bytes(Note("", (added,))).decode().removeprefix("\n")

    site.witness.bend = add
    await site.showing.show()
    assert site.ledger.kept == [], "false, and in the ledger's own name"
    added = Signature("x", b"1234", bytes(64))
    await site.showing.show()
    (kept,) = site.ledger.kept
    assert is_signed(kept, log)
    by_log, by_witness = kept.signatures
    assert (by_log.name, by_witness.name.startswith(WITNESS_NAME)) == (log.name, True)


async def test_a_witness_in_the_ledgers_name_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(private: Ed25519PrivateKey, kind: int, _: str) -> PublicKey:
        return PublicKey(site.ledger.log.origin, kind, private.public_key().public_bytes_raw())

    monkeypatch.setitem(Witness.ask.__globals__, "public_key", named)
    await site.showing.show()
    assert site.ledger.kept == []


@pytest.mark.parametrize(
    "reason", ["malformed", "unknown_log", "bad_signature", "of_a_newer_release", "<script>"]
)
async def test_what_proves_nothing_is_told_and_asked_about_again(
    site: Site, reason: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing, waits = 9, []

    def refuse(answer: witness_pb2.AddCheckpointResponse) -> None:
        if len(site.witness.asked) <= refusing:
            answer.refused = reason

    async def pause() -> None:
        waits.append(site.showing._wait_s)
        await asyncio.sleep(0)

    monkeypatch.setattr(site.showing, "_pause", pause)
    site.witness.bend = refuse
    keeping = asyncio.create_task(site.showing.keep())
    while recall(site.memory).size == 0 or len(waits) <= refusing + 1:
        assert not keeping.done()
        await asyncio.sleep(0)
    keeping.cancel()
    assert (site.stopped, recall(site.memory).refused) == ([], "")
    assert waits[: refusing + 2] == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 60]
    told = [record for record in caplog.records if "proves nothing" in record.message]
    assert len(told) == refusing
    assert {(record.levelname, record.__dict__["reason"]) for record in told} == {
        ("ERROR", reason.replace("<script>", "other"))
    }


async def test_a_ledger_that_cannot_be_read_is_still_the_one_that_was_refused(site: Site) -> None:
    await site.showing.show()
    site.ledger.log.leaves[:] = [b"another"]
    await site.showing.show()
    site.started()

    async def submission(old_size: int) -> Submission:
        raise BadNote("a note of another release")

    site.ledger.submission = submission  # type: ignore[method-assign]
    await site.showing.keep()
    assert site.stopped == ["rolled_back", "rolled_back"]


async def test_an_answer_that_cannot_be_read_is_none(site: Site) -> None:
    async def ask(method: str, request: bytes) -> bytes:
        return b"\xff"

    site.witness.ask = ask  # type: ignore[method-assign]
    with pytest.raises(NotReachable):
        await site.showing.show()
