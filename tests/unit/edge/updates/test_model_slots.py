"""A model on trial: starts that are counted, and what a stop leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import SitePaths
from edge.updates.model_installer import ModelInstaller
from edge.updates.model_slots import ModelSlots, WayBack
from edge.updates.wanted import Update
from edge.updates.watching import STARTS_MAX
from models import versions

NAME = "org-words"
UPDATE = Update(kind="model", name=NAME, version="1.0", target="t", rollout="r", watch_s=1)


async def _use(name: str) -> None:
    """Nothing serves here."""


@pytest.fixture
def slots(tmp_path: Path) -> ModelSlots:
    paths = SitePaths(tmp_path / "site")
    paths.updates.mkdir(parents=True)
    paths.config.write_text('[site]\nid = "test"\nname = "Test"\n')
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


def begun(slots: ModelSlots) -> WayBack:
    """A trial of the first model under its name."""
    slots.set(versions.begin(slots.models_dir, NAME, "1.0"), way_back := WayBack("encoder", "", NAME, ""))
    return way_back


def test_starts_that_do_not_settle_end_the_trial(slots: ModelSlots) -> None:
    begun(slots)
    assert [slots.count_start() for _ in range(STARTS_MAX + 2)] == [False] * (STARTS_MAX + 1) + [True]


async def test_starts_that_settle_count_anew(slots: ModelSlots, installer: ModelInstaller) -> None:
    begun(slots)
    for _ in range(3 * STARTS_MAX):
        assert not slots.count_start()
        await installer.settle(UPDATE)
    assert versions.current(slots.models_dir, NAME) is not None


async def test_what_serves_is_not_put_away_with_what_was_staged(
    slots: ModelSlots, installer: ModelInstaller
) -> None:
    serves = versions.begin(slots.models_dir, NAME, "0.9")
    versions.activate(serves)
    staged = versions.begin(slots.models_dir, NAME, "1.0")
    await installer.discard(UPDATE, str(staged))
    assert (serves.is_dir(), staged.exists()) == (True, False)
