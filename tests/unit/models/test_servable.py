"""A damaged current version is refused by name, the one before serves, and an operator may go back and forth."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import versions
from models.encoder import open_encoder
from models.errors import ModelMissing, ModelRefused
from models.importing import import_model
from models.operations import verify
from models.servable import first_servable
from tests.unit.models.small_model import NAME, flip_byte, serves, small_folder, version_head


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A models folder with two versions; the second is current."""
    models = tmp_path / "models"
    for number in (1, 2):
        import_model(small_folder(tmp_path / str(number), seed=number, head=version_head(number)), models)
    return models


@pytest.mark.proves("gated-models")
@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "model.toml", "build.json", "gate.json"])
def test_a_flipped_byte_in_the_current_version(two: Path, file: str) -> None:
    current, before = versions.folders(two, NAME)
    flip_byte(current / file)
    encoder = open_encoder(two, model=NAME)
    encoder.close()
    info = encoder.info
    assert info.version == "1.0"
    assert info.setback
    assert (info.setback.refused, info.setback.serves) == (current.name, before.name)
    assert file in info.setback.detail or NAME in info.setback.detail
    (row,) = [row for row in verify(two) if row.model == NAME]
    assert not row.ok
    assert before.name in row.detail
    assert "--previous" in row.remedy


def test_a_file_that_is_gone(two: Path) -> None:
    (versions.model_folder(two, NAME) / "model.onnx").unlink()
    encoder = open_encoder(two, model=NAME)
    encoder.close()
    assert encoder.info.setback
    assert encoder.info.setback.reason == "model_missing"


def test_both_damaged_or_none_before_is_the_error_of_the_current_one(tmp_path: Path, two: Path) -> None:
    for folder in versions.folders(two, NAME):
        flip_byte(folder / "model.onnx")
    with pytest.raises(ModelRefused, match=r"model\.onnx"):
        open_encoder(two, model=NAME)
    alone = tmp_path / "alone"
    import_model(small_folder(tmp_path / "1"), alone)
    flip_byte(versions.model_folder(alone, NAME) / "model.onnx")
    with pytest.raises(ModelRefused, match=r"model\.onnx"):
        open_encoder(alone, model=NAME)


def test_whole_versions_are_no_setback(two: Path) -> None:
    assert first_servable(two, NAME, lambda folder, setback: (folder, setback)) == (
        versions.model_folder(two, NAME),
        None,
    )


def test_an_operator_goes_back_and_forth(two: Path) -> None:
    newest = serves(two)
    assert versions.go_back(two, NAME).version.startswith("1.0-")
    oldest = serves(two)
    assert oldest != newest
    assert versions.go_back(two, NAME).version.startswith("2.0-")
    assert serves(two) == newest


def test_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    models = tmp_path / "models"
    import_model(small_folder(tmp_path / "one"), models)
    with pytest.raises(ModelMissing, match="no version before"):
        versions.go_back(models, NAME)
    with pytest.raises(ModelMissing):
        versions.go_back(models, "nobody")


def test_a_new_version_keeps_the_sound_one_beside_it_not_the_damaged_one(tmp_path: Path, two: Path) -> None:
    _, sound = versions.folders(two, NAME)
    flip_byte(versions.model_folder(two, NAME) / "model.onnx")
    import_model(small_folder(tmp_path / "3", seed=3, head=version_head(3)), two)
    current, before = versions.folders(two, NAME)
    assert current.name.startswith("3.0-")
    assert before == sound
    versions.go_back(two, NAME)
    serves(two)
