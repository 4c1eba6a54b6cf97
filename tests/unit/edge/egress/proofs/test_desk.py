"""The courier's answer where it has no proof, and the node's where no answer comes: a reason, and soon."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3

from edge.egress.ledger import LedgerFailed
from edge.egress.ledger.leaf_types import Draft
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Note
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.proofs import client as proof_client
from edge.egress.proofs import desk as proof_desk
from edge.egress.proofs.client import ProofClient, Unproven
from edge.egress.proofs.desk import WAITING_MAX, ProofDesk
from edge.paths import SitePaths, site_paths
from postern.v1 import courier_pb2 as wire

ENVELOPE = "5f" * 16


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return site_paths(tmp_path / "site")


class Asker:
    """Whoever connected."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.heard = asyncio.Event()

    async def say(self, frame: wire.CourierFrame) -> None:
        self.codes.append(frame.proofs.code)
        self.heard.set()


class Signs:
    """In the ledger's place: signs once it may, or cannot."""

    def __init__(self, fails: bool = False) -> None:
        self.go_on, self.fails = asyncio.Event(), fails

    async def checkpoint(self) -> Note:
        if self.fails:
            raise LedgerFailed("full")
        await self.go_on.wait()
        raise AssertionError


def desk_of(path: Path, ledger: object) -> ProofDesk:
    given: Any = ledger
    return ProofDesk(path, given)


async def asked(desk: ProofDesk, *envelopes: str) -> str:
    asker: Any = Asker()
    order = wire.ProofOrder(envelope_ids=[bytes.fromhex(one) for one in envelopes], since_unix_ms=2**60)
    desk.order(asker, order)
    await asker.heard.wait()
    return str(asker.codes[-1])


async def test_a_ledger_that_cannot_be_written_or_read_is_named(paths: SitePaths) -> None:
    assert await asked(desk_of(paths.ledger, Signs(fails=True)), ENVELOPE) == "ledger_failed"
    queue = LedgerQueue(Log.open(paths.ledger))
    try:
        desk = desk_of(paths.ledger, queue)
        assert await asked(desk, ENVELOPE) == ""
        assert await asked(desk_of(paths.ledger.with_name("none.db"), queue), ENVELOPE) == "ledger_broken"
        assert await asked(desk, *[f"{number:032x}" for number in range(101)]) == "too_many"
    finally:
        await queue.close()


async def test_too_far_back_is_no_absence(paths: SitePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def far(*_: object) -> None:
        raise proof_desk.TooFarBack

    monkeypatch.setattr(proof_desk, "excerpt", far)
    queue = LedgerQueue(Log.open(paths.ledger))
    assert await asked(desk_of(paths.ledger, queue), ENVELOPE) == "too_far_back"
    await queue.close()


async def test_a_fault_that_nobody_thought_of_is_answered_too(
    paths: SitePaths, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the first leaf is another than it was, so that it has no key."""
    queue = LedgerQueue(Log.open(paths.ledger))
    link = Draft("link", {"envelope": ENVELOPE, "destination": "cloud.example:443"})
    try:
        await queue.append([link])
        with closing(sqlcipher3.connect(str(paths.ledger), isolation_level=None)) as db:
            db.execute(
                "UPDATE leaves SET entry = (SELECT entry FROM leaves WHERE number = 1) WHERE number = 0"
            )
        async with asyncio.timeout(30):
            assert await asked(desk_of(paths.ledger, queue)) == "ledger_broken"
        assert "a receipt has no proof" in caplog.text
    finally:
        await queue.close()


async def test_more_than_may_wait_are_sent_away_and_a_stop_ends_all(paths: SitePaths) -> None:
    asker: Any = Asker()
    desk = desk_of(paths.ledger, Signs())
    for _ in range(WAITING_MAX):
        desk.order(asker, wire.ProofOrder())
    assert await asked(desk) == "busy"
    assert asker.codes == []
    async with asyncio.timeout(30):
        await desk.stop()


async def test_a_courier_that_hangs_or_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_client, "ANSWER_S_MAX", 0.05)
    hangs = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if hangs.is_set():
            await reader.read(-1)  # until the asker has gone
        writer.close()

    server = await asyncio.start_unix_server(accept, tmp_path / "s")
    client = ProofClient(tmp_path / "s")
    with pytest.raises(Unproven, match="courier_away"):
        await client.proofs([ENVELOPE], 0)
    hangs.set()
    with pytest.raises(Unproven, match="late"):
        await client.proofs([ENVELOPE], 0)
    server.close()
