"""A site whose file of people's keys is lost: nothing is made up in its place, and a restore takes FILE.keys for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.archives import BackupUnusable, RestoreRefused
from edge.commands.backup import OLD_MS, _age
from edge.config import SitePaths, site_paths
from edge.privacy.backup.keys_file import beside
from edge.store.connection import StoreUnusable
from edge.store.store import Store
from tests.unit.edge.privacy.backup.conftest import BackedUp
from tests.unit.edge.privacy.backup.sites import (
    ANNA,
    ANNAS_WORDS,
    BERT,
    BERTS_WORDS,
    ASite,
    back_up,
    erase,
    export,
    make_site,
    opened,
    put_back,
    wanted,
)


def lose(paths: SitePaths, *, head: bool) -> None:
    for name in ("keys.db", "keys.db-wal", "keys.db-shm", *(["keys.head"] if head else [])):
        (paths.store.parent / name).unlink(missing_ok=True)


@pytest.mark.proves("erasure")
@pytest.mark.parametrize("head", [False, True])
async def test_the_file_beside_the_backup_takes_its_place(head: bool, site: ASite, file: Path) -> None:
    await back_up(site.paths, file)
    await erase(site.paths, BERT)
    lose(site.paths, head=head)
    done = put_back(site.paths, wanted(site, file, replace=True))
    assert done.people == "file"
    assert done.people_ms is not None
    assert ANNAS_WORDS in await export(site.paths, ANNA)
    assert BERTS_WORDS not in await export(site.paths, BERT)
    async with opened(site.paths) as store:
        assert store.lost == {}
        assert await store.read_keys(lambda db: db["erasures"].count) == 1
    assert put_back(site.paths, wanted(site, file, replace=True)).people == "here"


@pytest.mark.parametrize("head", [False, True])
def test_without_one_nothing_is_restored_however_often_it_is_asked(head: bool, backed_up: BackedUp) -> None:
    site, file = backed_up.site, backed_up.file
    lose(site.paths, head=head)
    for _ in range(2):
        with pytest.raises(RestoreRefused, match="is missing"):
            put_back(site.paths, wanted(site, file, keys=None, replace=True))
    assert not site.paths.subject_keys.exists()


@pytest.mark.proves("erasure")
async def test_an_older_copy_of_it_has_lost_what_was_erased_since(site: ASite, file: Path) -> None:
    await back_up(site.paths, file)
    copy = Path(shutil.copy(site.paths.subject_keys, file.parent / "keys.db"))
    await erase(site.paths, BERT)
    lose(site.paths, head=False)
    shutil.copy(copy, site.paths.subject_keys)
    with pytest.raises(RestoreRefused, match="not all of it is there"):
        put_back(site.paths, wanted(site, file, keys=None, replace=True))
    assert put_back(site.paths, wanted(site, file, replace=True)).people == "file"
    assert BERTS_WORDS not in await export(site.paths, BERT)
    assert ANNAS_WORDS in await export(site.paths, ANNA)


def test_one_that_cannot_be_read_is_to_be_moved_away(backed_up: BackedUp) -> None:
    site = backed_up.site
    site.paths.subject_keys.write_bytes(bytes(8192))
    with pytest.raises(RestoreRefused) as refused:
        put_back(site.paths, wanted(site, backed_up.file, replace=True))
    assert "--keys" in refused.value.remedy
    site.paths.subject_keys.unlink()
    assert put_back(site.paths, wanted(site, backed_up.file, replace=True)).people == "file"


async def test_another_sites_file_does_not_take_its_place(backed_up: BackedUp, tmp_path: Path) -> None:
    site, strange = backed_up.site, tmp_path / "vault" / "strange.age"
    other = await make_site(tmp_path / "other")
    await back_up(other.paths, strange)
    lose(site.paths, head=False)
    with pytest.raises(BackupUnusable):
        put_back(site.paths, wanted(site, backed_up.file, keys=beside(strange), replace=True))
    assert not site.paths.subject_keys.exists()


def test_a_node_does_not_begin_with_an_empty_one(backed_up: BackedUp) -> None:
    """It would write that into every FILE.keys within the hour."""
    paths = backed_up.site.paths
    lose(paths, head=False)
    with pytest.raises(StoreUnusable, match="is missing") as refused:
        Store.open(paths)
    assert "FILE.keys" in refused.value.remedy
    assert not paths.subject_keys.exists()


async def test_when_the_file_was_written_is_told(site: ASite, file: Path, tmp_path: Path) -> None:
    made = await back_up(site.paths, file)
    done = put_back(site_paths(tmp_path / "new"), wanted(site, file))
    assert done.people_ms is not None
    assert done.people_ms >= made.made_ms


@pytest.mark.parametrize(
    ("written_ms", "said"),
    [(OLD_MS - 1, "old copy"), (OLD_MS, "could not reach"), (OLD_MS + 1, None), (OLD_MS + 2, None)],
)
def test_an_old_file_is_warned_of(written_ms: int, said: str | None) -> None:
    (line,) = _age(written_ms, OLD_MS, 2 * OLD_MS + 1)
    assert ("is back" in line) == (said is not None)
    assert said is None or said in line
    assert _age(None, 0, 0) == []
