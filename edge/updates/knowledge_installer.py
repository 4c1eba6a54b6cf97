"""Packs of public documents over the air: a folder beside the site's own documents, mirrored into the knowledge base.

A document's id begins with the pack's name, so that no pack takes the place of a document of the site or of another
pack. Documents change one group after the other; a customer may for seconds meet some of the new and some of the old.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from core.files import private_folder, write_atomic
from edge.knowledge.files import NAME_CHARS_MAX, FoundFile, find_files
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.reading import ReaderProcess
from edge.knowledge.sources import Failures, unreadable
from edge.updates.installer import Content, Figures, InstallRefused
from edge.updates.wanted import Update

DOCUMENTS_MAX: Final = 2_000
"""Of a pack: a large handbook by its pages. All of them are embedded here."""


CURRENT: Final = "current"
"""Beside a pack's versions: the name of the folder that its documents are of."""

_AGAIN: Final = "~"
"""Behind the version, in the name of a folder that comes beside the same version: of no version itself."""


class KnowledgeInstaller:
    """See `edge.updates.installer.Installer`. `staged` and `way_back` are folders of a version ("" for none)."""

    def __init__(self, folder: Path, knowledge: KnowledgeBase) -> None:
        """`folder`: of all packs; NAME/VERSION/NAME/… below it."""
        self._folder = folder
        self._knowledge = knowledge

    def present(self, update: Update) -> Sequence[Path]:
        """See Installer."""
        return [
            path for folder in self._versions(update.name) for path in folder.rglob("*") if path.is_file()
        ]

    async def stage(self, update: Update, content: Content) -> str:
        """See Installer."""
        files = content.manifest.files
        if len(files) > DOCUMENTS_MAX:
            raise InstallRefused("too_many_documents", f"A pack has at most {DOCUMENTS_MAX} documents.")
        version = await asyncio.to_thread(self._emptied, update)
        for file in files:
            name = f"{update.name}/{file.path}"
            if len(name) > NAME_CHARS_MAX or any(part.startswith(".") for part in file.path.split("/")):
                raise InstallRefused("bad_name", f"{file.path} cannot be a document's name.")
            await asyncio.to_thread(content.write, file.path, version / name)
        return str(version)

    async def gate(self, update: Update, staged: str) -> Figures:
        """See Installer: every document is read here."""
        found = await asyncio.to_thread(find_files, [Path(staged)])
        if found.refused or not found.files:
            raise _unreadable(found.refused)
        if failed := await asyncio.to_thread(_read, found.files.values()):
            raise _unreadable(failed)
        ours = await asyncio.to_thread(lambda: _names(self._current(update.name)))
        there = {document.id for document in await self._knowledge.documents()}
        if taken := there & set(found.files) - ours:
            raise InstallRefused("name_taken", f"The site has a document {min(taken)} of its own.")
        return Figures()

    async def way_back(self, update: Update, staged: str) -> str:
        """See Installer: the folder that the pack's documents are of, if there are any."""
        return await asyncio.to_thread(self._current, update.name)

    async def activate(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        await self._exchange(update, way_back, staged)

    async def health(self, update: Update, staged: str) -> str:
        """See Installer."""
        return ""

    async def settle(self, update: Update) -> None:
        """See Installer."""

    async def keep(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. Of a pack one version stays, from which the next takes what has not changed."""
        await asyncio.to_thread(self._keep_only, update, staged)

    async def roll_back(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. Raises InstallRefused where a document of before cannot be read: nothing is put away then."""
        await self._exchange(update, staged, way_back)
        await self.discard(update, staged)

    async def discard(self, update: Update, staged: str) -> None:
        """See Installer."""
        if staged:
            await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)

    async def has(self, name: str) -> bool:
        """Whether anything of a pack of that name is here."""
        return bool(await asyncio.to_thread(self._versions, name))

    async def remove(self, name: str) -> None:
        """Take a pack off, documents first: after a stop the rest goes when it is asked again."""
        for document in sorted(await asyncio.to_thread(lambda: _names(self._current(name)))):
            await self._knowledge.remove(document)
        await asyncio.to_thread(self._forget, name)

    async def _exchange(self, update: Update, before: str, after: str) -> None:
        """Let the documents of folder `after` take the place of those of `before`, "" for none."""
        wanted = await asyncio.to_thread(_names, after)
        if after and (failed := (await self._knowledge.add([Path(after)])).failed):
            raise _unreadable(failed)
        for name in sorted(await asyncio.to_thread(_names, before) - wanted):
            await self._knowledge.remove(name)
        await asyncio.to_thread(self._point, update.name, after)

    def _emptied(self, update: Update) -> Path:
        """A folder for the version, which is not the one that its documents are of now."""
        folder = self._folder / update.name / update.version
        if str(folder) == self._current(update.name):
            folder = folder.with_name(folder.name + _AGAIN)
        shutil.rmtree(folder, ignore_errors=True)
        return private_folder(folder)

    def _current(self, pack: str) -> str:
        """The folder that the pack's documents are of; "" for none."""
        try:
            version = (self._folder / pack / CURRENT).read_text("utf-8")
        except FileNotFoundError:
            return ""
        return next((str(folder) for folder in self._versions(pack) if folder.name == version), "")

    def _point(self, pack: str, folder: str) -> None:
        pointer = self._folder / pack / CURRENT
        if folder:
            write_atomic(pointer, Path(folder).name.encode())
        else:
            pointer.unlink(missing_ok=True)

    def _forget(self, pack: str) -> None:
        self._point(pack, "")
        for folder in self._versions(pack):
            shutil.rmtree(folder, ignore_errors=True)

    def _keep_only(self, update: Update, staged: str) -> None:
        for folder in self._versions(update.name):
            if str(folder) != staged:
                shutil.rmtree(folder, ignore_errors=True)

    def _versions(self, pack: str) -> list[Path]:
        folder = self._folder / pack
        return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _names(folder: str) -> set[str]:
    """Ids of the documents in the folder of a version; none for ""."""
    root = Path(folder)
    return (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} if folder else set()
    )


def _read(files: Iterable[FoundFile]) -> Failures:
    """What cannot be read, in a process that ends with it."""
    with closing(ReaderProcess()) as reader:
        return unreadable(files, reader)


def _unreadable(failed: Sequence[tuple[str, str]]) -> InstallRefused:
    return InstallRefused("unreadable", "; ".join(f"{name}: {why}" for name, why in failed[:3]))
