"""The ledger: what was appended is there and verifies, what was changed is found, a full disk refuses and goes on."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edge.config import SitePaths, site_paths
from edge.egress import verify
from edge.egress.ledger import Draft, LedgerBroken, LedgerFailed, LedgerInUse, key, log, notes, reading
from edge.egress.ledger.leaf_types import _TEXTS, LEAF_FIELDS, OPENS, Value, entry_of
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Checkpoint, Note
from edge.store.plain import connect_plain, read_plain

NOW_MS = 1_700_000_000_000


def draft(kind: str, number: int, **fields: Value) -> Draft:
    """A leaf of this type, its fields made up."""
    made: dict[str, Value] = {name: "ab" * 32 if name in _TEXTS else 100 for name in LEAF_FIELDS[kind]}
    if "outcome" in made:
        made["outcome"] = "written"
    return Draft(kind, {**made, "envelope": f"{number:032x}", **fields})


def pairs(count: int, first: int = 0) -> list[Draft]:
    """Envelopes that were sent."""
    numbers = range(first, first + count)
    return [one for n in numbers for one in (draft("intent", n), draft("close", n))]


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return site_paths(tmp_path)


def written(paths: SitePaths, count: int, sign: bool = False) -> Note | None:
    ledger = Log.open(paths.ledger, lambda: NOW_MS)
    ledger.append(pairs(count))
    note = ledger.checkpoint() if sign else None
    ledger.close()
    return note


def types(paths: SitePaths) -> list[str]:
    return [leaf.type for leaf in reading.read(paths.ledger)]


def test_what_was_appended_verifies(paths: SitePaths) -> None:
    written(paths, 3)
    report = reading.verify(paths.ledger)
    assert (report.ok, report.problem) == (True, "")
    assert (report.leaves, report.envelopes, report.bytes_sent, report.open_envelopes) == (7, 3, 300, 0)
    assert types(paths) == ["begin", *["intent", "close"] * 3]
    for path in (paths.ledger, paths.ledger_key, paths.ledger_lock):
        assert path.stat().st_mode & 0o777 == 0o600


def test_it_begins_with_its_key_and_goes_on_where_it_stopped(paths: SitePaths) -> None:
    written(paths, 1)
    (begin, *_) = reading.read(paths.ledger)
    assert begin.fields["previous"] == ""
    ledger = Log.open(paths.ledger)
    assert (ledger.size, ledger.root.hex()) == (3, reading.verify(paths.ledger).root)
    ledger.append([draft("link", 7)])
    note = ledger.checkpoint()
    assert notes.is_signed(note, notes.log_verifier(bytes.fromhex(str(begin.fields["key"]))))
    ledger.close()
    assert [leaf.index for leaf in reading.read(paths.ledger)] == [0, 1, 2, 3]


def test_a_missing_ledger_is_an_empty_one(paths: SitePaths) -> None:
    assert reading.verify(paths.ledger).ok
    assert not paths.ledger.exists()


def test_tiles_are_written_with_the_leaf_that_fills_them(paths: SitePaths) -> None:
    for count in (100, 200, 400):
        written(paths, count)
    assert reading.verify(paths.ledger).ok
    with sqlite3.connect(paths.ledger) as db:
        assert db.execute("SELECT level, number, length(hashes) FROM tiles").fetchall() == [
            (0, number, 8192) for number in range(5)
        ]
    ledger = Log.open(paths.ledger)
    assert ledger.size == 1401
    assert ledger.root.hex() == reading.verify(paths.ledger).root
    assert ledger.recent_envelopes[-1] == f"{399:032x}"
    ledger.close()


def test_what_was_left_open_is_closed_as_unknown(paths: SitePaths) -> None:
    ledger = Log.open(paths.ledger)
    ledger.append([draft("link", 1), draft("intent", 2), draft("intent", 3), draft("close", 3)])
    assert reading.verify(paths.ledger).open_envelopes == 2, "read while it is written"
    ledger.close()
    Log.open(paths.ledger).close()
    closes = {leaf.type: leaf.fields for leaf in list(reading.read(paths.ledger))[5:]}
    assert {kind: fields["outcome"] for kind, fields in closes.items()} == dict.fromkeys(
        OPENS.values(), "unknown"
    )
    report = reading.verify(paths.ledger)
    assert (report.ok, report.open_envelopes) == (True, 0)


def test_one_writer_at_a_time(paths: SitePaths) -> None:
    ledger = Log.open(paths.ledger)
    with pytest.raises(LedgerInUse):
        Log.open(paths.ledger)
    ledger.close()
    Log.open(paths.ledger).close()


def test_a_leaf_says_neither_more_nor_less_than_its_type(paths: SitePaths) -> None:
    ledger = Log.open(paths.ledger)
    for fields in ({"note": "Mrs Miller"}, {"outcome": "x" * 4096}):
        with pytest.raises(ValueError, match="leaf of type close"):
            ledger.append([draft("intent", 1), draft("close", 1, **fields)])
    assert ledger.size == 1
    ledger.close()


ODD: list[Value] = [
    "",
    'ho"st:443',
    "back\\slash:1",
    "new\nline:1",
    "\x7f:1",
    "f" * 256,
    "ä" * 255,
    "Σ:1",
    "\u0663",
]
ODD += ["\ud800", "0" * 32, "F" * 32, "a" * 64, "a" * 65, "bytes out", -1, 0, 10**16 - 1, 10**16, True, 1.5]  # type: ignore[list-item]


def test_what_the_ledger_takes_the_verifier_takes() -> None:
    taken = 0
    for kind, names in LEAF_FIELDS.items():
        made = {**draft(kind, 1).fields, "key": "ab" * 32}
        for name in names:
            for value in ODD:
                one = Draft(kind, {field: made[field] for field in names} | {name: value})
                try:
                    entry = entry_of(one, NOW_MS)
                except ValueError:
                    continue
                taken += 1
                assert any(pattern.fullmatch(entry.decode()) for _, pattern in verify.PATTERNS), entry
    assert taken > 50, "it takes something"


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(paths: SitePaths) -> None:
    """SQLite is told that there are no more pages, as a full disk would."""
    ledger = Log.open(paths.ledger)
    db = ledger._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages}")
    before = ledger.root
    with pytest.raises(LedgerFailed, match="SQLITE_FULL"):
        ledger.append(pairs(200))
    assert (ledger.size, ledger.root) == (1, before)
    db.execute("PRAGMA max_page_count=1000000")
    ledger.append(pairs(200))
    ledger.close()
    report = reading.verify(paths.ledger)
    assert (report.ok, report.envelopes) == (True, 200)


def test_a_log_that_somebody_reads_at_the_start_is_written_anew_later(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge.store.plain.BUSY_TIMEOUT_MS", 1)
    ledger = Log.open(paths.ledger)
    ledger.append(pairs(200))
    reader = read_plain(paths.ledger)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM leaves").fetchone()
    ledger.close()
    beside = paths.ledger.with_name("ledger.db-wal")
    ledger, size = Log.open(paths.ledger), beside.stat().st_size
    assert size > 100_000
    ledger.append(pairs(1, first=200))
    ledger.checkpoint()
    assert beside.stat().st_size >= size
    assert sum("being read" in record.message for record in caplog.records) == 2
    reader.close()
    ledger.append(pairs(1, first=201))
    ledger.checkpoint()
    assert beside.stat().st_size < size / 2
    ledger.checkpoint()
    assert sum("being read" in record.message for record in caplog.records) == 2
    ledger.close()
    assert reading.verify(paths.ledger).ok


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["key.write_atomic", "log.fsync_folder", "log.private_folder"])
def test_no_room_for_a_new_one_is_said_as_such(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(f"edge.egress.ledger.{what}", _full)
    with pytest.raises(LedgerFailed, match="No space left"):
        Log.open(paths.ledger)
    monkeypatch.undo()
    Log.open(paths.ledger).close()
    assert reading.verify(paths.ledger).ok


def test_a_development_versions_ledger_is_gone_on_with(paths: SitePaths) -> None:
    ledger = Log.open(paths.ledger)
    ledger.append([draft("intent", 1)])
    ledger.close()
    with closing(connect_plain(paths.ledger)) as db:
        db.execute("ALTER TABLE open DROP COLUMN bytes")
    ledger = Log.open(paths.ledger)
    ledger.append(pairs(1, first=2))
    ledger.close()
    assert types(paths) == ["begin", "intent", "close", "intent", "close"]
    assert reading.verify(paths.ledger).ok


def test_a_clock_that_was_set_back_is_told_once_a_step(
    paths: SitePaths, caplog: pytest.LogCaptureFixture
) -> None:
    now = [NOW_MS]
    ledger = Log.open(paths.ledger, lambda: now[0])

    def told(to_ms: int) -> int:
        now[0] = to_ms
        ledger.append([draft("link", to_ms), draft("link_close", to_ms)])
        return sum("clock was set back" in record.message for record in caplog.records)

    small, large = verify.TIME_BACK_MAX_MS, verify.TIME_BACK_MAX_MS + 1
    steps = [
        NOW_MS - small,
        NOW_MS - large,
        NOW_MS - large + 1,
        NOW_MS - large + 1 - small,
        NOW_MS,
        NOW_MS - large,
    ]
    assert [told(step) for step in steps] == [0, 1, 1, 1, 1, 2]
    ledger.close()
    now[0] = NOW_MS - 10 * large
    ledger = Log.open(paths.ledger, lambda: now[0])
    assert told(now[0]) == 3, "also over a restart"
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    ledger.close()


def test_checkpoints(paths: SitePaths) -> None:
    ledger = Log.open(paths.ledger)
    first = ledger.checkpoint()
    assert ledger.checkpoint() == first, "nothing grew"
    ledger.append(pairs(1))
    second = ledger.checkpoint()
    assert Checkpoint.parse(second.text).size == 3
    assert reading.newest_checkpoint(paths.ledger) == second
    ledger.append(pairs(1))
    ledger.close()
    report = reading.verify(paths.ledger, first)
    assert (report.ok, report.signed_leaves, report.leaves) == (True, 3, 5)
    with sqlite3.connect(paths.ledger) as db:
        assert db.execute("SELECT size FROM checkpoints").fetchall() == [(3,)], "the newest is kept"


def _leaf(db: sqlite3.Connection) -> None:
    (entry,) = db.execute("SELECT entry FROM leaves WHERE number = 3").fetchone()
    changed = json.loads(entry) | {"bytes": 1}
    told = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()
    db.execute("UPDATE leaves SET entry = ? WHERE number = 3", [told])


def _statements(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def change(db: sqlite3.Connection) -> None:
        for statement in statements:
            db.execute(statement)

    return change


CHANGES = {
    "a leaf that says something else": _leaf,
    "a leaf gone": _statements("DELETE FROM leaves WHERE number = 5"),
    "leaves swapped": _statements(
        "UPDATE leaves SET number = -1 WHERE number = 3",
        "UPDATE leaves SET number = 3 WHERE number = 4",
        "UPDATE leaves SET number = 4 WHERE number = -1",
    ),
    "a leaf twice": _statements(
        "UPDATE leaves SET entry = (SELECT entry FROM leaves WHERE number = 3) WHERE number = 5"
    ),
    "the end gone": _statements("DELETE FROM leaves WHERE number > 250"),
    "a tile gone": _statements("DELETE FROM tiles WHERE number = 0"),
    "a tile changed": _statements("UPDATE tiles SET hashes = zeroblob(8192) WHERE number = 1"),
    "an empty tile": _statements("UPDATE tiles SET hashes = x'' WHERE number = 1"),
    "the checkpoint changed": _statements(
        "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), '599', '598') AS BLOB)"
    ),
    "the beginning gone": _statements("DELETE FROM leaves WHERE number = 0"),
    "something left open": _statements(f"INSERT INTO open VALUES ('{1:032x}', 'intent', 1)"),
    "no JSON": _statements("UPDATE leaves SET entry = x'00ff' WHERE number = 590"),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of 599 leaves."""
    made = site_paths(tmp_path_factory.mktemp("ledger"))
    written(made, 299, sign=True)
    return made.courier


