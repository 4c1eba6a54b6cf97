"""Refusing a SQLite that would not be safe; apart from `connection`, which loads more than the courier needs."""

from __future__ import annotations

import sqlcipher3

from core.errors import PosternError

# SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when a writer resets the log under a reader
# (sqlite.org/wal.html, "the WAL-reset bug"); 3.51.3 mends it.
SAFE_SQLITE = (3, 51, 3)


class StoreUnusable(PosternError):
    """The store cannot be opened."""

    code = "store_unusable"
    title = "The site's store cannot be opened"
    remedy = "Run `postern doctor` for this site."
    status = 503


def refuse_unsafe_sqlite(version: tuple[int, ...] = sqlcipher3.sqlite_version_info) -> None:
    """Raise StoreUnusable for a SQLite with the WAL-reset bug."""
    if version < SAFE_SQLITE:
        found = ".".join(map(str, version))
        raise StoreUnusable(
            f"SQLite {found} can corrupt a database in WAL mode.",
            remedy=f"Install sqlcipher3 with SQLite {'.'.join(map(str, SAFE_SQLITE))} or newer.",
        )
