"""The ledger and its witnesses: what is shown, kept, carried on a stick, stopped, set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from cloud_sync.witness.notes import COSIGNATURE_V1, WITNESS_NAME, cosign, public_key, signature_line
from cloud_sync.witness.request import read_request
from cloud_sync.witness.rules import Cosign, Remembered, decide, newcomer, origin_of
from core.errors import BadArgument, CannotWrite
from edge.cli import app
from edge.egress.ledger import Draft, LedgerBroken, LedgerInUse, NoLedger, WitnessRefused, key
from edge.egress.ledger.anew import set_aside
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import SIGNATURES_MAX, BadNote, Checkpoint, Note
from edge.egress.ledger.notes import origin_of as origin_of_key
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.ledger.rows import Rows
from edge.egress.ledger.witnesses import NotCosigned, take_cosigned, vkey, write_request
from edge.paths import SitePaths
from edge.store.plain import read_plain

DAY_S = 86_400
NOON = 1_790_000_000 // DAY_S * DAY_S + DAY_S // 2
WITNESS = Ed25519PrivateKey.generate()
MINE = public_key(WITNESS, COSIGNATURE_V1, WITNESS_NAME)


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    made = SitePaths(tmp_path)
    made.config.touch()
    return made


@pytest.fixture
def log(paths: SitePaths) -> Iterator[Log]:
    opened = Log.open(paths.ledger)
    yield opened
    opened.close()


def grow(log: Log, links: int = 1) -> None:
    first = log.size
    log.append(
        [
            Draft("link", {"envelope": f"{first + number:032x}", "destination": "cloud:1"})
            for number in range(links)
        ]
    )


def line(note: Note, at: int = NOON) -> bytes:
    return signature_line(cosign(note.text.encode(), WITNESS, MINE, at)).encode()


def signed(note: Note, at: int = NOON) -> Note:
    return Note.parse(bytes(note) + line(note, at))


def kept(paths: SitePaths) -> list[tuple[int, int]]:
    """Checkpoints that are kept: leaves, and signatures."""
    with closing(read_plain(paths.ledger)) as db:
        return [(size, len(Note.parse(note).signatures)) for size, note in Rows(db).checkpoints()]


def test_every_size_is_shown_so_that_a_witness_signs_it(log: Log) -> None:
    known: Remembered | None = None
    for size in (1, 2, 3, 8, 255, 256, 300):
        grow(log, size - log.size)
        shown = log.submission(known.size if known else 0)
        request = read_request(bytes(shown))
        known = known or newcomer(origin_of(request.note) or "", shown.public)
        found = decide(known, request)
        assert isinstance(found, Cosign)
        known = Remembered(
            found.checkpoint.origin, shown.public, found.checkpoint.size, found.checkpoint.root
        )
    assert log.submission(5_000).old_size == 300


def test_of_each_day_the_last_signature_is_kept(log: Log, paths: SitePaths) -> None:
    for at in (NOON, NOON + 60, NOON + DAY_S, NOON + DAY_S + 60):
        grow(log)
        log.cosigned(signed(log.checkpoint(), at))
    assert kept(paths) == [(3, 2), (5, 2)]
    grow(log)
    log.checkpoint()
    assert kept(paths) == [(3, 2), (5, 2), (6, 1)]


def test_a_signature_of_a_checkpoint_that_made_way_brings_it_back(log: Log, paths: SitePaths) -> None:
    first = log.checkpoint()
    grow(log)
    log.checkpoint()
    assert kept(paths) == [(2, 1)]
    log.cosigned(signed(first))
    assert kept(paths) == [(1, 2), (2, 1)]
    other = Note.parse(bytes(signed(first)).replace(first.text.encode(), first.text.encode() + b"more\n"))
    with pytest.raises(BadNote):
        log.cosigned(other)


def test_a_tree_that_stands_still_is_signed_again_and_again(log: Log, paths: SitePaths) -> None:
    for hour in range(SIGNATURES_MAX + 1):
        log.cosigned(signed(log.checkpoint(), NOON + hour))
    assert kept(paths) == [(1, 2)]
    others = [replace(log.checkpoint().signatures[1], name=f"w{one}") for one in range(SIGNATURES_MAX)]
    with pytest.raises(BadNote):
        log.cosigned(replace(log.checkpoint(), signatures=tuple(others)))
    assert kept(paths) == [(1, 2)]


def test_a_line_in_the_ledgers_name_is_not_taken_from_a_stick(
    log: Log, paths: SitePaths, tmp_path: Path
) -> None:
    note, back = log.checkpoint(), tmp_path / "back"
    mine = note.signatures[0]
    others = (replace(mine, blob=bytes(64)), replace(mine, name="x"))
    for other, taken in zip(others, (False, True), strict=True):
        back.write_bytes(bytes(Note(note.text, (*signed(note).signatures, other))))
        with nullcontext() if taken else pytest.raises(NotCosigned):
            take_cosigned(paths.ledger, back, None, MINE.vkey)
        assert kept(paths) == [(1, 2 if taken else 1)]


async def test_nothing_begins_to_leave_once_a_witness_refused(paths: SitePaths) -> None:
    queue = LedgerQueue(Log.open(paths.ledger))
    link = {"envelope": "0" * 32, "destination": "cloud:1"}
    await queue.append([Draft("link", link)])
    queue.stop("split_view")
    with pytest.raises(WitnessRefused, match="split_view"):
        await queue.append([Draft("link", link | {"envelope": "1" * 32})])
    counts = {"attempts": 1, "frames": 0, "bytes": 0, "destination_key": ""}
    await queue.append([Draft("link_close", {"envelope": "0" * 32, "outcome": "closed", **counts})])
    await queue.close()


def test_a_stick_goes_to_a_witness_and_back(log: Log, paths: SitePaths, tmp_path: Path) -> None:
    request, back = tmp_path / "request", tmp_path / "request.cosigned"
    grow(log, 4)
    log.checkpoint()
    assert write_request(paths.ledger, request, MINE.vkey, None) == (0, 5)
    with pytest.raises(CannotWrite, match="Not a directory"):
        write_request(paths.ledger, request / "below a file", MINE.vkey, None)
    note = Note.parse(read_request(request.read_bytes()).note)
    grow(log, 2)
    log.checkpoint()
    back.write_bytes(bytes(note) + line(note))
    assert take_cosigned(paths.ledger, back, None, MINE.vkey) == 5
    assert kept(paths) == [(5, 2), (7, 1)]
    assert write_request(paths.ledger, request, MINE.vkey, None) == (5, 7)
    assert write_request(paths.ledger, request, "", 6) == (6, 7)
    # Over HTTP only the line comes back.
    note = Note.parse(read_request(request.read_bytes()).note)
    (tmp_path / "line").write_bytes(line(note))
    assert take_cosigned(paths.ledger, request, tmp_path / "line", MINE.vkey) == 7
    assert vkey(paths.ledger).startswith(Checkpoint.parse(note.text).origin)


def test_what_is_not_the_witnesss_signature_of_this_ledger_is_not_kept(
    log: Log, paths: SitePaths, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    other = Log.open(tmp_path / "other" / "ledger.db")
    mine, theirs = log.checkpoint(), other.checkpoint()
    other.close()
    for content in (b"hello", bytes(mine), bytes(theirs) + line(theirs), bytes(mine) + line(theirs)):
        file.write_bytes(content)
        with pytest.raises(NotCosigned):
            take_cosigned(paths.ledger, file, None, MINE.vkey)
    assert kept(paths) == [(1, 1)]
    for other_key in ("hello", vkey(paths.ledger)):
        with pytest.raises(BadArgument):
            take_cosigned(paths.ledger, file, None, other_key)


def test_a_ledger_is_set_aside_whole_and_the_next_one_names_it(paths: SitePaths) -> None:
    with pytest.raises(NoLedger):
        set_aside(paths, datetime.now(UTC))
    first = Log.open(paths.ledger)
    grow(first, 3)
    root, origin = first.root, Checkpoint.parse(first.checkpoint().text).origin
    paths.witness_memory.write_text("{}")
    with pytest.raises(LedgerInUse):
        set_aside(paths, datetime.now(UTC))
    first.close()
    target = set_aside(paths, datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert target.name == "ledger.until-20260301T120000.db"
    assert not paths.witness_memory.exists()
    assert vkey(target).startswith(origin)
    second = Log.open(paths.ledger)
    try:
        assert Checkpoint.parse(second.checkpoint().text).origin != origin
        with closing(read_plain(paths.ledger)) as db:
            (entry,) = Rows(db).entries(0, 1)
        assert root.hex().encode() in entry
    finally:
        second.close()


class Killed(Exception):
    """As a power cut: nothing after it is done."""


@pytest.mark.parametrize("after", range(1, 4))
def test_a_ledger_that_was_set_aside_half_way_is_not_gone_on_with(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Killed after each of its steps; the files beside the database are as after a kill of the courier."""
    first = Log.open(paths.ledger)
    public, root = first.submission(0).public, first.root
    first.close()
    monkeypatch.setattr("edge.egress.ledger.anew._fold", lambda path: None)
    for beside in ("-wal", "-shm"):
        paths.ledger.with_name(f"ledger.db{beside}").touch()
    moved, rename = [], Path.rename

    def killed(path: Path, target: Path) -> Path:
        if len(moved) == after:
            raise Killed
        moved.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(Killed):
        set_aside(paths, datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert moved == ["ledger.key", "ledger.db-wal", "ledger.db-shm"][:after]
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(LedgerBroken, match=r"ledger\.key cannot be read") as refused:
        Log.open(paths.ledger)
    assert "postern ledger anew" in refused.value.remedy
    target = set_aside(paths, datetime(2026, 3, 2, tzinfo=UTC))
    assert target.name == "ledger.until-20260301T120000.db", "what was begun is gone on with"
    assert key.public_of(key.load(target.with_suffix(".key"))) == public
    assert vkey(target).startswith(origin_of_key(public))
    second = Log.open(paths.ledger)
    try:
        shown = second.submission(0)
    finally:
        second.close()
    assert shown.public != public
    with closing(read_plain(paths.ledger)) as db:
        (entry,) = Rows(db).entries(0, 1)
    assert root.hex().encode() in entry


def test_a_ledger_that_was_set_aside_is_never_written_over(paths: SitePaths) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    Log.open(paths.ledger).close()
    target = set_aside(paths, now)
    kept = target.read_bytes(), target.with_suffix(".key").read_bytes()
    Log.open(paths.ledger).close()
    with pytest.raises(BadArgument, match="is there already"):
        set_aside(paths, now)
    assert paths.ledger_key.exists()
    Log.open(paths.ledger).close()
    assert (target.read_bytes(), target.with_suffix(".key").read_bytes()) == kept


def test_a_key_that_was_lost_takes_no_place_of_another_ledgers(paths: SitePaths) -> None:
    Log.open(paths.ledger).close()
    first = set_aside(paths, datetime(2026, 3, 1, 12, tzinfo=UTC))
    first.rename(first.with_suffix(".taken-away"))
    Log.open(paths.ledger).close()
    paths.ledger_key.unlink()
    assert set_aside(paths, datetime(2026, 3, 2, tzinfo=UTC)).name == "ledger.until-20260302T000000.db"


def test_the_commands_do_the_same(paths: SitePaths, tmp_path: Path) -> None:
    def said(*arguments: str) -> dict[str, Any]:
        found = CliRunner().invoke(app, ["ledger", *arguments, "--site", str(tmp_path), "--json"])
        assert found.exit_code == 0, found.output
        return dict(json.loads(found.stdout))

    log, request = Log.open(paths.ledger), tmp_path / "request"
    log.checkpoint()
    assert said("key")["vkey"] == vkey(paths.ledger)
    assert said("request", str(request), "--key", MINE.vkey)["size"] == 1
    note = Note.parse(read_request(request.read_bytes()).note)
    (tmp_path / "lines").write_bytes(line(note))
    lines = ("--lines", str(tmp_path / "lines"))
    assert said("cosign", str(request), "--key", MINE.vkey, *lines) == {"size": 1}
    assert said("request", str(request), "--key", MINE.vkey)["from"] == 1
    log.close()
    assert Path(said("anew")["set_aside"]).exists()
