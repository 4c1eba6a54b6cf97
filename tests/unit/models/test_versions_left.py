"""What a stop half-way leaves of a version goes with the next sweep."""

from __future__ import annotations

from pathlib import Path

from models import versions

NAME = "small-words"


def test_what_was_begun_and_never_served_goes(tmp_path: Path) -> None:
    left = versions.begin(tmp_path, NAME, "1.0")
    (left / "weights.bin").write_bytes(b"half")
    versions.sweep(tmp_path, NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_version_itself_stays(tmp_path: Path) -> None:
    left = versions.begin(tmp_path, NAME, "1.0")
    (tmp_path / NAME / "model.onnx").write_bytes(b"whole")
    (tmp_path / NAME / "words").mkdir()
    versions.sweep(tmp_path, NAME)
    assert not left.exists()
    assert sorted(path.name for path in (tmp_path / NAME).iterdir()) == ["model.onnx", "words"]


def test_what_serves_and_what_did_before_stay(tmp_path: Path) -> None:
    first, second = (versions.begin(tmp_path, NAME, version) for version in ("1.0", "2.0"))
    versions.activate(second, before=first.name)
    left = versions.begin(tmp_path, NAME, "3.0")
    versions.sweep(tmp_path, NAME)
    assert (first.is_dir(), second.is_dir(), left.exists()) == (True, True, False)


def test_without_the_model_there_is_nothing_to_do(tmp_path: Path) -> None:
    versions.sweep(tmp_path, NAME)
    assert list(tmp_path.iterdir()) == []
