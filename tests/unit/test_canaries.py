"""The scan for canaries finds them however they are written, wherever in a file, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import canaries
from tests.canaries import canary, found_below, found_in_file


@pytest.mark.parametrize(
    "written",
    [
        str.encode,
        lambda text: text.upper().encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode().hex().encode(),
        lambda text: text.lower().encode().hex().upper().encode(),
        lambda text: quote(text).encode(),
        *(lambda text, n=n: base64.b64encode(b"a" * n + text.encode()) for n in range(3)),
        *(lambda text, n=n: base64.b64encode(b"a" * n + text.upper().encode()) for n in range(3)),
    ],
)
def test_however_it_is_written(tmp_path: Path, written: Callable[[str], bytes]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xff\0before" + written(f"I am {canary(17)}, born in May") + b"behind")
    assert found_in_file(path)


@pytest.mark.parametrize("before", [0, 57, 60, 63, 64, 65, 200])
def test_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(canaries, "PART_BYTES", 64)
    monkeypatch.setattr(canaries, "_OVERLAP_BYTES", 32)
    path = tmp_path / "file"
    path.write_bytes(b"." * before + canary(3).encode() + b"." * 90)
    assert [(hit.at, hit.form) for hit in found_in_file(path)] == [(before, "utf-8")]


def test_names_of_files(tmp_path: Path) -> None:
    (tmp_path / canary(1)).write_bytes(b"")
    assert [hit.form for hit in found_below([tmp_path])] == ["name, utf-8"]


def test_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 5_000 + canaries.MARK[:-1].encode())
    assert found_below([tmp_path]) == []
    assert found_in_file(tmp_path / "gone") == []
