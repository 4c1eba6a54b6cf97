"""The ledger after power cuts and kills around intent, send and close; the bench `ledger` tries thousands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bench import ledger_kills
from tests.bench.ledger_crashes import Found, Marks, kill, problem, replay, write


@pytest.mark.long
@pytest.mark.skipif(shutil.which("cc") is None, reason="the recorder of writes is C")
def test_no_power_cut_loses_what_was_sent(tmp_path: Path) -> None:
    found = Found()
    replay(tmp_path, envelopes=120, points=40, seed=1, found=found)
    assert (found.replayed, found.wrong) == (40, [])
    assert found.operations > 200


@pytest.mark.long
def test_no_kill_loses_what_was_sent(tmp_path: Path) -> None:
    found = Found()
    kill(tmp_path, runs=2, seed=2, found=found)
    assert (found.killed, found.wrong) == (2, [])


@pytest.mark.long
async def test_no_kill_of_a_courier_at_work_loses_anything(tmp_path: Path) -> None:
    found = await ledger_kills.kill(tmp_path, kills=ledger_kills.FULL_EVERY + 1, seed=4)
    assert (found.sent_unlogged, found.lost, found.cut_as_whole, found.broken) == (0, 0, 0, []), (
        found.examples
    )
    assert found.full == 1
    assert found.texts_under_way > 0
    assert found.outcomes["unknown"] == found.verifier["perhaps"] - found.outcomes["failed"]


def test_what_would_be_wrong_is_told(tmp_path: Path) -> None:
    write(tmp_path, envelopes=10, seed=3, full=False)
    marks = Marks.of((tmp_path / "marks").read_bytes())
    assert problem(tmp_path, marks) == ""
    more = Marks(marks.sent | {11}, marks.closed, marks.note, 0)
    assert "are not in it" in problem(tmp_path, more)
    shutil.rmtree(tmp_path / "courier")
    assert problem(tmp_path, marks) != ""
