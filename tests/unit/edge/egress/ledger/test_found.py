"""A wrong path, a file that is not this account's, a ledger that was taken away: none of it reads as "nothing left"."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner, Result
from typer.main import get_command

from core.errors import CannotRead, ExitCode, PosternError
from edge import doctor
from edge.cli import app
from edge.egress.ledger import LedgerBroken, NoLedger, key
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


@cache
def _command() -> Command:
    """Made once: it is as large as all of Postern's commands."""
    return get_command(app)


def said(arguments: list[str]) -> Result:
    return CliRunner().invoke(_command(), arguments)


def remember(paths: SitePaths, memory: Memory) -> None:
    """As the courier does what a witness signed last."""
    paths.witness_memory.write_text(json.dumps(asdict(memory)))


def _put(private: bytes, path: Path) -> bytes:
    path.write_bytes(private)
    return private


def refused(commands: Iterable[str], paths: SitePaths) -> Iterator[PosternError]:
    """What each command says; it writes nothing."""
    out = str(paths.root.parent / "out")
    for command in commands:
        more = [one.format(out=out) for one in COMMANDS[command]]
        found = said(["ledger", command, *more, "--site", str(paths.root)])
        assert isinstance(found.exception, PosternError), (command, found.output)
        assert (found.stdout, Path(out).exists()) == ("", False), command
        yield found.exception


def test_no_site(tmp_path: Path) -> None:
    for error in refused(COMMANDS, SitePaths(tmp_path / "nowhere")):
        assert isinstance(error, NoSite)
        assert error.exit_code is ExitCode.USAGE
        assert "There is no site at" in error.detail


def test_a_courier_that_never_ran(paths: SitePaths) -> None:
    for error in refused(COMMANDS, paths):
        assert isinstance(error, NoLedger)
        assert "never run" in error.detail


@pytest.mark.parametrize("left", ["ledger.key", "enrolment.json"])
def test_a_ledger_that_was_taken_away_is_an_alarm(left: str, paths: SitePaths) -> None:
    Log.open(paths.ledger).close()
    for file in paths.courier.iterdir():
        file.unlink()
    (paths.courier / left).touch()
    for error in refused(COMMANDS.keys() - {"anew"}, paths):
        assert isinstance(error, LedgerBroken)
        assert left in error.detail


def test_one_that_was_set_aside_is_named(paths: SitePaths) -> None:
    Log.open(paths.ledger).close()
    said(["ledger", "anew", "--site", str(paths.root)])
    (aside,) = paths.courier.glob("ledger.until-*.db")
    for error in refused(COMMANDS, paths):
        assert isinstance(error, NoLedger)
        assert str(aside) in error.detail


@pytest.mark.parametrize("file", ["site.toml", "ledger.db"])
def test_what_is_not_this_accounts(file: str, paths: SitePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so that the refusal is made up."""
    Log.open(paths.ledger).close()
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == file:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    for error in refused(COMMANDS, paths):
        assert isinstance(error, CannotRead)
        assert (f"{file} cannot be read" in error.detail, "postern-courier" in error.remedy) == (True, True)


@pytest.mark.parametrize(("left", "ok"), [("", True), ("ledger.key", False)])
def test_the_doctor_asks_in_the_same_way(left: str, ok: bool, paths: SitePaths) -> None:
    if left:
        paths.courier.mkdir()
        (paths.courier / left).touch()
    check = doctor._safely(doctor._ledger, paths)
    assert (check.ok, check.severity) == (ok, "error")


@pytest.mark.parametrize(
    ("leaves", "same", "said"),
    [
        ((4, 2), True, "an older state"),
        ((2, 4), True, "rewritten"),
        ((2, 4), False, "another"),
        ((2,), True, ""),
    ],
)
def test_another_ledger_than_a_witness_signed_is_found_without_a_network(
    leaves: tuple[int, ...], same: bool, said: str, paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the key lets the ledger begin again, or another one, and what the witness signed lies beside."""
    memory = Memory()
    for count in leaves:
        for file in (paths.ledger, paths.ledger_key):
            file.unlink(missing_ok=True)
        log = Log.open(paths.ledger)
        log.append(pairs(count))
        note = Checkpoint.parse(log.checkpoint().text)
        log.close()
        if not memory.size:
            memory = Memory(size=note.size, root=note.root.hex(), origin=note.origin)
            private = paths.ledger_key.read_bytes()
            if same:
                monkeypatch.setattr(key, "create", partial(_put, private))
    remember(paths, memory)
    if said:
        with pytest.raises(LedgerBroken, match=said):
            Log.open(paths.ledger)
    else:
        Log.open(paths.ledger).close()
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
        error = said(["ledger", *asked]).exception
        assert isinstance(error, PosternError), asked
        assert "configuration" not in error.title
        assert not any(word in error.detail for word in ("Errno", ".tmp")), error.detail
