"""`postern ledger show`: a line for each leaf, that a person reads, and none of them held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.commands.ledger_lines import in_words
from edge.commands.terminal import write_each
from edge.egress.ledger import reading
from edge.egress.ledger.leaf_types import LEAF_FIELDS, Draft, Leaf
from edge.egress.ledger.log import Log
from edge.paths import SitePaths
from edge.store.plain import connect_plain
from tests.contract.courier_process import new_site
from tests.unit.edge.egress.ledger.test_export import pairs

START_MS = 1_796_043_459_675
PAIRS = 300
"""More leaves than are read in one go."""
LEAVES = 1 + 2 * PAIRS


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> SitePaths:
    made = new_site(tmp_path_factory.mktemp("show") / "site")
    log = Log.open(made.ledger, now_ms=lambda: START_MS)
    log.append(pairs(PAIRS))
    log.close()
    return made


def shown(paths: SitePaths, *more: str) -> str:
    found = CliRunner().invoke(app, ["ledger", "show", "--site", str(paths.root), *more])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_a_person_reads_when_what_went_where(paths: SitePaths) -> None:
    lines = shown(paths).splitlines()
    assert len(lines) == LEAVES
    begin, intent, close = lines[:3]
    assert begin.startswith("2026-11-30 12:57:39 UTC  #0 begin key ")
    (_, said, _) = list(reading.read(paths.ledger))[:3]
    fields = said.fields
    assert intent.startswith(
        f"2026-11-30 12:57:39 UTC  #1 intent {fields['kind']} to {fields['destination']}, "
    )
    assert f", {fields['bytes']:,} bytes, " in intent
    assert "#2 close written, " in close
    assert all(str(fields["envelope"]) in line for line in (intent, close)), "which belong together"


def test_the_newest_alone(paths: SitePaths) -> None:
    assert shown(paths, "--last", "3").splitlines() == shown(paths).splitlines()[-3:]
    assert len(shown(paths, "--last", "1000000").splitlines()) == LEAVES


@pytest.mark.parametrize("last", [None, 2])
def test_json_is_the_list_that_it_was(paths: SitePaths, last: int | None) -> None:
    leaves = [asdict(leaf) for leaf in reading.read(paths.ledger)][-(last or 0) :]
    told = shown(paths, "--json", *(["--last", str(last)] if last else []))
    assert told == json.dumps(leaves, ensure_ascii=False, indent=2) + "\n"


@dataclass
class One:
    number: int


@pytest.mark.parametrize("as_json", [False, True])
def test_what_came_is_written_before_the_next_is_asked_for(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def values() -> Iterator[One]:
        yield One(1)
        assert "1" in capsys.readouterr().out
        yield One(2)

    write_each(values(), as_json, str)
    assert "2" in capsys.readouterr().out


def test_nothing_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    nothing: list[One] = []
    write_each(nothing, True, str)
    assert json.loads(capsys.readouterr().out) == []


def test_who_reads_slowly_keeps_the_courier_from_nothing(paths: SitePaths) -> None:
    leaves = reading.read(paths.ledger)
    next(leaves)
    with closing(connect_plain(paths.ledger)) as db:
        db.execute("PRAGMA busy_timeout=0").fetchone()
        db.execute("CREATE TABLE IF NOT EXISTS beside(x)")
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert len(list(leaves)) == LEAVES - 1


@pytest.mark.parametrize("kind", LEAF_FIELDS)
def test_a_forged_leaf_of_any_type_steers_no_terminal(kind: str) -> None:
    forged: dict[str, Any] = dict.fromkeys(LEAF_FIELDS[kind], "\x1b[2J\x9b\u202e")
    line = in_words(Leaf(0, 10**15, Draft(kind, forged).type, forged))
    assert line.isascii()
    assert line.isprintable()
