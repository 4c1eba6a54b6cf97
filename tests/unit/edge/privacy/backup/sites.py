"""Sites for the tests of backups: a real folder with real encrypted files, two people, a document, no encoder."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pyrage.x25519 import Identity

from edge.config import SitePaths, site_paths
from edge.keys import recovery
from edge.privacy.backup.backups import Backups
from edge.privacy.backup.keys_file import beside
from edge.privacy.backup.restoring import Restored, Wanted, restore
from edge.privacy.backup.rows import Made
from edge.privacy.erasure import Beside, Erasure
from edge.privacy.export import data_of
from edge.site_setup import create_site
from edge.store.store import Store
from edge.store.subject_rows import Person
from models.progress import silent
from tests.unit.edge.privacy.people_rig import seed

ANNA, BERT = "patient-anna", "patient-bert"
ANNAS_WORDS, BERTS_WORDS = "Where is my zebra canary?", "Where is my giraffe canary?"
ACTOR = "terminal:test"


@dataclass(frozen=True)
class ASite:
    """A site and its recovery key, which somebody has taken away."""

    paths: SitePaths
    identity: Identity


async def make_site(folder: Path) -> ASite:
    """A clinic with two people in its store."""
    paths = site_paths(folder)
    create_site(paths, "clinic")
    site = ASite(paths, recovery.identity(paths.recovery_key.read_text().strip()))
    paths.recovery_key.unlink()
    async with opened(paths) as store:
        await seed(store, ANNA, "conversation-anna", ANNAS_WORDS)
        await seed(store, BERT, "conversation-bert", BERTS_WORDS)
    return site


@asynccontextmanager
async def opened(paths: SitePaths) -> AsyncIterator[Store]:
    store = Store.open(paths)
    try:
        yield store
    finally:
        await store.close()


async def back_up(paths: SitePaths, file: Path, *, replace: bool = False) -> Made:
    async with opened(paths) as store:
        return await Backups(store, paths).make(file, silent, replace=replace)


class _Nobody:
    """Nobody is in a conversation."""

    @asynccontextmanager
    async def closed(self, subject: str) -> AsyncIterator[int]:
        yield 0


async def erase(paths: SitePaths, subject: str) -> None:
    """As the node does it."""
    async with opened(paths) as store:
        beside_it = Beside(keys_files=Backups(store, paths).keys_files.rewrite)
        await Erasure(store, "clinic", _Nobody(), beside_it).erase(subject, ACTOR)


def wanted(site: ASite, file: Path, *, keys: Path | bool | None = True, replace: bool = False) -> Wanted:
    """`keys`: True for those beside the file."""
    people = beside(file) if keys is True else keys or None
    return Wanted(file, [site.identity], people, replace, ACTOR)


def put_back(paths: SitePaths, what: Wanted) -> Restored:
    return restore(paths, what, silent)


async def export(paths: SitePaths, subject: str) -> str:
    """All that the site has of a person, as text; the same for the same data."""
    async with opened(paths) as store:
        data = await data_of(store, Person(subject, store.digests.of(subject)))
    return json.dumps(data, sort_keys=True)


def bytes_of(folder: Path) -> bytes:
    """All files below a folder, one behind the other."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def listing(folder: Path) -> dict[str, bytes]:
    """Every file of a site by its name, but for what opening a store changes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "store"
    }
