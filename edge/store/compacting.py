"""Writes the site's file anew while the node is stopped: free pages go back to the disk, now and from then on.

A store that an earlier release made keeps the pages that it freed, and one that is larger than what a running node
writes anew (`store.COMPACT_BYTES_MAX`) stays so. `VACUUM` is one transaction: killed meanwhile, the old file is whole.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database

from core.errors import PosternError
from edge.config import SitePaths
from edge.keys import SiteKeys
from edge.store.connection import StoreInUse, StoreUnusable, connect, lock
from edge.store.unwritable import full, told

LOOK_S: Final = 0.2
"""Between two looks at how far it is: a bar that a person watches."""

Report = Callable[[str, int, int], None]
"""What is done, how many bytes of it, of how many."""


class NoRoom(PosternError):
    """The disk has no room for a second copy."""

    code = "no_room_to_compact"
    title = "The disk has no room to write the store anew"
    remedy = "Make room on the disk that holds the site's folder, then run it again. Nothing was changed."


@dataclass(frozen=True)
class Compacted:
    """Sizes of the site's file, in bytes."""

    before: int
    after: int


def compact(paths: SitePaths, report: Report) -> Compacted:
    """Write the site's file anew. It takes as much free disk, and memory, as the file has rows.

    Raises NoRoom, StoreInUse where the node runs, StoreUnusable, StoreUnwritable, KeysUnusable.
    """
    if not paths.store.exists():
        raise StoreUnusable(f"{paths.store} is not there.", remedy="Name the site's folder with --site.")
    try:
        descriptor = lock(paths.store_lock)
    except StoreInUse as error:
        raise StoreInUse(error.detail, remedy="Stop the node, and run this again.") from None
    try:
        db = connect(paths.store, SiteKeys.open(paths).store)
        try:
            return _compacted(db, paths, report)
        finally:
            db.conn.close()
    finally:
        os.close(descriptor)


def _compacted(db: Database, paths: SitePaths, report: Report) -> Compacted:
    log = paths.store.with_name(f"{paths.store.name}-wal")
    _empty_log(db)
    before, needed = paths.store.stat().st_size, _bytes_of_rows(db)
    free = shutil.disk_usage(paths.store.parent).free
    if free < needed:
        raise NoRoom(
            f"It needs {needed / 1e6:,.1f} MB; {free / 1e6:,.1f} MB are free at {paths.store.parent}."
        )

    def look() -> None:
        report("write the store anew", min(log.stat().st_size if log.exists() else 0, needed), needed)

    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(done, look), daemon=True)
    watching.start()
    try:
        db.execute("VACUUM")
    except Exception as error:
        if full(error):
            raise NoRoom("The disk was full before it was done.") from None
        raise told(error) from None
    finally:
        done.set()
        watching.join()
    _empty_log(db)
    report("write the store anew", needed, needed)
    return Compacted(before, paths.store.stat().st_size)


def _watch(done: threading.Event, look: Callable[[], None]) -> None:
    while not done.wait(LOOK_S):
        look()


def _bytes_of_rows(db: Database) -> int:
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _empty_log(db: Database) -> None:
    """Move what the log holds into the file. Raises StoreInUse where a reader is in the way."""
    if int(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]):
        raise StoreInUse(
            "Another process reads the store.", remedy="Wait until it is done, and run this again."
        )
