"""A store of an earlier release gives its free pages back, and whoever is killed meanwhile has the old one whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import DatabaseError
from sqlite_utils import Database

from core.errors import PosternError
from edge.config import SitePaths, site_paths
from edge.keys import SiteKeys
from edge.store import compacting
from edge.store.compacting import NoRoom, compact
from edge.store.connection import CACHE_KIB, StoreInUse, StoreUnusable, connect
from edge.store.store import Store
from edge.store.unwritable import StoreUnwritable
from models.progress import silent

ROWS = 400
LONG = "x" * 10_000
CACHES = 2
"""As many page caches is what the kill comes into: some 17 MB."""
KILLED = """
import os, signal, sys
from pathlib import Path
from edge.config import site_paths
from edge.store import compacting

compacting.LOOK_S = 0.001

def kill(what, done, total):
    if 0 < done < total:
        os.kill(os.getpid(), signal.SIGKILL)

compacting.compact(site_paths(Path(sys.argv[1])), kill)
"""


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    """Of a site whose store was made before free pages could be given back; most of its pages are free."""
    found = site_paths(tmp_path)
    asyncio.run(Store.open(found).close())
    db = opened(found)
    db.execute("PRAGMA auto_vacuum=NONE")
    db.execute("VACUUM")
    for n in range(ROWS):
        db.execute("INSERT INTO meta(name, value) VALUES (?, ?)", [f"row {n}", LONG.encode()])
    db.execute("DELETE FROM meta WHERE name LIKE 'row %' AND name NOT LIKE 'row %0'")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert db.execute("PRAGMA auto_vacuum").fetchone()[0] == 0
    db.conn.close()
    return found


def opened(paths: SitePaths) -> Database:
    return connect(paths.store, SiteKeys.open(paths).store)


def rows(paths: SitePaths) -> int:
    db = opened(paths)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    (found,) = db.execute(
        "SELECT count(*) FROM meta WHERE name LIKE 'row %' AND length(value) = 10000"
    ).fetchone()
    db.conn.close()
    return int(found)


def test_free_pages_go_back_to_the_disk_now_and_from_then_on(paths: SitePaths) -> None:
    told: list[tuple[int, int]] = []
    done = compact(paths, lambda _, part, whole: told.append((part, whole)))
    assert done.before > 4_000_000
    assert done.after == paths.store.stat().st_size < done.before / 4
    assert told[-1][0] == told[-1][1] > 0
    assert rows(paths) == ROWS / 10
    db = opened(paths)
    assert db.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
    db.conn.close()
    store = Store.open(paths)
    assert store.lost == {}
    asyncio.run(store.close())


def test_while_the_node_has_the_store_it_is_left_alone(paths: SitePaths) -> None:
    store, before = Store.open(paths), paths.store.stat().st_size
    with pytest.raises(StoreInUse) as caught:
        compact(paths, silent)
    assert "Stop the node" in caught.value.remedy
    assert paths.store.stat().st_size == before
    asyncio.run(store.close())


@pytest.mark.parametrize("missing", [0, 1])
def test_without_room_for_a_copy_nothing_is_begun(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    db = opened(paths)
    needed = compacting._bytes_of_rows(db)
    db.conn.close()
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(needed - missing))
    before = paths.store.stat().st_size
    if missing:
        with pytest.raises(NoRoom, match="MB are free"):
            compact(paths, silent)
        assert paths.store.stat().st_size == before
    else:
        assert compact(paths, silent).after < before


@pytest.mark.parametrize(("name", "told"), [("SQLITE_FULL", NoRoom), ("SQLITE_IOERR_WRITE", StoreUnwritable)])
def test_a_broken_disk_is_not_told_as_a_full_one(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch, name: str, told: type[PosternError]
) -> None:
    execute = Database.execute

    def fails(db: Database, sql: str, *more: Any) -> Any:
        if sql == "VACUUM":
            error = DatabaseError("no")
            error.sqlite_errorname = name
            raise error
        return execute(db, sql, *more)

    monkeypatch.setattr(Database, "execute", fails)
    with pytest.raises(told):
        compact(paths, silent)


def test_where_there_is_no_store_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable):
        compact(site_paths(tmp_path), silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_whoever_is_killed_meanwhile_has_the_old_file_whole(paths: SitePaths) -> None:
    db = opened(paths)
    # More than the page cache holds: the copy is in the log, where it can be seen, long before it is done.
    db.execute("BEGIN")
    for n in range(CACHES * CACHE_KIB * 1024 // len(LONG)):
        db.execute("INSERT INTO meta(name, value) VALUES (?, ?)", [f"row {n} more 0", LONG.encode()])
    db.execute("COMMIT")
    db.conn.close()
    before = rows(paths)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(paths.root)], env=os.environ, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert rows(paths) == before
    compact(paths, silent)
    assert rows(paths) == before
