"""A wrong path, a file that is not this account's, a ledger that was taken away: none of it reads as "nothing left"."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.errors import CannotRead, ExitCode, PosternError
from edge import doctor
from edge.cli import app
from edge.egress.ledger import LedgerBroken, NoLedger
from edge.egress.ledger.log import Log
from edge.egress.ledger.memory import Memory
from edge.egress.ledger.notes import Checkpoint
from edge.egress.proofs.checking import check_site
from edge.paths import NoSite, SitePaths
from edge.processes import run_courier
from tests.contract.courier_process import new_site
from tests.unit.edge.egress.ledger.test_export import pairs

COMMANDS = {
    "verify": (),
    "export": ("--out", "{out}"),
    "show": (),
    "checkpoint": (),
    "key": (),
    "request": ("{out}",),
    "cosign": ("{out}", "--key", "witness+00000000+AAAA"),
    "anew": (),
}
"""All that read a site's ledger, with what they need beside the site."""


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


def refused(command: str, paths: SitePaths) -> PosternError:
    """What the command says; it writes nothing."""
    out = str(paths.root.parent / "out")
    more = [one.format(out=out) for one in COMMANDS[command]]
    found = CliRunner().invoke(app, ["ledger", command, *more, "--site", str(paths.root)])
    assert isinstance(found.exception, PosternError), found.output
    assert (found.stdout, Path(out).exists()) == ("", False)
    return found.exception


@pytest.mark.parametrize("command", COMMANDS)
def test_no_site(command: str, tmp_path: Path) -> None:
    error = refused(command, SitePaths(tmp_path / "nowhere"))
    assert isinstance(error, NoSite)
    assert error.exit_code is ExitCode.USAGE
    assert "There is no site at" in error.detail


@pytest.mark.parametrize("command", COMMANDS)
def test_a_courier_that_never_ran(command: str, paths: SitePaths) -> None:
    error = refused(command, paths)
    assert isinstance(error, NoLedger)
    assert "never run" in error.detail


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("left", ["ledger.key", "enrolment.json"])
def test_a_ledger_that_was_taken_away_is_an_alarm(command: str, left: str, paths: SitePaths) -> None:
    Log.open(paths.ledger).close()
    for file in paths.courier.iterdir():
        file.unlink()
    (paths.courier / left).touch()
    error = refused(command, paths)
    assert isinstance(error, LedgerBroken)
    assert left in error.detail


@pytest.mark.parametrize("command", COMMANDS)
def test_one_that_was_set_aside_is_named(command: str, paths: SitePaths) -> None:
    Log.open(paths.ledger).close()
    CliRunner().invoke(app, ["ledger", "anew", "--site", str(paths.root)])
    (aside,) = paths.courier.glob("ledger.until-*.db")
    error = refused(command, paths)
    assert isinstance(error, NoLedger)
    assert str(aside) in error.detail


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", ["site.toml", "ledger.db"])
def test_what_is_not_this_accounts(
    command: str, file: str, paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so that the refusal is made up."""
    Log.open(paths.ledger).close()
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == file:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    error = refused(command, paths)
    assert isinstance(error, CannotRead)
    assert (f"{file} cannot be read" in error.detail, "postern-courier" in error.remedy) == (True, True)


@pytest.mark.parametrize(("left", "ok"), [("", True), ("ledger.key", False)])
def test_the_doctor_asks_in_the_same_way(left: str, ok: bool, paths: SitePaths) -> None:
    if left:
        paths.courier.mkdir()
        (paths.courier / left).touch()
    check = doctor._safely(doctor._ledger, paths)
    assert (check.ok, check.severity) == (ok, "error")


@pytest.mark.parametrize(("leaves", "said"), [((4, 2), "an older state"), ((2, 4), "rewritten"), ((2,), "")])
def test_another_ledger_than_a_witness_signed_is_found_without_a_network(
    leaves: tuple[int, ...], said: str, paths: SitePaths
) -> None:
    """Whoever has the key lets the ledger begin again, and what the witness signed lies beside."""
    for count in leaves:
        paths.ledger.unlink(missing_ok=True)
        log = Log.open(paths.ledger)
        log.append(pairs(count))
        note = Checkpoint.parse(log.checkpoint().text)
        if count == leaves[0]:
            memory = Memory(size=note.size, root=note.root.hex(), origin=note.origin)
            paths.witness_memory.write_text(json.dumps(asdict(memory)))
        log.close()
    check = doctor._safely(doctor._ledger, paths)
    told = check_site(paths)
    assert (check.ok, told["whole"]) == (not said, not said)
    assert said in check.found
    assert said in "".join(told["problems"])


def test_a_courier_makes_no_ledger_where_there_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(NoSite):
        run_courier(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_headlines_say_what_happened(paths: SitePaths, tmp_path: Path) -> None:
    Log.open(paths.ledger).close()
    site = ("--site", str(paths.root))
    (tmp_path / "there").touch()
    for asked in (
        ("verify", *site, "--checkpoint", str(tmp_path / "none")),
        ("verify", "--export", str(tmp_path / "none")),
        ("verify",),
        ("export", *site, "--out", "/nowhere/x.zip"),
        ("export", *site, "--out", str(tmp_path / "there")),
        ("request", *site, "/nowhere/request"),
        ("request", *site, str(tmp_path / "request"), "--key", "no key"),
    ):
        error = CliRunner().invoke(app, ["ledger", *asked]).exception
        assert isinstance(error, PosternError), asked
        assert "configuration" not in error.title
        assert not any(word in error.detail for word in ("Errno", ".tmp")), error.detail
