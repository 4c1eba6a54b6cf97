"""The verifier and files made to hurt it: it answers in words, and neither writes, hangs, nor follows a link."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.egress import verify
from tests import ledger_exports as exports
from tests.ledger_exports import LOG_VKEY, Files


@pytest.fixture
def files() -> Files:
    return exports.export(exports.ordinary(60))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The file by itself, away from our packages."""
    command = [sys.executable, "-I", verify.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def answered(export: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    status = verify.main([str(export), "--log-key", LOG_VKEY, *options])
    return status, capsys.readouterr().out


def test_a_folder_and_a_zip_of_it_answer_the_same(files: Files, tmp_path: Path) -> None:
    folder = run(str(exports.write(files, tmp_path / "out")), "--log-key", LOG_VKEY, "--json")
    packed = run(str(exports.pack(files, tmp_path / "out.zip")), "--log-key", LOG_VKEY, "--json")
    assert (folder.returncode, packed.returncode, folder.stderr) == (0, 0, "")
    assert json.loads(folder.stdout) == json.loads(packed.stdout)
    assert json.loads(folder.stdout)["entries"] == 60


@pytest.mark.parametrize(
    "arguments",
    [
        ("/nowhere/at/all",),
        (".", "--log-key", "not a key"),
        (".", "--log-key", exports.WITNESS_VKEYS[0]),
        (".", "--witness", LOG_VKEY),
        (".", "--need", "1"),
        (".", "--from", "yesterday"),
        (".", "--from", "2026-03-02", "--to", "2026-03-01"),
        (".", "--checkpoint", "/nowhere"),
        (".", "--site-key", "/nowhere"),
        (".",),
    ],
)
def test_a_question_that_makes_no_sense(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main(list(arguments)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def _bomb(files: Files, file: Path) -> None:
    exports.pack({**files, "tile/0/000.p/60": b"\0" * 50_000_000}, file)


def _twice(files: Files, file: Path) -> None:
    exports.pack(files, file)
    with zipfile.ZipFile(file, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("checkpoint", files["checkpoint"])


def _lzma(files: Files, file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as packed:
        for name, data in files.items():
            packed.writestr(name, data)


def _torn(files: Files, file: Path) -> None:
    whole = exports.pack(files, file).read_bytes()
    file.write_bytes(whole[:100] + whole[300:])


def _no_zip(_: Files, file: Path) -> None:
    file.write_bytes(b"PK\x03\x04 nothing of the kind")


def _empty(_: Files, file: Path) -> None:
    file.write_bytes(b"")


def _vast_directory(files: Files, file: Path) -> None:
    """A directory said to be of 2 GB, in a file that is that long (and has holes)."""
    exports.pack(files, file)
    with file.open("r+b") as opened:
        opened.seek(0, io.SEEK_END)
        opened.truncate(1 << 31)
        opened.seek(0, io.SEEK_END)
        opened.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, (1 << 31) - 64, 64, 0))


@pytest.mark.parametrize("make", [_bomb, _twice, _lzma, _torn, _vast_directory])
def test_a_zip_that_means_harm(
    make: Callable[[Files, Path], None], files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(files, tmp_path / "export.zip")
    status, out = answered(tmp_path / "export.zip", capsys)
    assert status == 3
    assert out.startswith("WRONG")
    assert os.listdir(tmp_path) == ["export.zip"]


def _one_down(files: Files, file: Path) -> None:
    exports.pack({f"march/{name}": data for name, data in files.items()}, file)


def _folder_above(files: Files, file: Path) -> None:
    exports.write(files, file / "march")
    (file / "a link").symlink_to(file)


def _cut_off(files: Files, file: Path) -> None:
    file.write_bytes(exports.pack(files, file).read_bytes()[:-50])


def _receipt(_: Files, file: Path) -> None:
    file.write_text(json.dumps({"format": verify.RECEIPT_FORMAT}))


def _checkpoint(files: Files, file: Path) -> None:
    file.write_bytes(files["checkpoint"])


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (_no_zip, "was cut off or is damaged. Get it again."),
        (_cut_off, "was cut off or is damaged. Get it again."),
        (_empty, "it is no .zip. Give the folder"),
        (_checkpoint, "it is no .zip. Give the folder that holds the file checkpoint"),
        (_receipt, "it is a visitor's receipt. Check it with --receipt."),
        (_folder_above, "march/checkpoint is. Give that folder (unpacked)."),
        (_one_down, "march/checkpoint is. Give that folder (unpacked)."),
    ],
)
def test_what_is_no_export_is_not_called_a_record_that_was_changed(
    make: Callable[[Files, Path], None],
    hint: str,
    files: Files,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(files, tmp_path / "export.zip")
    assert verify.main([str(tmp_path / "export.zip")]) == 2
    out, err = capsys.readouterr()
    assert (out, "no export" in err, hint in err) == ("", True, True), err


def test_what_may_not_be_read_accuses_nobody(
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export = exports.write(files, tmp_path / "export")

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    assert verify.main([str(export)]) == 2
    assert "checkpoint cannot be read: Permission denied." in capsys.readouterr().err


def test_a_full_disk_and_an_interrupt_are_told_in_a_line(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export = exports.write(files, tmp_path / "export")
    command = [sys.executable, "-I", verify.__file__, str(export)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert (ended.returncode, ended.stderr) == (
        2,
        "The answer cannot be written: No space left on device.\n",
    )

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "examine", interrupt)
    assert verify.main([str(export)]) == 130
    assert capsys.readouterr().err == "Stopped: nothing is known of it.\n"


def test_on_a_terminal_it_says_how_far_it_is(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export = exports.write(files, tmp_path / "export")
    monkeypatch.setattr(verify, "PROGRESS_S", 0.0)
    verify.main([str(export)])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    verify.main([str(export)])
    assert capsys.readouterr().err == "60 entries ...\n"


def test_a_zip_with_a_bit_turned_is_wrong_or_means_the_same(files: Files, tmp_path: Path) -> None:
    file = exports.pack(files, tmp_path / "export.zip")
    whole, question = file.read_bytes(), verify.ask(LOG_VKEY, exports.WITNESS_VKEYS)
    right = verify.document(verify.verify(verify.open_export(str(file)), question))
    rng = random.Random(7)
    for at in (*rng.sample(range(len(whole)), 60), *range(len(whole) - 600, len(whole), 7)):
        changed = bytearray(whole)
        changed[at] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        try:
            document = verify.document(verify.verify(verify.open_export(str(file)), question))
        except (verify.Wrong, verify.Usage, zipfile.BadZipFile, ValueError, NotImplementedError):
            continue
        # A name that means nothing now, or a date in the zip: no word of the record.
        assert not document["ok"] or {**document, "files_not_read": 0, "policies_missing": []} == right, at


def test_names_that_lead_elsewhere_are_no_part_of_it(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = {"../checkpoint": b"x", "/etc/passwd": b"x", "tile\\0\\000": b"x", "notes.txt": b"x"}
    export = exports.pack({**files, **strange}, tmp_path / "export.zip")
    status, out = answered(export, capsys, "--json")
    assert status == 0
    assert json.loads(out)["files_not_read"] == 4
    assert os.listdir(tmp_path) == ["export.zip"]


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/60", "policies"])
def test_links_and_pipes_are_not_followed(
    name: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = exports.write(files, tmp_path / "export")
    (export / name).rename(tmp_path / "elsewhere")
    (export / name).symlink_to(tmp_path / "elsewhere")
    status, out = answered(export, capsys)
    assert (status, "is a link" in out) == (3, True)
    (export / name).unlink()
    os.mkfifo(export / name)
    status, out = answered(export, capsys)
    assert (status, "no plain file" in out) == (3, True)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("checkpoint", b"\xff\xfe"),
        ("checkpoint", b"\n" * 70_000),
        ("checkpoint", f"{exports.origin()}\n{'9' * 5_000}\nAA==\n\n\u2014 a b\n".encode()),
        ("tile/entries/000.p/60", b"\xff" * 400),
        ("tile/entries/000.p/60", b"\x10\x00" + b"[" * 4096),
        ("tile/entries/000.p/60", b'\x00\x08{"a":1e9'),
        ("tile/entries/000.p/60", b""),
    ],
)
def test_files_that_mean_harm(
    name: str, data: bytes, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = exports.write({**files, name: data}, tmp_path / "export")
    status, out = answered(export, capsys)
    assert status == 3
    assert out.startswith("WRONG")


def test_a_size_without_an_end_ends_with_what_is_there(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files["checkpoint"] = exports.checkpoint([b""] * 60).replace(b"\n60\n", b"\n%d\n" % verify.SIZE_MAX)
    body = files["checkpoint"].decode().split("\n\n")[0] + "\n"
    signature = exports.LOG.sign(body.encode())
    identifier = verify.Key.parse(LOG_VKEY, 1).identifier
    files["checkpoint"] = (body + "\n" + exports._line(exports.origin(), identifier, signature)).encode()
    status, out = answered(exports.write(files, tmp_path / "export"), capsys)
    assert (status, "is missing" in out) == (3, True)


def test_an_entry_of_the_deepest_json_is_only_wrong() -> None:
    record = verify.Record(0, 1)
    for hostile in (b"[" * 4_000, b'{"type":[]}', b"9" * 4_000, b'"\\ud800"', b"null", b"\x00", b""):
        with pytest.raises(verify.Wrong):
            record.add(hostile)


def test_an_answer_cannot_steer_a_terminal() -> None:
    assert verify.plain("\x1b[2Jcl\u00f6ud\u202e\n") == "\\x1b[2Jcl\\xf6ud\\u202e\\x0a"
