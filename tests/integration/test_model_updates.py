"""Models over the air against the real catalogue, its gate and the slots on the disk; without a node."""

from __future__ import annotations

import shutil
import tomllib
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge.config import SitePaths, site_paths
from edge.updates.chunks import ChunkStore, StoredContent
from edge.updates.installer import InstallRefused
from edge.updates.model_installer import ModelInstaller
from edge.updates.model_slots import ModelSlots, count_start
from edge.updates.wanted import Update
from edge.updates.watching import STARTS_MAX
from models.catalog import DEFAULT_ENCODER, models_dir
from models.encoder import open_encoder
from models.versions import current, model_folder
from tests.model_files import placed
from tests.projected_encoder import NAME, projected_folder
from tests.unit.edge.updates.packages import manifest_of, pieces_of

pytestmark = pytest.mark.models

UPDATE = Update(kind="model", name=NAME, version="1.0", target=f"model/{NAME}/1.0", rollout="r1")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePaths:
    """A site that serves by the default encoder, and a models folder of its own."""
    here = tmp_path / "models"
    shutil.copytree(model_folder(models_dir(), DEFAULT_ENCODER), here / DEFAULT_ENCODER, copy_function=placed)
    monkeypatch.setenv("POSTERN_MODELS", str(here))
    found = site_paths(tmp_path / "site")
    found.root.mkdir()
    found.config.write_text('[site]\nid = "test"\nname = "Test"\n')
    return found


@pytest.fixture
def installer(paths: SitePaths) -> ModelInstaller:
    """What is used now is what the settings say."""
    used: list[str] = []

    async def use(name: str) -> None:
        open_encoder(models_dir(), model=name, device="cpu").close()
        used.append(name)

    def serves(_: str) -> str:
        return used[-1] if used else DEFAULT_ENCODER

    slots = ModelSlots(paths, models_dir())
    return ModelInstaller(slots, paths.updates / "staging", use, serves, lambda _: False)


def content_of(folder: Path, blobs: Path) -> StoredContent:
    """A folder as it was published and fetched."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    manifest, chunks = manifest_of(files, name=NAME), ChunkStore(blobs, spare_bytes=0)
    chunks.check_room(manifest)
    for digest, content in pieces_of(files).items():
        chunks.put(digest, content)
    return StoredContent(manifest, chunks)


def set_to(paths: SitePaths) -> str:
    """The encoder of the settings, which must be one that opens."""
    name = tomllib.loads(paths.config.read_text()).get("models", {}).get("encoder", DEFAULT_ENCODER)
    open_encoder(models_dir(), model=name, device="cpu").close()
    return str(name)


async def test_forth_and_back(paths: SitePaths, installer: ModelInstaller, tmp_path: Path) -> None:
    content = content_of(projected_folder(tmp_path / "published"), tmp_path / "blobs")
    staged = await installer.stage(UPDATE, content)
    assert set_to(paths) == DEFAULT_ENCODER
    assert list((paths.updates / "staging").iterdir()) == []
    figures = await installer.gate(UPDATE, staged)
    assert figures.golden_permille is not None
    assert figures.golden_permille > 900
    assert figures.agreement_permille is not None
    assert figures.agreement_permille > 900
    assert figures.latency_us
    way_back = await installer.way_back(UPDATE, staged)
    for _ in range(2):  # again, as after a crash
        await installer.activate(UPDATE, staged, way_back)
        assert set_to(paths) == NAME
        assert await installer.health(UPDATE, staged) == ""
    for _ in range(2):
        await installer.roll_back(UPDATE, staged, way_back)
        assert set_to(paths) == DEFAULT_ENCODER
    assert not (models_dir() / NAME).exists()


@pytest.mark.long
async def test_healthy_and_wrong_is_found_by_the_gate_here(
    paths: SitePaths, installer: ModelInstaller, tmp_path: Path
) -> None:
    """It runs, and its vectors are good vectors, of other words than those that were said."""
    folder = projected_folder(tmp_path / "published")
    model = onnx.load(folder / "model.onnx")
    for weights in model.graph.initializer:
        if len(weights.dims) == 2 and weights.dims[0] > 20_000:
            scrambled = np.roll(numpy_helper.to_array(weights), 4321, axis=0)
            weights.CopyFrom(numpy_helper.from_array(scrambled, weights.name))
    onnx.save(model, folder / "model.onnx")
    manifest = (folder / "model.toml").read_text()
    lines = [
        f'"model.onnx" = "{sha256((folder / "model.onnx").read_bytes()).hexdigest()}"'
        if line.startswith('"model.onnx"')
        else line
        for line in manifest.splitlines()
    ]
    (folder / "model.toml").write_text("\n".join(lines))
    staged = await installer.stage(UPDATE, content_of(folder, tmp_path / "blobs"))
    with pytest.raises(InstallRefused) as caught:
        await installer.gate(UPDATE, staged)
    assert caught.value.reason in {"golden", "agreement", "gate"}
    figures = caught.value.figures
    assert figures.golden_permille is not None
    assert figures.golden_permille_min is not None
    assert figures.golden_permille < figures.golden_permille_min
    await installer.discard(UPDATE, staged)
    assert set_to(paths) == DEFAULT_ENCODER
    assert not Path(staged).exists()


async def test_what_is_no_model_is_refused(
    paths: SitePaths, installer: ModelInstaller, tmp_path: Path
) -> None:
    folder = projected_folder(tmp_path / "published")
    (folder / "extra.pkl").write_bytes(b"x")
    with pytest.raises(InstallRefused) as caught:
        await installer.stage(UPDATE, content_of(folder, tmp_path / "blobs"))
    assert caught.value.reason == "not_a_model"
    assert "pickles" in caught.value.detail
    other = UPDATE.model_copy(update={"name": "another"})
    (folder / "extra.pkl").unlink()
    with pytest.raises(InstallRefused) as caught:
        await installer.stage(other, content_of(folder, tmp_path / "blobs"))
    assert caught.value.reason == "other_name"
    assert set_to(paths) == DEFAULT_ENCODER


@pytest.mark.long
async def test_a_node_that_does_not_come_up_with_it_goes_back_by_itself(
    paths: SitePaths, installer: ModelInstaller, tmp_path: Path
) -> None:
    staged = await installer.stage(
        UPDATE, content_of(projected_folder(tmp_path / "published"), tmp_path / "blobs")
    )
    await installer.gate(UPDATE, staged)
    way_back = await installer.way_back(UPDATE, staged)
    await installer.activate(UPDATE, staged, way_back)
    for _ in range(STARTS_MAX + 1):
        count_start(paths, models_dir())
        assert set_to(paths) == NAME
    count_start(paths, models_dir())
    assert set_to(paths) == DEFAULT_ENCODER
    count_start(paths, models_dir())
    await installer.roll_back(UPDATE, staged, way_back)  # the updater's own, once it looks
    assert (set_to(paths), current(models_dir(), NAME)) == (DEFAULT_ENCODER, None)
