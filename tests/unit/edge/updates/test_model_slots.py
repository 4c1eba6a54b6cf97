"""A model on trial: starts that are counted, and what a stop leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import SitePaths
from edge.updates.model_installer import ModelInstaller
from edge.updates.model_slots import ModelSlots
from edge.updates.wanted import Update
from models import versions

NAME = "org-words"
UPDATE = Update(kind="model", name=NAME, version="1.0", target="t", rollout="r", watch_s=1)


async def _use(name: str) -> None:
    """Nothing serves here."""


@pytest.fixture
def slots(tmp_path: Path) -> ModelSlots:
    paths = SitePaths(tmp_path / "site")
    paths.updates.mkdir(parents=True)
    (tmp_path / "models").mkdir()
    return ModelSlots(paths, tmp_path / "models")


@pytest.fixture
def installer(slots: ModelSlots, tmp_path: Path) -> ModelInstaller:
    return ModelInstaller(slots, tmp_path / "staging", _use, lambda _: "", lambda _: False)


async def test_what_a_stop_while_it_was_staged_left_goes(
    slots: ModelSlots, installer: ModelInstaller, tmp_path: Path
) -> None:
    left = versions.begin(slots.models_dir, NAME, "1.0")
    source = tmp_path / "staging" / f"{NAME}-1.0"
    source.mkdir(parents=True)
    (source / "weights.bin").write_bytes(b"half")
    await installer.discard(UPDATE, "")
    assert (left.exists(), source.exists()) == (False, False)


async def test_what_serves_is_not_put_away_with_what_was_staged(
    slots: ModelSlots, installer: ModelInstaller
) -> None:
    serves = versions.begin(slots.models_dir, NAME, "0.9")
    versions.activate(serves)
    staged = versions.begin(slots.models_dir, NAME, "1.0")
    await installer.discard(UPDATE, str(staged))
    assert (serves.is_dir(), staged.exists()) == (True, False)
