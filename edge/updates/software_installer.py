"""Postern's own software over the air: unpacked beside what runs, tried on a copy of the store, then pointed to.

The supervisor starts what is pointed to (`edge.slots`), and goes back by itself where it does not come up. Libraries
are not part of it: a version that needs others is refused at the gate, and comes by the installer.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.files import private_folder
from core.version import VERSION
from edge.apart import NICENESS_BESIDE_TURNS, Done, work_apart
from edge.slots import Slots, kept, numbers, returned, runs_from, slot_environment, swapped
from edge.updates.installer import Content, Figures, InstallRefused
from edge.updates.wanted import Update

NAME: Final = "postern"
NEEDED: Final = frozenset({"edge/processes.py", "edge/slot_check.py", "core/version.py"})
"""Without which a package is not our software."""

CHECK_SECONDS_MAX: Final = 900.0
"""A store of 10 GB is copied and read in some minutes."""

RESTART_S: Final = 60.0
"""Within which the supervisor starts what is pointed to: it looks twice a second, and a stop takes ten at most."""

ROOM: Final = 2.2
"""Of the store's size, that must be free: the copy, and what bringing it to other tables writes."""


class CheckFailed(PosternError):
    """The software beside could not be tried, or says that it cannot."""

    code = "software_check_failed"
    title = "The new software did not pass"
    remedy = "What ran before still does. See `postern updates show`, and tell whoever published it."


class SoftwareInstaller:
    """See `edge.updates.installer.Installer`. `staged` and `way_back` are versions."""

    def __init__(
        self,
        slots: Slots,
        site: Path,
        store: Path,
        store_key: bytes,
        *,
        slot: Callable[[], str | None] = runs_from,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = slots
        self._site = site
        self._store = store
        self._key = store_key
        self._slot = slot
        self._clock = clock
        self._pointed_s: float | None = None

    def present(self, update: Update) -> Sequence[Path]:
        """See Installer: most files of a version are those of the one before."""
        found = self._slots.place(self._slots.pointer().active)
        return [path for path in found.rglob("*") if path.is_file()] if self._slots.pointer().active else ()

    async def stage(self, update: Update, content: Content) -> str:
        """See Installer."""
        paths = [file.path for file in content.manifest.files]
        if update.name != NAME or not set(paths) >= NEEDED:
            raise InstallRefused("not_our_software", f"Software is {NAME}, with all of its programs.")
        slot = self._slots.place(update.version)
        if update.version in self._in_use():
            return update.version  # it was put together and verified before it ran
        await asyncio.to_thread(self._sweep)
        private_folder(slot)
        for path in paths:
            target = slot / path
            private_folder(target.parent)
            await asyncio.to_thread(content.write, path, target)
        return update.version

    async def gate(self, update: Update, staged: str) -> Figures:
        """See Installer: it takes over a copy of the store, and what runs now can read that copy after it."""
        if self._slot() is None:
            raise InstallRefused(
                "not_supervised", "Here the installer brings software, not the control plane."
            )
        if numbers(update.version) < numbers(VERSION):
            raise InstallRefused("older", f"{VERSION} runs; an older one comes back only as a way back.")
        copy = self._slots.place(staged).with_name(f"{staged}.copy")
        try:
            await asyncio.to_thread(self._check_room, copy.parent)
            new = slot_environment(self._slots.place(staged), os.environ)
            done = await self._check(copy, new, take=True)
            if done.result["version"] != update.version:
                raise InstallRefused("other_version", f"It says that it is {done.result['version']}.")
            before = await self._check(copy, {}, take=False)
            if before.result["rows"] < done.result["rows"]:
                raise InstallRefused(
                    "no_way_back", "What runs now does not read all that the new one leaves."
                )
        except CheckFailed as error:
            raise InstallRefused("check_failed", error.detail) from error
        finally:
            for part in (copy, *copy.parent.glob(f"{copy.name}-*")):
                part.unlink(missing_ok=True)
        return Figures()

    async def way_back(self, update: Update, staged: str) -> str:
        """See Installer. A word in front, as what is installed has no version here."""
        pointer = self._slots.pointer()
        return f"slot:{pointer.before if pointer.active == staged else pointer.active}"

    async def activate(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. The supervisor sees it within a second, and this process ends."""
        await asyncio.to_thread(lambda: self._slots.point(swapped(self._slots.pointer(), staged)))
        self._pointed_s = self._clock()

    async def health(self, update: Update, staged: str) -> str:
        """See Installer."""
        if self._slots.pointer().active != staged:
            return "not_starting"
        if self._slot() == staged:
            return ""
        waited_s = self._clock() - self._pointed_s if self._pointed_s is not None else 0.0
        return "not_started" if waited_s > RESTART_S else ""

    async def settle(self, update: Update) -> None:
        """See Installer."""

    async def keep(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        await asyncio.to_thread(lambda: self._slots.point(kept(self._slots.pointer(), staged)))
        await asyncio.to_thread(self._sweep)

    async def roll_back(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. The slot itself is put away by the next one: this process may run from it."""
        await asyncio.to_thread(lambda: self._slots.point(returned(self._slots.pointer(), staged)))

    async def discard(self, update: Update, staged: str) -> None:
        """See Installer."""
        if staged and staged not in self._in_use():
            await asyncio.to_thread(shutil.rmtree, self._slots.place(staged), ignore_errors=True)

    async def _check(self, copy: Path, environment: Mapping[str, str], *, take: bool) -> Done:
        task = {
            "settings": {"niceness": NICENESS_BESIDE_TURNS},
            "site": str(self._site),
            "key": self._key.hex(),
            "copy": str(copy),
            "take": take,
        }
        return await work_apart(
            "edge.slot_check", task, lambda *_: None, CheckFailed, CHECK_SECONDS_MAX, environment
        )

    def _check_room(self, folder: Path) -> None:
        needed = ROOM * self._store.stat().st_size
        if shutil.disk_usage(folder).free < needed:
            raise InstallRefused("disk_full", f"{needed / 1e6:.0f} MB must be free.", passing=True)

    def _in_use(self) -> set[str]:
        pointer = self._slots.pointer()
        return {pointer.active, pointer.before, self._slot() or ""}

    def _sweep(self) -> None:
        """Remove every slot that nothing runs or goes back to."""
        used = self._in_use()
        for version in self._slots.versions():
            if version not in used:
                shutil.rmtree(self._slots.place(version), ignore_errors=True)
