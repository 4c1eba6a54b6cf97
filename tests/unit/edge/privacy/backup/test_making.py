"""Making a backup: where it may go, that it is whole or not there, and that a busy store is caught in one moment."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from core.archives import BackupExists, BackupFailed
from edge.apart import Done
from edge.config import site_paths
from edge.privacy.backup import backups as backups_module
from edge.privacy.backup import keys_file, making, rows
from edge.privacy.backup.backups import ROOM, ROOM_BYTES, Backups, newest
from edge.privacy.backup.keys_file import beside
from edge.store.store import Store
from models.progress import silent
from tests.unit.edge.privacy.backup.sites import ASite, back_up, opened, put_back, wanted


async def test_a_backup_is_told_and_listed(site: ASite, file: Path) -> None:
    made = await back_up(site.paths, file)
    assert (made.file, made.size) == (file, file.stat().st_size)
    assert oct(file.stat().st_mode)[-3:] == oct(made.keys_file.stat().st_mode)[-3:] == "600"
    assert sorted(path.name for path in file.parent.iterdir()) == ["monday.age", "monday.age.keys"]
    async with opened(site.paths) as store:
        assert (await store.read_keys(rows.listing))[0] == made
        assert await newest(store) == made


async def test_one_in_the_place_of_another(site: ASite, file: Path) -> None:
    first = await back_up(site.paths, file)
    with pytest.raises(BackupExists):
        await back_up(site.paths, file)
    second = await back_up(site.paths, file, replace=True)
    async with opened(site.paths) as store:
        listed = await store.read_keys(rows.listing)
    assert second in listed
    assert first not in listed


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("site/monday.age", "own folder"), ("site/store/../monday.age", "own folder"),
        ("link/monday.age", "own folder"), ("nowhere/monday.age", "is no folder"), ("vault", "is no folder"),
    ],
)  # fmt: skip
async def test_where_it_may_not_go(place: str, said: str, site: ASite, file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "site")
    with pytest.raises(BackupFailed, match=said):
        await back_up(site.paths, tmp_path / place)


async def test_a_relative_place(site: ASite) -> None:
    with pytest.raises(BackupFailed, match="from the root"):
        await back_up(site.paths, Path("monday.age"))


@pytest.mark.parametrize(("more", "fits"), [(-1, False), (0, True), (1, True)])
async def test_room_on_the_disk(
    more: int, fits: bool, site: ASite, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = making.folders_bytes(site.paths)
    async with opened(site.paths) as store:
        held += sum(path.stat().st_size for path in site.paths.store.parent.glob("site.db*"))
        free = round(held * ROOM) + ROOM_BYTES + more
        usage = namedtuple("usage", "free")(free)
        monkeypatch.setattr(backups_module.shutil, "disk_usage", lambda _: usage)
        if fits:
            backups_module._check_room(file, site.paths)
        else:
            with pytest.raises(BackupFailed, match="MB are needed"):
                await Backups(store, site.paths).make(file, silent, replace=False)


async def test_a_child_that_is_killed_leaves_nothing(
    site: ASite, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(module: str, task: dict[str, str], *_: object) -> None:
        Path(task["target"]).write_bytes(b"half of it")
        raise BackupFailed("The process that did the work stopped in the midst of it.")

    monkeypatch.setattr(backups_module, "work_apart", killed)
    async with opened(site.paths) as store:
        backups = Backups(store, site.paths)
        before = await newest(store)
        with pytest.raises(BackupFailed):
            await backups.make(file, silent, replace=False)
        assert [path.name for path in file.parent.iterdir()] == []
        assert await newest(store) == before


async def test_a_name_that_cannot_be_given_leaves_nothing(
    site: ASite, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system", str(file))

    async with opened(site.paths) as store:
        backups = Backups(store, site.paths)
        before = await newest(store)
        monkeypatch.setattr(backups_module.os, "replace", refuse)
        with pytest.raises(BackupFailed, match="Read-only"):
            await backups._write(file, backups_module.load_config(site.paths), silent)
        monkeypatch.undo()
        assert await newest(store) == before
        assert not file.exists()


def _no_room(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk")


Breaks = Callable[[pytest.MonkeyPatch], None]


def _writing_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_file, "write_atomic", _no_room)


def _durable_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have their name, and the disk then fails."""

    def write(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        _no_room()

    monkeypatch.setattr(keys_file, "write_atomic", write)


def _giving_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups_module, "_give_name", _no_room)


