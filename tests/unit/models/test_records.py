"""What is served must be what was built from the catalogue's source and passed the gate on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.catalog import encoder_entry
from models.encoder import open_encoder
from models.errors import ModelMissing, ModelRefused
from models.machine import differences, this_machine
from models.recipes.files import ENCODER_FILES
from models.records import (
    BUILD_FILE,
    GATE_FILE,
    BuildRecord,
    GateRecord,
    RuntimeVerdict,
    check_servable,
    sha256_of,
    write_record,
)

ENTRY = encoder_entry()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder whose records are in order; its files are no real models."""
    folder = tmp_path / ENTRY.name
    folder.mkdir()
    for name in ENCODER_FILES:
        (folder / name).write_bytes(name.encode())
    files = {name: sha256_of(folder / name) for name in ENCODER_FILES}
    build = BuildRecord(
        model=ENTRY.name,
        version=ENTRY.version,
        recipe=ENTRY.recipe,
        source_sha256=ENTRY.source.sha256,
        files=files,
        decisions={},
        tools={},
        built_at="2026-01-01T00:00:00+00:00",
    )
    gate = GateRecord(
        model=ENTRY.name,
        files=files,
        machine=this_machine(),
        verdicts=(
            RuntimeVerdict(runtime="openvino", device="CPU", passed=False, figures={}, reason="cosine"),
        ),
        fastest="onnxruntime",
        gated_at="2026-01-01T00:00:00+00:00",
    )
    write_record(folder, BUILD_FILE, build)
    write_record(folder, GATE_FILE, gate)
    return tmp_path


def change(models: Path, name: str, **fields: object) -> None:
    path = models / ENTRY.name / name
    kind = BuildRecord if name == BUILD_FILE else GateRecord
    record = kind.model_validate_json(path.read_bytes())
    write_record(path.parent, name, record.model_copy(update=fields))


def test_records_in_order_are_accepted(built: Path) -> None:
    assert check_servable(built / ENTRY.name, ENTRY, ENCODER_FILES).fastest == "onnxruntime"


def test_never_built(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        open_encoder(tmp_path)


@pytest.mark.parametrize("record", [BUILD_FILE, GATE_FILE])
def test_a_missing_record_is_told(built: Path, record: str) -> None:
    (built / ENTRY.name / record).unlink()
    with pytest.raises(ModelMissing, match=record):
        open_encoder(built)


@pytest.mark.parametrize("record", [BUILD_FILE, GATE_FILE])
def test_a_damaged_record_is_refused(built: Path, record: str) -> None:
    (built / ENTRY.name / record).write_bytes(b"{")
    with pytest.raises(ModelRefused):
        open_encoder(built)


@pytest.mark.proves("integrity")
@pytest.mark.parametrize("name", ENCODER_FILES)
def test_a_changed_file_is_refused(built: Path, name: str) -> None:
    (built / ENTRY.name / name).write_bytes(b"other")
    with pytest.raises(ModelRefused, match=name):
        check_servable(built / ENTRY.name, ENTRY, ENCODER_FILES)


def test_another_source_is_refused(built: Path) -> None:
    change(built, BUILD_FILE, source_sha256="0" * 64)
    with pytest.raises(ModelRefused, match="another source"):
        open_encoder(built)


@pytest.mark.proves("gated-models")
def test_a_rebuild_without_gate_is_refused(built: Path) -> None:
    change(built, BUILD_FILE, files=dict.fromkeys(ENCODER_FILES, "0" * 64))
    with pytest.raises(ModelRefused, match="rebuilt"):
        open_encoder(built)


@pytest.mark.proves("gated-models")
def test_a_gate_of_another_machine_is_refused(built: Path) -> None:
    change(built, GATE_FILE, machine=this_machine().model_copy(update={"runtimes": {"onnxruntime": "0.1"}}))
    with pytest.raises(ModelRefused, match=r"another processor.*onnxruntime was 0\.1 and is "):
        open_encoder(built)


def test_what_changed_about_a_machine_is_named() -> None:
    before = this_machine().model_copy(update={"runtimes": {"openvino": "1", "onnxruntime-gpu": "1"}})
    both = before.model_copy(update={"runtimes": {"onnxruntime": "2", "onnxruntime-gpu": "1"}})
    assert differences(before, before) == ""
    assert differences(before, both) == (
        "onnxruntime was not installed and is 2; openvino was 1 and is not installed"
    )
    assert differences(before, before.model_copy(update={"cpu": "x"})) == "the processor is another one"


def test_a_runtime_that_failed_its_gate_is_refused_with_the_reason(built: Path) -> None:
    with pytest.raises(ModelRefused, match="cosine"):
        open_encoder(built, "openvino")