@pytest.fixture
def copied(original: Path, paths: SitePaths) -> SitePaths:
    shutil.copytree(original, paths.courier)
    assert reading.verify(paths.ledger).ok
    return paths


@pytest.mark.proves("record-of-egress")
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_found(copied: SitePaths, change: str) -> None:
    with sqlite3.connect(copied.ledger) as db:
        CHANGES[change](db)
    db.close()
    report = reading.verify(copied.ledger)
    assert not report.ok
    assert report.problem


@pytest.mark.proves("record-of-egress")
def test_a_flipped_bit_of_the_file_is_found_or_changes_nothing(copied: SitePaths) -> None:
    """Of unused bytes of a page nothing depends."""
    whole, before = copied.ledger.read_bytes(), list(reading.read(copied.ledger))
    missed = 0
    for at in range(0, len(whole), len(whole) // 61):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        copied.ledger.write_bytes(data)
        if reading.verify(copied.ledger).ok:
            missed += 1
            assert list(reading.read(copied.ledger)) == before, at
    assert missed < 20, "most of a file is leaves and hashes"


@pytest.mark.proves("record-of-egress")
def test_a_checkpoint_shows_a_cut_end_and_a_rewritten_ledger(
    copied: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = reading.newest_checkpoint(copied.ledger)
    assert note is not None
    remembered = Note.parse(bytes(note))
    assert reading.verify(copied.ledger, remembered).ok
    own_key = copied.ledger_key.read_bytes()
    for count, problem in ((10, "cut off"), (400, "rewritten")):
        shutil.rmtree(copied.courier)
        copied.courier.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(key, "create", lambda fresh: fresh.write_bytes(own_key) and own_key)
            ledger = Log.open(copied.ledger, lambda: NOW_MS + 1)
        ledger.append(pairs(count))
        ledger.close()
        assert reading.verify(copied.ledger).ok, "whoever has the key writes what he likes"
        assert problem in reading.verify(copied.ledger, remembered).problem
    shutil.rmtree(copied.courier)
    assert "no ledger" in reading.verify(copied.ledger, remembered).problem
    written(copied, 400)
    assert "another ledger" in reading.verify(copied.ledger, remembered).problem


@pytest.mark.parametrize("change", ["the end gone", "a tile gone", "the beginning gone", "an empty tile"])
def test_a_broken_one_is_not_gone_on_with(copied: SitePaths, change: str) -> None:
    with sqlite3.connect(copied.ledger) as db:
        CHANGES[change](db)
    db.close()
    with pytest.raises(LedgerBroken):
        Log.open(copied.ledger)


def test_one_that_does_not_fit_its_checkpoint_or_key_is_not_gone_on_with(copied: SitePaths) -> None:
    copied.ledger_key.write_bytes(bytes(32))
    with pytest.raises(LedgerBroken, match="not the key"):
        Log.open(copied.ledger)
    copied.ledger_key.unlink()
    with pytest.raises(LedgerBroken, match="cannot be read"):
        Log.open(copied.ledger)


def test_no_database_at_all_is_broken(paths: SitePaths) -> None:
    paths.courier.mkdir()
    paths.ledger.write_bytes(b'{"index":0}\n' * 100)
    with pytest.raises(LedgerBroken):
        Log.open(paths.ledger)
    assert not reading.verify(paths.ledger).ok


def test_a_new_one_names_the_root_of_the_one_that_was_set_aside(paths: SitePaths) -> None:
    written(paths, 200)
    root = reading.verify(paths.ledger).root
    paths.ledger.rename(paths.courier / "ledger.until-17.db")
    paths.ledger_key.unlink()
    written(paths, 1)
    (begin, *_) = reading.read(paths.ledger)
    assert begin.fields["previous"] == root
    assert [path.name for path in paths.courier.glob("*until*")] == ["ledger.until-17.db"], (
        "nothing beside it"
    )


def test_the_newest_envelopes_are_known_again(paths: SitePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "RECENT_ENVELOPES_MAX", 2)
    written(paths, 3)
    ledger = Log.open(paths.ledger)
    assert ledger.recent_envelopes == (f"{1:032x}", f"{2:032x}")
    ledger.close()
