"""A site with its backup, made once; each test gets a copy."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.config import site_paths
from edge.privacy.backup import rows
from tests.unit.edge.privacy.backup.sites import ASite, back_up, make_site, opened


@dataclass(frozen=True)
class BackedUp:
    """A site, and its backup of a moment ago."""

    site: ASite
    file: Path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> BackedUp:
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("backed-up")
    (folder / "vault").mkdir()
    site = asyncio.run(make_site(folder / "site"))
    file = folder / "vault" / "monday.age"
    asyncio.run(_back_up_unlisted(site, file))
    return BackedUp(site, file)


async def _back_up_unlisted(site: ASite, file: Path) -> None:
    """A copy of the site must not write into the folder of another test."""
    made = await back_up(site.paths, file)
    async with opened(site.paths) as store:
        await store.write_keys(lambda db: rows.remove(db, made.id))


@pytest.fixture
def site(prepared: BackedUp, tmp_path: Path) -> ASite:
    """A site of the test's own."""
    shutil.copytree(prepared.site.paths.root, tmp_path / "site")
    return ASite(site_paths(tmp_path / "site"), prepared.site.identity)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a backup can go."""
    (tmp_path / "vault").mkdir()
    return tmp_path / "vault" / "monday.age"


@pytest.fixture
def backed_up(prepared: BackedUp, site: ASite, file: Path) -> BackedUp:
    """A site of the test's own with its backup, which is on no list."""
    for path in prepared.file.parent.iterdir():
        shutil.copy(path, file.parent)
    return BackedUp(site, file)
