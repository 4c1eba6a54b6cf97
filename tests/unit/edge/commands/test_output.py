"""Results that cannot be written: said before the deed where that can be known, and never with a traceback."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from core.errors import CannotWrite
from edge.commands import audit, erasure, output, people, report
from edge.commands.output import expect_writable, write_file

SITE = ["--site", "site"]
SUBJECT = ["--subject", "emp-17"]
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
COMMANDS = {
    "report as HTML": (report, report.privacy_report, ["--html"]),
    "report as PDF": (report, report.privacy_report, ["--pdf"]),
    "export": (people, people.privacy_export, [*SUBJECT, "--html"]),
    "erasure": (erasure, erasure.erase, [*SUBJECT, "--receipt"]),
}
RECEIPT = {"found": False}


def command(run: Any, *arguments: str) -> Any:
    """A command's outcome, as typer ends it."""
    app = typer.Typer()
    app.command()(run)
    return CliRunner().invoke(app, [*SITE, *arguments])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("target", ["nowhere/file", "plain/file"])
def test_nothing_is_done_where_the_result_cannot_be_written(
    name: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, run, arguments = COMMANDS[name]
    done: list[str] = []
    monkeypatch.setattr(module, "operate_on", lambda site, operation, given: done.append(operation))
    (tmp_path / "plain").touch()
    found = command(run, *arguments, str(tmp_path / target))
    assert isinstance(found.exception, CannotWrite)
    assert not done


def test_a_file_can_be_made_or_replaced(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    expect_writable(None, there, tmp_path / "new")
    assert [*tmp_path.iterdir()] == [there]
    write_file(there, b"more")
    assert there.read_bytes() == b"more"


@pytest.mark.parametrize("target", ["/dev/null", "/"])
def test_what_is_no_file_is_not_taken_away(target: str) -> None:
    with pytest.raises(CannotWrite, match="is no file"):
        expect_writable(Path(target))


def test_whose_receipt_met_a_full_disk_is_told_where_else_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NO_SPACE

    monkeypatch.setattr(erasure, "operate_on", lambda *_: RECEIPT)
    monkeypatch.setattr(output, "write_atomic", full)
    found = command(erasure.erase, *SUBJECT, "--receipt", str(tmp_path / "receipt.json"))
    assert isinstance(found.exception, CannotWrite)
    assert "No space left on device" in found.exception.detail
    assert "postern privacy erasures --json" in found.exception.remedy


def test_an_export_that_meets_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise NO_SPACE

    monkeypatch.setattr("edge.commands.audit_pages.write_export", full)
    monkeypatch.setattr("edge.config.load_config", lambda paths: None)
    found = CliRunner().invoke(audit.audit, ["export", "--site", str(tmp_path)])
    assert isinstance(found.exception, CannotWrite)


@pytest.mark.parametrize(
    ("kind", "said"), [("/dev/full", "cannot_write"), ("/dev/null", "")], ids=["full", "not full"]
)
def test_standard_output_that_is_full_gives_an_error_and_no_traceback(kind: str, said: str) -> None:
    program = (
        "import sys\n"
        "from core.errors import CannotWrite\n"
        "from edge.commands.terminal import write\n"
        "try:\n    write({}, False, 'x')\n"
        "except CannotWrite as error:\n    sys.stderr.write(error.code)\n"
    )
    with open(kind, "wb") as target:
        done = subprocess.run([sys.executable, "-c", program], stdout=target, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.decode()) == (0, said)


# --- what comes in from a file ---

CHECKPOINT = {"first": 1, "last": 2, "sha256": "ab" * 32}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no such file."),
        ("no json", "This is no line that postern audit verify printed."),
        ('{"receipt": 1}', "This is no line that postern audit verify printed."),
        (json.dumps({**CHECKPOINT, "sha256": "ab"}), "This is no line that postern audit verify printed."),
        (json.dumps({**CHECKPOINT, "more": 1}), "This is no line that postern audit verify printed."),
    ],
)
def test_a_checkpoint_that_is_none_is_said_in_a_sentence(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "operate_on", lambda *_: pytest.fail("it was called"))
    file = tmp_path / "checkpoint.json"
    if content is not None:
        file.write_text(content)
    found = CliRunner().invoke(audit.audit, ["verify", "--site", "site", "--checkpoint", str(file)])
    assert found.exit_code == 2
    assert said in " ".join(found.output.replace("│", "").split())
    assert "validation" not in found.output


def test_a_checkpoint_goes_to_the_site_as_it_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def operate(site: Path, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        given.append(arguments["checkpoint"])
        return {"ok": True, "checkpoint": CHECKPOINT}

    monkeypatch.setattr(audit, "operate_on", operate)
    file = tmp_path / "checkpoint.json"
    file.write_text(json.dumps(CHECKPOINT))
    assert CliRunner().invoke(audit.audit, ["verify", *SITE, "--checkpoint", str(file)]).exit_code == 0
    assert CliRunner().invoke(audit.audit, ["verify", *SITE]).exit_code == 0
    assert given == [CHECKPOINT, None]
