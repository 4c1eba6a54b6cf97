"""The weekly report says what the verifier found, of that week, and nothing of a record that is not whole."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.errors import ConfigError, ExitCode
from edge.cli import app
from edge.egress.exits import CLAIM, EXITS
from edge.egress.proofs.weekly_report import days_of, told_of, weekly
from edge.privacy.report.document import Document
from edge.privacy.report.html import as_html
from tests import ledger_exports as exports
from tests.ledger_exports import LOG_VKEY, WITNESS_VKEYS, Ledger

WEEK = "2026-W09"
MONDAY_MS = exports.START_MS - 6 * 86_400_000
WEEK_MS = 7 * 86_400_000

MADE_ON = date(2026, 3, 2)


def ledger(unexplained: int = 0, compared: bool = True) -> Ledger:
    """A connection, an envelope of records, a text of 2,000 bytes; all of the week compared with the kernel."""
    found = Ledger(MONDAY_MS, _compared_ms=MONDAY_MS)
    found.begin()
    link = found.link()
    for text, size in ((False, 1_000), (True, 2_000)):
        found.time_ms += 1_000
        envelope = found.intent(text=text, size=size)
        found.time_ms += 1_000
        found.close(envelope, size)
    found.link_close(link)
    found.time_ms = MONDAY_MS + WEEK_MS - 60_000
    if compared:
        found.compare(unexplained)
    return found


def exported(folder: Path, found: Ledger) -> str:
    files = exports.export(found.entries(), cosigned_s=found.time_ms // 1000)
    return str(exports.write(files, folder / "export"))


def text_of(document: Document) -> str:
    return document.model_dump_json()


def reported(export: str, week: str = WEEK, **asked: Any) -> tuple[dict[str, Any], Document]:
    told = told_of(export, week, **{"log_key": LOG_VKEY, "witnesses": WITNESS_VKEYS, **asked})
    return told, weekly(told, week, MADE_ON)


def test_a_week_is_its_days() -> None:
    assert days_of("2026-W48") == (date(2026, 11, 23), date(2026, 11, 29))
    assert days_of("2026-W01") == (date(2025, 12, 29), date(2026, 1, 4))
    for wrong in ("2026-48", "2026-W54", "2026-W00", "W48", ""):
        with pytest.raises(ConfigError):
            days_of(wrong)


def test_it_says_what_left_and_that_all_is_explained(tmp_path: Path) -> None:
    told, document = reported(exported(tmp_path, ledger()))
    assert told["ok"], told["problems"]
    assert dict(document.front)["Finding"] == "whole, and all is explained"
    assert dict(document.front)["Witnesses compared"] == ", ".join(exports.WITNESSES)
    alone = reported(exported(tmp_path / "alone", ledger()), witnesses=())[1]
    assert dict(alone.front)["Witnesses compared"] == "none"
    text = text_of(document)
    assert "3,000 bytes in 2 envelopes. Texts among them: 2,000 bytes in 1." in text
    assert CLAIM in document.notice
    assert all(one.name in text for one in EXITS)
    assert "Complete for kernel-counted egress of this host" in text
    assert CLAIM in as_html(document)
    assert "Draft" not in as_html(document)


def test_bytes_that_nothing_explains_stand_on_the_first_page(tmp_path: Path) -> None:
    told, document = reported(exported(tmp_path, ledger(unexplained=777)))
    assert not told["ok"]
    assert dict(document.front)["Finding"] == "whole, and NOT all is explained"
    text = text_of(document)
    assert "777 bytes" in text
    # Whoever tried it: the node's own is among it.
    assert "Tried, and refused by the kernel (of any user)" in text
    assert "Tried by other users" not in text
    assert "Times with something unexplained" in text_of(document)


def test_what_other_users_sent_is_told_and_the_host_is_not_called_complete(tmp_path: Path) -> None:
    shared = ledger()
    shared.time_ms += 60_000
    shared.compare(others_sent=54_321, lan=99)
    _, document = reported(exported(tmp_path, shared))
    text = text_of(document)
    assert "54,321 bytes" in text
    assert "99 bytes" in text
    assert "Complete for kernel-counted egress of this host" not in text
    assert "kernel-counted egress of this host" not in as_html(document)


def test_it_is_short_and_no_hash_is_set_in_one_piece(tmp_path: Path) -> None:
    _, document = reported(exported(tmp_path, ledger()))
    html = as_html(document)
    assert "Contents" not in html
    assert 'class="part"' not in html
    # Between backticks a hash may break; else it runs over the edge of its cell.
    hashes = re.findall(r"(.)[0-9a-f]{64}(.)", document.model_dump_json(exclude={"facts_sha256"}))
    assert set(hashes) == {("`", "`")}


def test_of_another_week_nothing_is_told(tmp_path: Path) -> None:
    told, document = reported(exported(tmp_path, ledger()), "2026-W12")
    assert (told["left"], told["ok"]) == ([], False)
    assert dict(document.front)["Finding"] == "whole, but it has nothing of this week"
    assert "The record has nothing of this week, so it does not say: it begins at" in text_of(document)
    assert "0 bytes in 0 envelopes" not in text_of(document)
    assert "Nobody compared the record" in text_of(document)


def test_a_week_that_nobody_compared_is_not_called_explained(tmp_path: Path) -> None:
    never, ended = Ledger(MONDAY_MS), ledger()
    never.begin()
    never.time_ms += WEEK_MS
    never.close(never.intent())
    told, document = reported(exported(tmp_path / "never", never))
    assert not told["ok"]
    assert "nobody compared this week" in dict(document.front)["Finding"]
    ended.time_ms += WEEK_MS
    ended.close(ended.intent())
    export = exported(tmp_path / "ended", ended)
    assert dict(reported(export)[1].front)["Finding"] == "whole, and all is explained"
    told, document = reported(export, "2026-W10")
    assert not told["ok"]
    assert "nobody compared this week" in dict(document.front)["Finding"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off", b"no zip at all"])
def test_what_is_no_export_is_said_in_words(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "export.zip"
    file.write_bytes(data)
    ended = CliRunner().invoke(app, ["ledger", "report", str(file), "--week", WEEK])
    assert ended.exception is None or isinstance(ended.exception, ConfigError | SystemExit)
    assert ended.exit_code != ExitCode.OK


def test_a_record_that_was_changed_says_nothing_but_that(tmp_path: Path) -> None:
    files = exports.export(ledger().entries())
    name = next(name for name in files if name.startswith("tile/entries"))
    files[name] = files[name].replace(b'"bytes":2000', b'"bytes":1000')
    told, document = reported(str(exports.write(files, tmp_path / "export")))
    assert not told["whole"]
    assert dict(document.front)["Finding"].startswith("WRONG")
    assert [section.id for section in document.sections] == ["wrong"]
    assert document.standing == "Nothing of this record can be relied on"
    assert "envelopes" not in text_of(document)


def test_the_command_writes_it_and_ends_as_the_verifier_does(tmp_path: Path) -> None:
    html, export = tmp_path / "week.html", exported(tmp_path, ledger())
    asked = ["ledger", "report", export, "--week", WEEK, "--log-key", LOG_VKEY, "--html", str(html)]
    ended = CliRunner().invoke(app, asked)
    assert ended.exit_code == ExitCode.OK, ended.output
    assert "Egress report, week 2026-W09" in html.read_text(encoding="utf-8")
    for name, other, week, status in (
        ("found", ledger(unexplained=777), WEEK, ExitCode.CHECK_FAILED),
        ("nobody", ledger(compared=False), WEEK, ExitCode.NOT_KNOWN),
        ("another week", ledger(), "2026-W30", ExitCode.NOT_KNOWN),
    ):
        export = exported(tmp_path / name, other)
        ended = CliRunner().invoke(app, ["ledger", "report", export, "--week", week])
        assert ended.exit_code == status, name


@pytest.mark.long  # the library that sets pages is large
def test_it_is_set_as_pdf(tmp_path: Path) -> None:
    from edge.privacy.report.pdf import as_pdf

    assert as_pdf(reported(exported(tmp_path, ledger()))[1]).startswith(b"%PDF-")
