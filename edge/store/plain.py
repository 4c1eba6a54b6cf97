"""SQLite files that hold nothing of anybody, so that they are not encrypted: the egress ledger.

Without `sqlite_utils`, which would cost the courier 15 MB of its memory.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import sqlcipher3

from edge.store.safe_sqlite import refuse_unsafe_sqlite

# A reader holds no writer up, but for the moment in which the log begins anew.
BUSY_TIMEOUT_MS = 5_000
# Page cache, KiB: what is written goes to the end, and the courier has 70 MB in all.
CACHE_KIB = 512


def connect_plain(path: Path) -> sqlcipher3.Connection:
    """Open (or create) a database in WAL mode with full durability, in manual transaction mode.

    Raises StoreUnusable, sqlcipher3.Error.
    """
    refuse_unsafe_sqlite()
    connection = sqlcipher3.connect(str(path), isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",  # NORMAL may lose a commit on power loss in WAL mode
            "temp_store=MEMORY",
            f"cache_size=-{CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchone()
        path.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def read_plain(path: Path, *, still: bool = False) -> sqlcipher3.Connection:
    """Open an existing database beside whoever writes it, without being able to change it.

    `still`: nobody writes it any more; nothing is then made beside it. Raises StoreUnusable, sqlcipher3.Error.
    """
    refuse_unsafe_sqlite()
    how = "mode=ro&immutable=1" if still else "mode=ro"
    connection = sqlcipher3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return connection


def read_aside(path: Path) -> sqlcipher3.Connection:
    """As `read_plain`, for one that was set aside. A log beside it (it was damaged, or copied from a running site) has
    the newest leaves and is read too; else nothing is made beside it, and it may lie where nobody can write."""
    return read_plain(path, still=not path.with_name(f"{path.name}-wal").exists())


def copy_plain(path: Path, target: Path) -> None:
    """A whole copy of the database as it is at one moment, while others write it; `target` is new, or empty.

    Raises StoreUnusable, sqlcipher3.Error.
    """
    connection = read_plain(path)
    try:
        connection.execute("VACUUM INTO ?", [str(target)])
    finally:
        connection.close()
