"""A ledger that was set aside is read, exported and verified as the site's own is, wherever it lies."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.errors import BadArgument, CannotRead, ExitCode
from edge.cli import app
from edge.egress import verify
from edge.egress.ledger import reading
from edge.egress.ledger.anew import set_aside
from edge.egress.ledger.export import exported, told_of
from edge.egress.ledger.log import Log
from edge.egress.ledger.witnesses import vkey
from edge.egress.proofs.checking import check_site
from edge.paths import SitePaths
from tests.contract.courier_process import new_site
from tests.unit.edge.egress.ledger.test_export import pairs

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEAVES = 1 + 2 * 5
"""Of the old one; the last six of them it never signed."""


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


def written(paths: SitePaths) -> Log:
    log = Log.open(paths.ledger)
    log.append(pairs(2))
    log.checkpoint()
    log.append(pairs(3, first=2))
    return log


@pytest.fixture
def old(paths: SitePaths) -> Path:
    """Set aside; another has begun."""
    written(paths).close()
    target = set_aside(paths, NOW)
    Log.open(paths.ledger).close()
    return target


def said(*arguments: str) -> Any:
    found = CliRunner().invoke(app, ["ledger", *arguments, "--json"])
    # A record that was never compared with a kernel's counters is whole, and no more.
    assert found.exit_code == (ExitCode.NOT_KNOWN if "verify" in arguments else ExitCode.OK), found.output
    return json.loads(found.stdout)


def test_all_of_it_is_exported_and_nothing_is_left_beside_it(
    paths: SitePaths, old: Path, tmp_path: Path
) -> None:
    before = sorted(old.parent.iterdir())
    with exported(paths, old) as export:
        export.write(tmp_path / "old.zip")
        key = str(told_of(export)["log_key"])
    assert sorted(old.parent.iterdir()) == before
    assert key == vkey(old) != vkey(paths.ledger)
    found = verify.examine(str(tmp_path / "old.zip"), verify.ask(key))
    assert (found.problems, found.record.count, found.strange) == ([], LEAVES, [])


def test_the_commands_take_it(paths: SitePaths, old: Path, tmp_path: Path) -> None:
    site = ("--site", str(paths.root))
    moved = tmp_path / "stick"
    moved.mkdir()
    for file in (old, old.with_suffix(".key")):
        file.rename(moved / file.name)
    which = (*site, "--ledger", str(moved / old.name))
    told = said("verify", *which)
    assert (told["whole"], told["entries"], told["unsigned"]) == (True, LEAVES, 0)
    assert len(said("show", *which)) == LEAVES
    assert len(said("show", *site)) == 1
    out = tmp_path / "old"
    assert said("export", *which, "--out", str(out))["entries"] == LEAVES
    assert said("verify", "--export", str(out))["entries"] == LEAVES
    both = ["ledger", "verify", "--ledger", str(moved / old.name), "--export", str(out)]
    assert isinstance(CliRunner().invoke(app, both).exception, BadArgument)


def test_without_its_key_the_end_that_nobody_signed_is_told(paths: SitePaths, old: Path) -> None:
    old.with_suffix(".key").unlink()
    told = check_site(paths, None, old)
    assert (told["whole"], told["entries"], told["unsigned"]) == (True, 5, LEAVES - 5)


def test_what_was_in_its_log_counts(paths: SitePaths, tmp_path: Path) -> None:
    """A copy from a running site, or one that was damaged."""
    log = written(paths)
    copy = tmp_path / "copy.db"
    for beside in ("", "-wal"):
        shutil.copy(paths.ledger.with_name(f"ledger.db{beside}"), f"{copy}{beside}")
    log.close()
    assert len(list(reading.read(copy, aside=True))) == LEAVES


def test_one_that_is_not_there_is_said(paths: SitePaths, old: Path) -> None:
    with pytest.raises(CannotRead) as refused:
        check_site(paths, None, paths.courier / "ledger.until-1.db")
    assert str(old) in str(refused.value.remedy)
