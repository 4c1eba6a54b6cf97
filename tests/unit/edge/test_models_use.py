"""`postern models use --previous`: the versions change places back for a refusal, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import NotReachable, PosternError
from edge import models_use
from edge.config import site_paths
from edge.models_use import ChangeGoesOn, use_model
from edge.web import admin
from models import versions
from models.errors import ModelRefused
from models.importing import import_model
from tests.unit.models.small_model import NAME, flip_byte, small_folder, version_head

Use = Callable[[], dict[str, object]]


class Node:
    """Where a node would listen; it answers with `says`, or that is raised while it works."""

    def __init__(self) -> None:
        self.says: object = {"runtime": "here"}
        self.asked = 0

    async def answers(self, _: Path) -> bool:
        return True

    async def call(self, *_: object) -> object:
        self.asked += 1
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions; the second is current."""
    folder = tmp_path / "models"
    for number in (1, 2):
        import_model(small_folder(tmp_path / str(number), seed=number, head=version_head(number)), folder)
    monkeypatch.setenv("POSTERN_MODELS", str(folder))
    return folder


@pytest.fixture
def site(tmp_path: Path, models: Path) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    (site / "site.toml").write_text('[site]\nid = "clinic"\nname = "The Clinic"\n')
    return site


@pytest.fixture
def node(site: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    socket = site_paths(site).admin_socket
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.touch()
    monkeypatch.setattr(admin, "answers", node.answers)
    monkeypatch.setattr(admin, "call", node.call)
    return node


def serving(models: Path) -> str:
    return versions.folders(models, NAME)[0].name


def test_the_version_before_serves(site: Path, models: Path, node: Node) -> None:
    old = versions.folders(models, NAME)[1].name
    assert use_model(site, NAME, previous=True)["version"] == old
    assert (serving(models), node.asked) == (old, 1)


@pytest.mark.parametrize("error", [ModelRefused("no"), NotReachable("gone")])
def test_a_refusal_changes_nothing(site: Path, models: Path, node: Node, error: PosternError) -> None:
    new, node.says = serving(models), error
    with pytest.raises(type(error)):
        use_model(site, NAME, previous=True)
    assert serving(models) == new


def test_a_damaged_version_is_not_asked_for(site: Path, models: Path, node: Node) -> None:
    new, old = versions.folders(models, NAME)
    flip_byte(old / "model.onnx")
    with pytest.raises(ModelRefused):
        use_model(site, NAME, previous=True)
    assert (serving(models), node.asked) == (new.name, 0)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), BrokenPipeError()])
def test_a_node_that_was_asked_goes_on(site: Path, models: Path, node: Node, stop: BaseException) -> None:
    old, node.says = versions.folders(models, NAME)[1].name, stop
    with pytest.raises(ChangeGoesOn):
        use_model(site, NAME, previous=True)
    assert serving(models) == old


def test_settings_that_cannot_be_written_do_not_undo_what_serves(
    site: Path, models: Path, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = versions.folders(models, NAME)[1].name

    def fails(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(models_use, "set_text", fails)
    with pytest.raises(OSError):
        use_model(site, NAME, previous=True)
    assert serving(models) == old
