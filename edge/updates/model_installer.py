"""Models over the air: staged and gated in a process of their own, swapped by a pointer and in the running node.

A model comes as the folder that `postern models import` takes, under a name of its own; Postern's own are not replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from core.errors import PosternError
from core.files import fsync_folder, private_folder
from edge.apart import NICENESS_BESIDE_TURNS, work_apart
from edge.updates.installer import Content, Figures, InstallRefused
from edge.updates.model_rules import figures_of, refusal_of
from edge.updates.model_slots import ModelSlots, Setting, read_way_back
from edge.updates.wanted import Update
from models import versions
from models.build import alone
from models.catalog import EncoderEntry
from models.errors import ModelRefused
from models.importing import staged_entry
from models.progress import silent

WORK_S_MAX: Final = 1800.0
"""A language model of some gigabytes is hashed, converted and asked its golden set at the lowest priority."""

SWAP_S_MAX: Final = 600.0
"""Until a node serves by another encoder: it reads its documents with it first."""

_WORK: Final = "edge.updates.model_work"


class ModelWorkFailed(PosternError):
    """Staging or gating a model failed in its process."""

    code = "model_work_failed"
    title = "A model that came over the air does not work here"
    remedy = (
        "What served before still does. Tell whoever published it; the figures are in `postern updates show`."
    )


class ModelInstaller:
    """See `edge.updates.installer.Installer`. `staged` is the folder of the version; `way_back` is a WayBack."""

    def __init__(
        self,
        slots: ModelSlots,
        staging: Path,
        use: Callable[[str], Awaitable[object]],
        serves: Callable[[Setting], str],
        setback: Callable[[Setting], bool],
    ) -> None:
        """`use`: let the model of that name serve now, as the disk has it. `serves`: the name of the one that does, ""
        while none does. `setback`: whether it is the version before, as the current one was refused."""
        self._slots = slots
        self._staging = staging
        self._use = use
        self._serves = serves
        self._setback = setback

    def present(self, update: Update) -> Sequence[Path]:
        """See Installer."""
        with contextlib.suppress(ModelRefused):
            folders = versions.folders(self._slots.models_dir, update.name)
            return [
                path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()
            ]
        return ()

    async def stage(self, update: Update, content: Content) -> str:
        """See Installer."""
        source = self._source(update)
        await asyncio.to_thread(shutil.rmtree, source, ignore_errors=True)
        private_folder(source)
        try:
            for file in content.manifest.files:
                if "/" in file.path:
                    raise InstallRefused("not_a_model", f"{file.path}: a model has no folders.")
                await asyncio.to_thread(content.write, file.path, source / file.path)
            task = {"do": "stage", "source": str(source), "models": str(self._slots.models_dir)}
            folder = Path((await self._work(task))["folder"])
        finally:
            await asyncio.to_thread(shutil.rmtree, source, ignore_errors=True)
        if folder.parent.name != update.name:
            await asyncio.to_thread(versions.discard, folder)
            raise InstallRefused(
                "other_name", f"What was published as {update.name} is {folder.parent.name}."
            )
        await asyncio.to_thread(_make_durable, folder)
        return str(folder)

    async def gate(self, update: Update, staged: str) -> Figures:
        """See Installer."""
        serves = self._serves("encoder") if _setting(staged) == "encoder" else ""
        models = str(self._slots.models_dir)
        told = await self._work({"do": "gate", "folder": staged, "models": models, "serves": serves})
        figures = figures_of(told)
        if reason := refusal_of(told):
            raise InstallRefused(reason, f"The gate here measured: {told}.", figures=figures)
        return figures

    async def way_back(self, update: Update, staged: str) -> str:
        """See Installer."""
        return (await asyncio.to_thread(self._slots.way_back, _setting(staged), update.name)).told()

    async def activate(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        await asyncio.to_thread(self._slots.set, Path(staged), read_way_back(way_back))
        await self._use_now(update.name)

    async def health(self, update: Update, staged: str) -> str:
        """See Installer."""
        setting = _setting(staged)
        if self._setback(setting):
            return "setback"
        return "" if self._serves(setting) in {update.name, ""} else "not_serving"

    async def settle(self, update: Update) -> None:
        """See Installer."""
        await asyncio.to_thread(self._slots.settle)

    async def keep(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. The version before stays beside it, as after any import."""
        await asyncio.to_thread(self._slots.end_trial)

    async def roll_back(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        before = read_way_back(way_back)
        await asyncio.to_thread(self._slots.go_back, before)
        if before.set_to:
            await self._use_now(before.set_to)

    async def discard(self, update: Update, staged: str) -> None:
        """See Installer. `staged` is not known where a stop came before it was told."""
        await asyncio.to_thread(self._discard, update, staged)

    def _discard(self, update: Update, staged: str) -> None:
        shutil.rmtree(self._source(update), ignore_errors=True)
        if staged:
            versions.discard(Path(staged))
        if not (self._slots.models_dir / update.name).is_dir():
            return
        with alone(self._slots.models_dir), contextlib.suppress(ModelRefused):
            versions.sweep(self._slots.models_dir, update.name)

    def _source(self, update: Update) -> Path:
        return self._staging / f"{update.name}-{update.version}"

    async def _use_now(self, name: str) -> None:
        try:
            async with asyncio.timeout(SWAP_S_MAX):
                await self._use(name)
        except TimeoutError:
            raise InstallRefused("swap_late") from None

    async def _work(self, task: dict[str, Any]) -> dict[str, Any]:
        settings = {"settings": {"niceness": NICENESS_BESIDE_TURNS}}
        try:
            done = await work_apart(_WORK, task | settings, silent, ModelWorkFailed, WORK_S_MAX)
        except ModelWorkFailed as error:
            raise InstallRefused("gate" if task["do"] == "gate" else "not_a_model", error.detail) from error
        return dict(done.result)


def _make_durable(folder: Path) -> None:
    """The names of a version's files, too: what comes next counts on them after a power cut."""
    for one in (folder, folder.parent, folder.parent.parent):
        fsync_folder(one)


def _setting(staged: str) -> Setting:
    return "encoder" if isinstance(staged_entry(Path(staged)), EncoderEntry) else "llm"
