"""What may come in, what may not, and that whatever goes wrong leaves the version before as it was."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from pathlib import Path

import onnx
import pytest

from models import importing, versions
from models.build import build_all
from models.catalog import catalogue, encoder_entry, entry
from models.encoder import open_encoder
from models.errors import (
    GateFailed,
    ImportRefused,
    ModelBuildFailed,
    ModelDiskFull,
    ModelMissing,
    ModelRefused,
)
from models.importing import import_model
from models.operations import list_models, verify
from tests.unit.models.small_model import (
    DIM,
    HEAD,
    NAME,
    manifest,
    serves,
    small_folder,
    small_graph,
    version_head,
)


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    return small_folder(tmp_path / "brought")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def refused(brought: Path, models: Path, what: str, *, listed: bool = True) -> None:
    """Not taken in, by name, and nothing is left of it."""
    if listed:
        manifest(brought)
    with pytest.raises(ImportRefused, match=what):
        import_model(brought, models)
    left = [path.name for path in (models / NAME).iterdir()] if (models / NAME).is_dir() else []
    assert not left


def test_it_comes_in_is_listed_verified_and_serves(brought: Path, models: Path) -> None:
    found = import_model(brought, models)
    assert (found.model, found.version, found.new, found.runtime) == (NAME, "1.0", True, "onnxruntime")
    assert found.figures["top1_correct"] == 1.0
    listed = {row.model: row for row in list_models(models)}[NAME]
    assert (listed.state, listed.licence, listed.kind) == ("ready", "Apache-2.0", "encoder")
    assert {row.model: row.ok for row in verify(models)}[NAME]
    assert entry(NAME, models).imported
    serves(models)


def test_the_same_again_changes_nothing(brought: Path, models: Path) -> None:
    import_model(brought, models)
    before = versions.current(models, NAME)
    assert not import_model(brought, models).new
    assert versions.current(models, NAME) == before


def test_another_version_takes_its_place_and_one_stays_beside_it(tmp_path: Path, models: Path) -> None:
    for number in (1, 2, 3):
        import_model(small_folder(tmp_path / str(number), seed=number, head=version_head(number)), models)
    found = versions.current(models, NAME)
    assert found
    assert found.version.startswith("3.0-")
    assert found.before.startswith("2.0-")
    folders = {path.name for path in (models / NAME).iterdir()}
    assert folders == {found.version, found.before, versions.CURRENT_FILE}


@pytest.mark.parametrize(
    "name",
    [
        "w.pkl",
        "w.pt",
        "w.ckpt",
        "w.pth",
        "w.joblib",
        "pytorch_model.bin",
        "op.so",
        "op.so.1",
        "op.dll",
        "a.py",
    ],
)
def test_names_that_may_not_come_in(brought: Path, models: Path, name: str) -> None:
    (brought / name).write_bytes(b"harmless")
    refused(brought, models, name)


@pytest.mark.proves("gated-models")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_another_name(brought: Path, models: Path, protocol: int) -> None:
    (brought / "model.data").write_bytes(pickle.dumps({"weights": [1.0, 2.0]}, protocol))
    refused(brought, models, "model.data is a pickle")


def test_a_pickle_as_the_weights_of_a_graph(brought: Path, models: Path) -> None:
    (brought / "model.xml").write_text("<net/>")
    (brought / "model.bin").write_bytes(pickle.dumps([0] * 100, 2))
    refused(brought, models, "model.bin is a pickle")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x7fELF\x02", "library"),
        (b"#!/bin/sh\n", "library"),
        (_pe := b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0", "library"),
    ],
)
def test_a_library_under_another_name(brought: Path, models: Path, head: bytes, what: str) -> None:
    (brought / "notes.data").write_bytes(head)
    refused(brought, models, f"notes.data is a program or a {what}")


def test_archives(brought: Path, models: Path) -> None:
    with zipfile.ZipFile(brought / "weights.data", "w") as archive:
        archive.writestr("data.pkl", b"")
    refused(brought, models, "weights.data is an archive")
    (brought / "weights.data").write_bytes(gzip.compress(b"x"))
    refused(brought, models, "weights.data is an archive")


def test_operators_of_others(brought: Path, models: Path) -> None:
    graph = small_graph()
    graph.graph.node[0].domain = "acme.ops"
    graph.opset_import.append(onnx.helper.make_opsetid("acme.ops", 1))
    (brought / "model.onnx").write_bytes(graph.SerializeToString())
    refused(brought, models, "acme.ops")


def test_operators_of_others_inside_a_branch(brought: Path, models: Path) -> None:
    graph = small_graph()
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Evil", [], ["x"], domain="acme.ops")], "inner", [], []
    )
    graph.graph.node.append(
        onnx.helper.make_node("If", ["mask"], ["y"], then_branch=inner, else_branch=inner)
    )
    (brought / "model.onnx").write_bytes(graph.SerializeToString())
    refused(brought, models, "acme.ops")


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../secret", "a/../../secret", "C:\\secret", "..\\secret"]
)
def test_external_data_outside_the_folder(brought: Path, models: Path, location: str) -> None:
    _outside(brought, location)
    refused(brought, models, "outside its folder")


def _outside(brought: Path, location: str) -> None:
    graph = small_graph()
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value=location))
    (brought / "model.onnx").write_bytes(graph.SerializeToString())


def test_external_data_that_is_not_listed(brought: Path, models: Path) -> None:
    _outside(brought, "weights.data")
    refused(brought, models, "does not list")


def test_external_data_beside_the_graph_comes_in(brought: Path, models: Path) -> None:
    onnx.save(
        small_graph(),
        brought / "model.onnx",
        save_as_external_data=True,
        location="weights.data",
        size_threshold=1024,
    )
    import_model(manifest(brought), models)
    serves(models)
    (versions.model_folder(models, NAME) / "weights.data").write_bytes(b"other")
    assert not {row.model: row.ok for row in verify(models)}[NAME]
    with pytest.raises(ModelRefused, match=r"weights\.data"):
        open_encoder(models, model=NAME)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.onnx", "model.toml"])
def test_symbolic_links(brought: Path, models: Path, name: str, tmp_path: Path) -> None:
    (brought / name).rename(tmp_path / name)
    (brought / name).symlink_to(tmp_path / name)
    refused(brought, models, name.replace(".", r"\."), listed=False)


def test_folders_pipes_and_unlisted_files(brought: Path, models: Path) -> None:
    (brought / "readme.md").write_text("unlisted")
    refused(brought, models, r"readme\.md is not listed", listed=False)
    (brought / "readme.md").unlink()
    (brought / "more").mkdir()
    refused(brought, models, "more is not listed")


def test_a_listed_pipe_blocks_nobody(brought: Path, models: Path) -> None:
    manifest(brought)
    (brought / "golden.toml").unlink()
    os.mkfifo(brought / "golden.toml")
    refused(brought, models, "no plain file", listed=False)


def test_a_flipped_byte_is_refused_by_name_and_the_version_before_serves(
    tmp_path: Path, models: Path
) -> None:
    import_model(small_folder(tmp_path / "one"), models)
    before = serves(models)
    two = small_folder(tmp_path / "two", seed=2, head=version_head(2))
    data = bytearray((two / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (two / "model.onnx").write_bytes(data)
    with pytest.raises(ImportRefused, match=r"model\.onnx is not the file"):
        import_model(two, models)
    assert serves(models) == before


@pytest.mark.parametrize(
    ("was", "becomes", "what"),
    [
        ('licence = "Apache-2.0"', 'licence = "unknown"', "licence"),
        ('licence = "Apache-2.0"', "", "licence"),
        ('kind = "encoder"', 'kind = "pickle"', "kind"),
        (f'name = "{NAME}"', 'name = "../up"', "name"),
        (f'name = "{NAME}"', 'name = "all-minilm-l6-v2"', "Postern's own"),
        (f'name = "{NAME}"', 'name = "wheels"', "Postern's own"),
        ('version = "1.0"', 'version = "1/0"', "version"),
        (f"dim = {DIM}", f"dim = {DIM + 1}", "embedding"),
        ('golden = "golden.toml"', "", "golden questions of its own"),
        ('golden = "golden.toml"', "[gate]\ntop1_correct_min = 0.1", "top1_correct_min"),
        ('"model.onnx"', '"other.onnx"', r"lacks other\.onnx"),
        ('"model.onnx"', '"tokenizer.json"', r"tokenizer\.json is not"),
        ("[shape]", "[shape]\nlayers = 3", "layers"),
    ],
)
def test_manifests_that_say_too_little_or_wrong(
    brought: Path, models: Path, was: str, becomes: str, what: str
) -> None:
    manifest(brought, HEAD.replace(was, becomes))
    refused(brought, models, what, listed=False)


def test_no_manifest_and_no_folder(tmp_path: Path, models: Path) -> None:
    with pytest.raises(ImportRefused, match="no folder"):
        import_model(tmp_path / "away", models)
    with pytest.raises(ImportRefused, match=r"no model\.toml"):
        import_model(tmp_path, models)


def test_limits(brought: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = max(path.stat().st_size for path in brought.iterdir())
    monkeypatch.setattr(importing, "FILE_BYTES_MAX", largest - 1)
    refused(brought, models, "has over", listed=False)
    monkeypatch.setattr(importing, "FILE_BYTES_MAX", largest)
    whole = sum(path.stat().st_size for path in brought.iterdir() if path.name != "model.toml")
    monkeypatch.setattr(importing, "TOTAL_BYTES_MAX", whole - 1)
    refused(brought, models, "together", listed=False)
    monkeypatch.setattr(importing, "TOTAL_BYTES_MAX", whole)
    monkeypatch.setattr(importing, "MANIFEST_BYTES_MAX", (brought / "model.toml").stat().st_size - 1)
    refused(brought, models, "has over", listed=False)
    monkeypatch.setattr(importing, "MANIFEST_BYTES_MAX", (brought / "model.toml").stat().st_size)
    import_model(brought, models)


@pytest.mark.proves("gated-models")
def test_a_model_that_finds_nothing_fails_its_gate(tmp_path: Path, models: Path) -> None:
    folder = small_folder(tmp_path / "bad")
    text = (folder / "golden.toml").read_text("utf-8")
    (folder / "golden.toml").write_text(text.replace('["wo ist das ', '["das das '), "utf-8")
    tokenizer = (folder / "tokenizer.json").read_text("utf-8")
    (folder / "tokenizer.json").write_text(tokenizer.replace('"haus": 10', '"hauss": 10'), "utf-8")
    graph = small_graph()
    del graph.graph.initializer[0]
    constant = onnx.numpy_helper.from_array(__import__("numpy").ones((30, DIM), "float32"), "table")
    graph.graph.initializer.insert(0, constant)
    onnx.save(graph, folder / "model.onnx")
    with pytest.raises(GateFailed, match="right best passage") as caught:
        import_model(manifest(folder), models)
    figures = caught.value.figures
    assert figures["top1_correct"] < figures["top1_correct_min"]
    assert not list((models / NAME).iterdir())


def test_an_openvino_graph_must_have_the_ports_names(tmp_path: Path, models: Path) -> None:
    """OpenVINO itself reads and writes the graph: it then serves; without a name it is refused."""
    import openvino

    folder = small_folder(tmp_path / "ir")
    openvino.save_model(
        openvino.convert_model(folder / "model.onnx"), folder / "model.xml", compress_to_fp16=False
    )
    (folder / "model.onnx").unlink()
    head = HEAD.replace('onnxruntime = "model.onnx"', 'openvino = "model.xml"')
    assert import_model(manifest(folder, head), models).runtime == "openvino"
    text = (folder / "model.xml").read_text("utf-8")
    (folder / "model.xml").write_text(text.replace("token_states", "states"), "utf-8")
    with pytest.raises(ImportRefused, match="output token_states"):
        import_model(manifest(folder, head.replace('"1.0"', '"1.1"')), models)
    (folder / "model.xml").write_text(text.replace('version="opset1"', 'version="acme"'), "utf-8")
    with pytest.raises(ImportRefused, match="acme"):
        import_model(manifest(folder, head), models)
    (folder / "model.xml").write_text('<!DOCTYPE net [<!ENTITY a "b">]><net/>', "utf-8")
    with pytest.raises(ImportRefused, match="entities"):
        import_model(manifest(folder, head), models)


def test_vectors_must_be_normalised(tmp_path: Path, models: Path) -> None:
    with pytest.raises(ModelBuildFailed, match="not L2-normalised"):
        import_model(small_folder(tmp_path / "long", normalised=False), models)


def test_no_room_is_told_before_anything_is_written(
    brought: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = importing.SPARE_BYTES
    monkeypatch.setattr(
        importing.shutil, "disk_usage", lambda _: importing.shutil._ntuple_diskusage(0, 0, free)
    )
    with pytest.raises(ModelDiskFull, match="are free"):
        import_model(brought, models)
    assert not (models / NAME).exists()


def test_what_was_changed_since_is_refused_by_name(brought: Path, models: Path) -> None:
    import_model(brought, models)
    folder = versions.model_folder(models, NAME)
    manifest_text = (folder / "model.toml").read_bytes()
    (folder / "model.toml").write_bytes(manifest_text.replace(b"Apache-2.0", b"MIT"))
    with pytest.raises(ModelRefused, match=NAME):
        open_encoder(models, model=NAME)
    (folder / "model.toml").write_bytes(b"")
    with pytest.raises(ModelRefused, match=r"model\.toml"):
        encoder_entry(NAME, models)
    states = {row.model: row for row in verify(models)}
    assert not states[NAME].ok
    assert "import" in states[NAME].remedy
    assert {row.model: row.state for row in list_models(models)}[NAME] != "ready"


def test_a_pointer_that_cannot_be_read_is_told(brought: Path, models: Path) -> None:
    import_model(brought, models)
    (models / NAME / versions.CURRENT_FILE).write_bytes(b'{"version": "../../other"}')
    with pytest.raises(ModelRefused, match=r"current\.json"):
        open_encoder(models, model=NAME)


def test_what_was_never_brought_is_missing(models: Path) -> None:
    with pytest.raises(ModelMissing):
        entry("nobody", models)


def test_a_build_gates_again_what_was_brought(
    brought: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_model(brought, models)
    (versions.model_folder(models, NAME) / "gate.json").unlink()
    monkeypatch.setattr("models.catalog.catalogue", tuple)
    assert [(row.model, row.rebuilt, row.gated) for row in build_all(models)] == [(NAME, False, True)]
    serves(models)
    (versions.model_folder(models, NAME) / "model.onnx").write_bytes(b"")
    with pytest.raises(ModelRefused, match="not what was imported"):
        build_all(models)


def test_shipped_names_are_never_looked_for_in_the_folder(models: Path) -> None:
    assert all(not one.imported for one in catalogue())
