"""The ledger for many tasks: groups, what fails alone, what is written later, and the signing that nothing ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.egress.ledger import Draft, LedgerFailed, notes, reading
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Checkpoint, Note
from edge.egress.ledger.queue import LedgerQueue
from edge.paths import SitePaths
from tests.unit.edge.egress.ledger.test_log import draft, pairs, types


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return SitePaths(tmp_path)


async def test_the_queue_keeps_signing(paths: SitePaths) -> None:
    queue = LedgerQueue(Log.open(paths.ledger))
    await asyncio.gather(*(queue.append(pairs(1, number)) for number in range(3)))
    signing = asyncio.create_task(queue.keep_signing(every_s=0.01))
    while reading.newest_checkpoint(paths.ledger) is None:
        await asyncio.sleep(0.01)
    signing.cancel()
    await asyncio.wait((signing,))
    assert Checkpoint.parse((await queue.checkpoint()).text).size == 7
    await queue.close()


async def test_whatever_goes_wrong_the_queue_keeps_signing(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Log.open(paths.ledger)
    queue = LedgerQueue(ledger)
    asked = iter([LedgerFailed("full"), notes.BadNote("odd"), RuntimeError("a bug")])
    checkpoint = ledger.checkpoint

    def failing() -> Note:
        if error := next(asked, None):
            raise error
        return checkpoint()

    monkeypatch.setattr(ledger, "checkpoint", failing)
    signing = asyncio.create_task(queue.keep_signing(every_s=0.001))
    while reading.newest_checkpoint(paths.ledger) is None:
        assert not signing.done()
        await asyncio.sleep(0.001)
    signing.cancel()
    await asyncio.wait((signing,))
    assert sum("checkpoint cannot be written" in record.message for record in caplog.records) == 3
    await queue.close()


@pytest.mark.parametrize("how", ["append", "sign", "close"])
async def test_how_things_ended_is_written_when_there_is_room_again(paths: SitePaths, how: str) -> None:
    ledger = Log.open(paths.ledger)
    queue = LedgerQueue(ledger)
    await queue.append([draft("intent", 1), draft("link", 2)])
    db = ledger._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages}")
    ends = [draft("close", 1), draft("link_close", 2)]
    for drafts in ([ends[0], *pairs(100, first=100)[::2]], [ends[1], *pairs(100, first=300)[::2]]):
        with pytest.raises(LedgerFailed, match="FULL"):
            await queue.append(drafts)
    db.execute("PRAGMA max_page_count=1000000")
    if how == "append":
        await queue.append([draft("intent", 3), draft("close", 3)])
    elif how == "sign":
        signing = asyncio.create_task(queue.keep_signing(every_s=0.001))
        while reading.newest_checkpoint(paths.ledger) is None:
            await asyncio.sleep(0.001)
        signing.cancel()
        await asyncio.wait((signing,))
    await queue.close()
    expected = ["begin", "intent", "link", "close", "link_close"]
    assert types(paths) == expected + (["intent", "close"] if how == "append" else [])
    assert reading.verify(paths.ledger).ok


async def test_a_leaf_that_is_none_fails_alone(paths: SitePaths) -> None:
    queue = LedgerQueue(Log.open(paths.ledger))
    wrong = [draft("intent", 7, destination='ho"st:443')]
    found = await asyncio.gather(
        queue.append(pairs(1, 1)),
        *(queue.append(one) for one in (pairs(1, 2), wrong, pairs(1, 3), wrong)),
        return_exceptions=True,
    )
    assert [type(one) for one in found] == [type(None), type(None), ValueError, type(None), ValueError]
    await queue.close()
    assert types(paths) == ["begin", *["intent", "close"] * 3]


async def test_what_nobody_waits_for_any_more_is_written_and_nobody_else_is_held_up(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Log.open(paths.ledger)
    queue, go_on, append = LedgerQueue(ledger), threading.Event(), ledger.append

    def held_up(drafts: Sequence[Draft]) -> None:
        go_on.wait()
        append(drafts)

    monkeypatch.setattr(ledger, "append", held_up)
    asked = [asyncio.create_task(queue.append(pairs(1, number))) for number in range(3)]
    while len(queue._waiting) < 2:
        await asyncio.sleep(0)
    asked[0].cancel()  # it is being written
    asked[1].cancel()  # it waits with the third
    await asyncio.wait(asked[:2])
    go_on.set()
    await asked[2]
    await queue.close()
    assert types(paths) == ["begin", *["intent", "close"] * 3]