def _durable_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups_module, "fsync_folder", _no_room)


def _place_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails, and cannot be looked at afterwards."""
    monkeypatch.setattr(backups_module, "_give_name", _no_room)
    monkeypatch.setattr(backups_module, "_take_away", _no_room)


@pytest.mark.proves("backup")
@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize(
    "breaks", [_writing_keys, _durable_keys, _giving_its_name, _durable_name, _place_away]
)
async def test_what_lies_there_after_a_failure_is_on_the_list(
    breaks: Breaks, replaces: bool, site: ASite, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else no erasure would reach the keys beside it."""
    monkeypatch.setattr(backups_module, "work_apart", _written)
    async with opened(site.paths) as store:
        backups = Backups(store, site.paths)
        earlier = [await backups.make(file, silent, replace=False)] if replaces else []
        with monkeypatch.context() as broken:
            breaks(broken)
            with pytest.raises(BackupFailed, match="No space"):
                await backups.make(file, silent, replace=replaces)
        listed = [made for made in await backups.listing() if made.file == file]
        assert bool(listed) == (file.exists() or beside(file).exists())
        assert {made.keys_file for made in listed} <= {beside(file)}
        if replaces:
            assert listed == earlier
            assert (file.exists(), beside(file).exists()) == (True, True)
        assert not backups_module._part(file).exists() or breaks is _place_away


async def test_a_backup_stands_whatever_becomes_of_the_keys_beside_others(
    site: ASite, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups_module, "work_apart", _written)
    async with opened(site.paths) as store:
        backups = Backups(store, site.paths)
        monkeypatch.setattr(backups.keys_files, "rewrite", _fails)
        made = await backups.make(file, silent, replace=False)
        assert made in await backups.listing()


async def _written(module: str, task: dict[str, str], *_: object) -> Done:
    Path(task["target"]).write_bytes(b"all of it")
    return Done({"bytes": 9})


async def _fails() -> None:
    _no_room()


async def test_one_at_a_time(site: ASite, file: Path) -> None:
    async with opened(site.paths) as store:
        backups = Backups(store, site.paths)
        first = asyncio.create_task(backups.make(file, silent, replace=False))
        await asyncio.sleep(0)
        with pytest.raises(BackupFailed, match="being made"):
            await backups.make(file.with_name("other"), silent, replace=False)
        await first


@pytest.mark.proves("backup")
async def test_a_busy_store_is_caught_in_one_moment(site: ASite, file: Path, tmp_path: Path) -> None:
    """Each commit writes a pair that belongs together, over the same pages: half a pair would be a mixture."""
    filling = os.urandom(2_000)

    def pair(db: Database, number: int) -> None:
        for half in ("a", "b"):
            db.execute(
                "INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)",
                [f"{half}{number % 300}", number.to_bytes(8, "big") + filling],
            )

    async def write(store: Store, stop: asyncio.Event) -> int:
        number = 0
        while not stop.is_set():
            number += 1
            await store.write(lambda db, n=number: pair(db, n))
        return number

    async with opened(site.paths) as store:
        stop = asyncio.Event()
        writing = asyncio.create_task(write(store, stop))
        await Backups(store, site.paths).make(file, silent, replace=False)
        stop.set()
        written = await writing
    elsewhere = site_paths(tmp_path / "elsewhere")
    put_back(elsewhere, wanted(site, file))
    async with opened(elsewhere) as store:
        found = await store.read(
            lambda db: dict(
                db.execute("SELECT name, value FROM meta WHERE name GLOB '[ab][0-9]*'").fetchall()
            )
        )
        lost = store.lost
    numbers = {name: int.from_bytes(value[:8], "big") for name, value in found.items()}
    assert {name[1:]: n for name, n in numbers.items() if name[0] == "a"} == {
        name[1:]: n for name, n in numbers.items() if name[0] == "b"
    }
    newest = max(numbers.values())
    assert newest <= written
    # all commits up to the newest are there: of each place the last number that it got by then
    assert set(numbers.values()) == set(range(max(1, newest - 299), newest + 1))
    assert lost == {}
    shutil.rmtree(elsewhere.root)
