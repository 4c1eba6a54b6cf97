"""A ledger that is gone is missed: no other begins in silence, and the one that begins in its place tells of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge import doctor
from edge.egress import verify
from edge.egress.ledger import LedgerBroken, LedgerFailed, reading
from edge.egress.ledger.anew import set_aside
from edge.egress.ledger.log import Log
from edge.egress.ledger.memory import Memory
from edge.egress.ledger.notes import Checkpoint
from edge.egress.ledger.reading import read
from edge.egress.proofs.checking import check_site
from edge.paths import SitePaths
from tests.contract.courier_process import new_site
from tests.unit.edge.egress.ledger.test_export import pairs
from tests.unit.edge.egress.ledger.test_found import remember

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNED = 1 + 2 * 5
"""Leaves that a witness has signed: the beginning, and five envelopes."""
OLDER = 1 + 2 * 2
"""Leaves of an older state of it."""


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


@pytest.fixture
def memory(paths: SitePaths) -> Memory:
    """Of an enrolled site whose ledger a witness has signed as it is; its courier was stopped."""
    log = Log.open(paths.ledger)
    log.append(pairs(2))
    log.close()
    shutil.copy(paths.ledger, paths.root / "older.db")
    log = Log.open(paths.ledger)
    log.append(pairs(3, first=2))
    note = Checkpoint.parse(log.checkpoint().text)
    log.close()
    found = Memory("", note.size, note.root.hex(), 0, note.origin)
    remember(paths, found)
    (paths.courier / "enrolment.json").write_text("{}")
    return found


def gone(*names: str) -> Callable[[SitePaths], None]:
    def take(paths: SitePaths) -> None:
        for name in names:
            (paths.courier / name).unlink()

    return take


def emptied(paths: SitePaths) -> None:
    paths.ledger.write_bytes(b"")


def without_leaves(paths: SitePaths) -> None:
    """By one that began elsewhere, and was ended before its first leaf."""
    elsewhere = new_site(paths.root.parent / "elsewhere")
    with contextlib.suppress(LedgerFailed), pytest.MonkeyPatch.context() as patched:
        patched.setattr(Log, "_begin", _ended)
        Log.open(elsewhere.ledger)
    shutil.copy(elsewhere.ledger, paths.ledger)


def put_back(paths: SitePaths) -> None:
    shutil.copy(paths.root / "older.db", paths.ledger)


def replaced(paths: SitePaths) -> None:
    """With its key."""
    gone("ledger.db", "ledger.key")(paths)
    elsewhere = new_site(paths.root.parent / "elsewhere")
    log = Log.open(elsewhere.ledger)
    log.append(pairs(20))
    log.close()
    for file in (elsewhere.ledger, elsewhere.ledger_key):
        shutil.copy(file, paths.courier / file.name)


def _ended(*_: object) -> None:
    raise OSError("as a power cut")


LOST = {
    "the file": (gone("ledger.db"), SIGNED, True),
    "all that is called a ledger": (gone("ledger.db", "ledger.key", "ledger.lock"), SIGNED, True),
    "the file and what was signed": (gone("ledger.db", "witness.json"), 1, False),
    "all but who the site is": (gone("ledger.db", "ledger.key", "ledger.lock", "witness.json"), 1, False),
    "an empty file": (emptied, SIGNED, True),
    "one without leaves": (without_leaves, SIGNED, True),
    "an older state": (put_back, SIGNED - OLDER, True),
    "another one": (replaced, SIGNED, True),
}
"""What is done to it; so many leaves are known to be lost; whether what a witness signed last is."""


@pytest.mark.parametrize(("change", "lost", "known"), LOST.values(), ids=LOST.keys())
def test_a_ledger_that_is_gone_is_missed(
    paths: SitePaths, memory: Memory, change: Callable[[SitePaths], None], lost: int, known: bool
) -> None:
    change(paths)
    there = paths.ledger.exists()
    for _ in range(2):  # a supervisor starts it again and again
        with pytest.raises(LedgerBroken) as refused:
            Log.open(paths.ledger)
    assert "postern ledger anew" in refused.value.remedy
    assert paths.ledger.exists() == there, "no other has begun"
    check = doctor._safely(doctor._ledger, paths)
    assert (check.ok, check.severity) == (False, "error")
    with pytest.raises(LedgerBroken):
        raise LedgerBroken(*check_site(paths)["problems"])

    target = set_aside(paths, NOW)
    assert target.exists() == there
    Log.open(paths.ledger).close()
    (begin,) = read(paths.ledger)
    assert begin.fields["lost"] == lost
    assert begin.fields["previous"] == (memory.root if known else "")
    assert doctor._safely(doctor._ledger, paths).ok
    found = check_site(paths)
    assert (found["whole"], found["lost"]) == (True, lost)
    assert f"lost {lost:,} entries or more" in verify.in_words(found)


def test_one_that_goes_on_from_what_was_signed_is_not_missed(paths: SitePaths, memory: Memory) -> None:
    log = Log.open(paths.ledger)
    log.append(pairs(1, first=SIGNED))
    log.close()
    Log.open(paths.ledger).close()
    set_aside(paths, NOW)
    root = reading.verify(paths.courier / "ledger.until-20260301T120000.db").root
    Log.open(paths.ledger).close()
    (begin,) = read(paths.ledger)
    assert (begin.fields["lost"], begin.fields["previous"]) == (0, root)


@pytest.mark.parametrize("step", ["Log._begin", "_own_key"])
def test_a_first_start_that_ended_is_no_loss(
    paths: SitePaths, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first leaf, and before the key has its name."""
    with monkeypatch.context() as patched:
        patched.setattr(f"edge.egress.ledger.log.{step}", _ended)
        with pytest.raises(Exception, match="power cut"):
            Log.open(paths.ledger)
    assert not paths.ledger_key.exists()
    log = Log.open(paths.ledger)
    log.checkpoint()
    log.close()
    assert [file.name for file in paths.courier.glob("ledger.key*")] == ["ledger.key"]
    report = reading.verify(paths.ledger)
    assert (report.problem, report.leaves) == ("", 1)


@pytest.mark.parametrize("after", range(1, 3))
def test_what_was_lost_is_known_though_anew_was_ended(
    paths: SitePaths, memory: Memory, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    put_back(paths)
    moved, rename = [], Path.rename

    def killed(path: Path, target: Path) -> Path:
        if len(moved) == after:
            _ended()
        moved.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(OSError, match="power cut"):
        set_aside(paths, NOW)
    monkeypatch.undo()
    assert moved == ["ledger.key", "witness.json"][:after]
    with pytest.raises(LedgerBroken):
        Log.open(paths.ledger)
    set_aside(paths, NOW)
    Log.open(paths.ledger).close()
    (begin,) = read(paths.ledger)
    assert (begin.fields["lost"], begin.fields["previous"]) == (SIGNED - OLDER, memory.root)
