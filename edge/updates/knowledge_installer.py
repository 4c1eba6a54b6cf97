"""Packs of public documents over the air: a folder beside the site's own documents, mirrored into the knowledge base.

A document's id begins with the pack's name, so that no pack takes the place of a document of the site or of another
pack. Documents change one group after the other; a customer may for seconds meet some of the new and some of the old.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.files import private_folder
from edge.knowledge.files import NAME_CHARS_MAX, find_files
from edge.knowledge.ingest import KnowledgeBase
from edge.updates.installer import Content, Figures, InstallRefused
from edge.updates.wanted import Update

DOCUMENTS_MAX: Final = 2_000
"""Of a pack: a large handbook by its pages. All of them are embedded here."""


class KnowledgeInstaller:
    """See `edge.updates.installer.Installer`. `staged` and `way_back` are folders of a version ("" for none)."""

    def __init__(self, folder: Path, knowledge: KnowledgeBase) -> None:
        """`folder`: of all packs; NAME/VERSION/NAME/… below it."""
        self._folder = folder
        self._knowledge = knowledge

    def present(self, update: Update) -> Sequence[Path]:
        """See Installer."""
        pack = self._folder / update.name
        return [path for path in pack.rglob("*") if path.is_file()] if pack.is_dir() else ()

    async def stage(self, update: Update, content: Content) -> str:
        """See Installer."""
        files = content.manifest.files
        if len(files) > DOCUMENTS_MAX:
            raise InstallRefused("too_many_documents", f"A pack has at most {DOCUMENTS_MAX} documents.")
        version = self._folder / update.name / update.version
        await asyncio.to_thread(shutil.rmtree, version, ignore_errors=True)
        private_folder(version)
        for file in files:
            name = f"{update.name}/{file.path}"
            if len(name) > NAME_CHARS_MAX or any(part.startswith(".") for part in file.path.split("/")):
                raise InstallRefused("bad_name", f"{file.path} cannot be a document's name.")
            await asyncio.to_thread(content.write, file.path, version / name)
        return str(version)

    async def gate(self, update: Update, staged: str) -> Figures:
        """See Installer: every document can be read here."""
        found = await asyncio.to_thread(find_files, [Path(staged)])
        if found.refused or not found.files:
            raise InstallRefused("unreadable", "; ".join(why for _, why in found.refused[:3]))
        others = [folder for folder in self._versions(update) if str(folder) != staged]
        ours = {name for folder in others for name in _names(folder)}
        there = {document.id for document in await self._knowledge.documents()}
        if taken := there & set(found.files) - ours:
            raise InstallRefused("name_taken", f"The site has a document {min(taken)} of its own.")
        return Figures()

    async def way_back(self, update: Update, staged: str) -> str:
        """See Installer: the folder that the pack's documents came from, if they did."""
        others = [folder for folder in self._versions(update) if str(folder) != staged]
        return str(max(others, key=lambda folder: folder.stat().st_mtime_ns)) if others else ""

    async def activate(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        failed = await self._mirror(update, staged)
        if failed:
            raise InstallRefused("unreadable", failed)

    async def health(self, update: Update, staged: str) -> str:
        """See Installer."""
        return ""

    async def settle(self, update: Update) -> None:
        """See Installer."""

    async def keep(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. Of a pack one version stays, from which the next takes what has not changed."""
        for folder in self._versions(update):
            if str(folder) != staged:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def roll_back(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        await self._mirror(update, way_back)
        await self.discard(update, staged)

    async def discard(self, update: Update, staged: str) -> None:
        """See Installer."""
        if staged:
            await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)

    async def _mirror(self, update: Update, folder: str) -> str:
        """Let the pack's documents be those of `folder` ("" for none); why one could not be read, or ""."""
        failed: tuple[tuple[str, str], ...] = ()
        wanted = _names(Path(folder)) if folder else set()
        if folder:
            failed = (await self._knowledge.add([Path(folder)])).failed
        if not failed:
            others = {name for version in self._versions(update) for name in _names(version)}
            for name in sorted(others - wanted):
                await self._knowledge.remove(name)
        return "; ".join(f"{name}: {why}" for name, why in failed[:3])

    def _versions(self, update: Update) -> list[Path]:
        pack = self._folder / update.name
        return [path for path in pack.iterdir() if path.is_dir()] if pack.is_dir() else []


def _names(folder: Path) -> set[str]:
    """Ids of the documents in the folder of a version."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
