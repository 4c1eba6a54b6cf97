"""A store that lost what it had committed says so: its log cut or damaged, an older file put back, its note altered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from edge.config import SitePaths, site_paths
from edge.store import audit, outbox
from edge.store.connection import connect
from edge.store.head import NUMBERS, Head, committed_groups, count_group
from edge.store.outbox import OutboxClass
from edge.store.store import Store

GROUPS = 5
KEY = b"k" * 32


async def killed(folder: Path, *, groups: int = GROUPS) -> SitePaths:
    """A site's files as a kill leaves them, the log of the store not yet moved into it."""
    store = Store.open(site_paths(folder / "running"))
    for _ in range(groups):
        await store.write(add_row)
    shutil.copytree(folder / "running" / "store", folder / "killed" / "store")
    shutil.copytree(folder / "running" / "keys", folder / "killed" / "keys")
    await store.close()
    return site_paths(folder / "killed")


def add_row(db: Database) -> int:
    return outbox.append(db, OutboxClass.STATE, "test", {"n": 1})


async def opened(paths: SitePaths) -> tuple[dict[str, int | None], list[str]]:
    """What is missing, and what was written down about it."""
    store = Store.open(paths)
    rows = await store.read(lambda db: audit.search(db, audit.AuditFilter(action="store.lost"), 10))
    await store.close()
    return store.lost, [row.object for row in rows]


def log_of(paths: SitePaths) -> Path:
    return paths.store.with_name("site.db-wal")


def note_of(paths: SitePaths) -> Path:
    return paths.store.with_suffix(".head")


async def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    paths = await killed(tmp_path)
    assert await opened(paths) == ({}, [])


@pytest.mark.proves("integrity")
async def test_a_cut_log(tmp_path: Path) -> None:
    paths = await killed(tmp_path)
    whole = log_of(paths).read_bytes()
    log_of(paths).write_bytes(whole[:-1])
    assert await opened(paths) == ({"site.db": 1}, ["site.db: 1 groups of rows"])


async def test_a_log_that_is_gone(tmp_path: Path) -> None:
    paths = await killed(tmp_path)
    log_of(paths).unlink()
    lost, said = await opened(paths)
    assert lost == {"site.db": GROUPS}
    assert said == [f"site.db: {GROUPS} groups of rows"]


@pytest.mark.proves("integrity")
async def test_one_bit_of_the_log(tmp_path: Path) -> None:
    """SQLite takes it for the end of the log."""
    paths = await killed(tmp_path)
    content = bytearray(log_of(paths).read_bytes())
    content[-5000] ^= 1
    log_of(paths).write_bytes(content)
    assert (await opened(paths))[0] == {"site.db": 1}


@pytest.mark.proves("integrity")
async def test_an_older_store_that_was_put_back(tmp_path: Path) -> None:
    paths = await killed(tmp_path)
    store = Store.open(paths)
    await store.close()
    older = paths.store.read_bytes()
    store = Store.open(paths)
    await store.write(add_row)
    await store.close()
    paths.store.write_bytes(older)
    assert (await opened(paths))[0] == {"site.db": 1}
    assert await opened(paths) == ({}, ["site.db: 1 groups of rows"]), "said once, and kept"


@pytest.mark.parametrize(
    "alter",
    [
        lambda note: note.unlink(),
        lambda note: note.write_bytes(b""),
        lambda note: note.write_bytes(note.read_bytes()[:-1]),
        lambda note: note.write_bytes(bytes([note.read_bytes()[0] ^ 1]) + note.read_bytes()[1:]),
        lambda note: note.write_bytes(note.with_name("keys.head").read_bytes()),
    ],
    ids=["gone", "empty", "cut", "flipped", "of another file"],
)
async def test_a_note_that_is_not_to_be_believed(tmp_path: Path, alter: Callable[[Path], object]) -> None:
    paths = await killed(tmp_path)
    alter(note_of(paths))
    lost, said = await opened(paths)
    assert lost == {"site.db": None}
    assert said == ["site.db: an unknown number of groups of rows"]


async def test_an_older_note_is_what_a_power_cut_leaves(tmp_path: Path) -> None:
    paths = await killed(tmp_path)
    older = note_of(paths).read_bytes()
    store = Store.open(paths)
    await store.write(add_row)
    await store.close()
    note_of(paths).write_bytes(older)
    assert await opened(paths) == ({}, [])


@pytest.mark.parametrize(
    ("noted", "committed", "lost"),
    [
        (7, 7, 0),
        (8, 7, 1),
        (7, 8, 0),
        (0, NUMBERS - 1, 1),
        (NUMBERS - 1, 0, 0),
        (NUMBERS - 1, NUMBERS - 3, 2),
    ],
)
def test_numbers_go_round(tmp_path: Path, noted: int, committed: int, lost: int) -> None:
    db = connect(tmp_path / "a.db", KEY)
    note = Head(tmp_path / "a.db", KEY)
    note.note(noted)
    db.execute(f"PRAGMA user_version={committed}")
    assert note.lost(db) == lost
    assert count_group(db, committed) == committed_groups(db) == (committed + 1) % NUMBERS
    note.close()


async def test_a_failed_commit_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(site_paths(tmp_path))
    await store.write(add_row)
    before = await store.read(committed_groups)

    def full(*_: object) -> int:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("edge.store.store.count_group", full)
        with pytest.raises(OSError, match="no space"):
            await store.write(add_row)
    assert await store.read(committed_groups) == before
    await store.write(add_row)
    assert await store.read(committed_groups) == before + 1
    await store.close()
