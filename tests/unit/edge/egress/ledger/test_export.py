"""Exports of the ledger: what the courier wrote is what the single-file verifier finds."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from cloud_sync.witness.notes import COSIGNATURE_V1, cosign, public_key, signature_line
from core.errors import BadArgument, CannotWrite, ExitCode
from edge.cli import app
from edge.egress import verify
from edge.egress.ledger import NoLedger
from edge.egress.ledger.export import exported, told_of
from edge.egress.ledger.leaf_types import Draft
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Note
from edge.egress.proofs.checking import check_site
from edge.paths import SitePaths
from tests import ledger_exports
from tests.contract.courier_process import new_site

POLICY = b'{"policies":[]}'


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


@pytest.fixture
def log(paths: SitePaths) -> Iterator[Log]:
    opened = Log.open(paths.ledger, now_ms=lambda: ledger_exports.START_MS)
    yield opened
    opened.close()


def pairs(number: int, first: int = 0) -> list[Draft]:
    """Envelopes that were sent, as drafts."""
    found = ledger_exports.Ledger()
    found._number = first
    for _ in range(number):
        found.close(found.intent())
    return [
        Draft(str(body.pop("type")), {name: body[name] for name in body if name != "time_ms"})  # type: ignore[misc]
        for body in found.bodies
    ]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300])
def test_what_was_written_verifies_elsewhere(number: int, log: Log, paths: SitePaths, tmp_path: Path) -> None:
    log.append(pairs(number))
    log.checkpoint()
    with exported(paths) as export:
        export.write(tmp_path / "folder")
        export.write(tmp_path / "export.zip")
        key = str(told_of(export)["log_key"])
    for name in ("folder", "export.zip"):
        found = verify.examine(str(tmp_path / name), verify.ask(key))
        assert found.problems == []
        assert (found.record.count, found.strange) == (1 + 2 * number, [])


def test_a_tree_of_two_levels_of_tiles_verifies(log: Log, paths: SitePaths) -> None:
    log.append(pairs(130))
    log.checkpoint()
    log.append(pairs(400, first=130))  # the tiles of the checkpoint's end are full now
    with exported(paths) as export:
        assert export.size == 261
        found = verify.verify(export, verify.ask())
    assert found.problems == []
    assert found.record.count == 261


def test_it_ends_where_the_newest_checkpoint_does_and_a_check_goes_on(log: Log, paths: SitePaths) -> None:
    log.append(pairs(2))
    log.checkpoint()
    log.append(pairs(3, first=2))
    with exported(paths) as export:
        assert export.size == 5
    told = check_site(paths)
    assert (told["whole"], told["entries"], told["unsigned"], told["earlier_checkpoints"]) == (True, 11, 0, 1)
    paths.ledger_key.chmod(0)
    if not paths.ledger_key.stat().st_uid:  # root reads it all the same
        paths.ledger_key.unlink()
    told = check_site(paths)
    assert (told["whole"], told["entries"], told["unsigned"]) == (True, 5, 6)


def test_of_one_day_each_witness_keeps_its_signature(log: Log, paths: SitePaths) -> None:
    """The control plane's comes each minute, the customer's on a stick once in a while."""
    seen: dict[str, str] = {}
    for name, size in (("customer", 2), ("cloud", 4)):
        witness = Ed25519PrivateKey.generate()
        public = public_key(witness, COSIGNATURE_V1, f"witness.example/{name}")
        log.append(pairs(1, first=size))
        note = log.checkpoint()
        line = signature_line(cosign(note.text.encode(), witness, public, ledger_exports.START_MS // 1000))
        log.cosigned(Note.parse(bytes(note) + line.encode()))
        seen[name] = public.vkey
    log.append(pairs(1, first=6))
    log.checkpoint()
    with exported(paths) as export:
        found = verify.verify(export, verify.ask(witnesses=seen.values()))
    assert found.problems == []
    assert [one.size for one in found.cosigned] == [3, 5]


def test_policies_that_were_used_are_in_it(log: Log, paths: SitePaths) -> None:
    digest = hashlib.sha256(POLICY).hexdigest()
    paths.policies_used.mkdir()
    (paths.policies_used / f"{digest}.json").write_bytes(POLICY)
    (paths.policies_used / "notes.txt").write_bytes(b"no policy")
    opened, closed = pairs(1)
    log.append([Draft("intent", {**opened.fields, "policy": digest, "verdict": "internal"}), closed])
    log.checkpoint()
    with exported(paths) as export:
        found = verify.verify(export, verify.ask())
    assert (found.problems, found.policies_missing) == ([], [])
    assert found.record.policies == {digest}


def test_a_row_that_somebody_changed_is_found(log: Log, paths: SitePaths) -> None:
    log.append(pairs(200))
    log.checkpoint()
    for change in (
        "UPDATE leaves SET entry = CAST(replace(CAST(entry AS TEXT), '\"bytes\":1000', '\"bytes\":1001') AS BLOB) "
        "WHERE number = 6",
        "DELETE FROM leaves WHERE number = 400",
        "UPDATE tiles SET hashes = zeroblob(8192)",
    ):
        log._db.execute("BEGIN")
        log._db.execute(change)
        log._db.execute("COMMIT")
        assert not check_site(paths)["whole"], change


def test_nothing_signed_and_nothing_there_are_said(paths: SitePaths, tmp_path: Path) -> None:
    with pytest.raises(NoLedger), exported(paths):
        pass
    opened = Log.open(paths.ledger)
    opened.close()
    paths.ledger_key.rename(tmp_path / "away")
    with pytest.raises(NoLedger, match="signed"), exported(paths):
        pass


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_a_place_that_cannot_be_written_is_said(
    name: str, log: Log, paths: SitePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.checkpoint()
    place, file = tmp_path / "place", tmp_path / "file"
    place.mkdir()
    file.touch()
    with exported(paths) as export:
        with pytest.raises(CannotWrite, match="Not a directory") as refused:
            export.write(file / name)
        assert refused.value.remedy

        def full(_: str) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(export, "_made", full)
        with pytest.raises(CannotWrite, match="No space left"):
            export.write(place / name)
    assert list(place.iterdir()) == [], "what was begun is gone"


def test_the_commands(log: Log, paths: SitePaths, tmp_path: Path) -> None:
    log.append(pairs(1))
    log.checkpoint()
    out, site = str(tmp_path / "export.zip"), str(paths.root)
    made = CliRunner().invoke(app, ["ledger", "export", "--site", site, "--out", out])
    assert (made.exit_code, "3 entries" in made.output) == (0, True)
    again = CliRunner().invoke(app, ["ledger", "export", "--site", site, "--out", out])
    assert isinstance(again.exception, CannotWrite)
    for where in (["--site", site], ["--export", out]):
        done = CliRunner().invoke(app, ["ledger", "verify", *where])
        # Whole, and nobody compared it with a kernel's counters: nothing says that nothing else left.
        assert (done.exit_code, "stands for it (see the end): 3 entries" in done.output) == (
            ExitCode.NOT_KNOWN,
            True,
        )
        assert "Nobody can tell" in done.output
    (tmp_path / "torn.zip").write_bytes((tmp_path / "export.zip").read_bytes()[:-50])
    done = CliRunner().invoke(app, ["ledger", "verify", "--export", str(tmp_path / "torn.zip")])
    assert isinstance(done.exception, BadArgument)
    assert "was cut off" in str(done.exception)
    assert isinstance(CliRunner().invoke(app, ["ledger", "verify"]).exception, BadArgument)


def test_what_the_last_checkpoint_does_not_cover_is_told(log: Log, paths: SitePaths, tmp_path: Path) -> None:
    log.append(pairs(1))
    log.checkpoint()
    log.append(pairs(2, first=1))
    site = ["--site", str(paths.root)]
    made = CliRunner().invoke(app, ["ledger", "export", *site, "--out", str(tmp_path / "folder")])
    assert "Newer entries that are not signed yet, and not in it: 4." in made.output
    assert "Export again" in made.output
    assert f"in the folder {tmp_path / 'folder'}" in made.output
    found = CliRunner().invoke(app, ["ledger", "verify", *site])
    assert "Signed only now, for this: the last 4." in found.output
    told = check_site(paths)
    assert (told["entries"], told["unsigned"], told["signed_now"]) == (7, 0, 4)
    log.checkpoint()
    assert check_site(paths)["signed_now"] == 0
