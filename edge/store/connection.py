"""Opening an encrypted SQLite file, and refusing one that would not be safe."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from urllib.parse import quote

import sqlcipher3
from sqlite_utils import Database

from core.files import private_folder
from edge.store.safe_sqlite import StoreUnusable as StoreUnusable
from edge.store.safe_sqlite import refuse_unsafe_sqlite

# Page cache of a connection, KiB: the working set is small, the memory budget of the node is 700 MB.
CACHE_KIB = 8 * 1024
BUSY_TIMEOUT_MS = 5_000
# SQLCipher would write a line of its own for each page that does not fit; the exception says so already.
QUIET = "PRAGMA cipher_log_level=NONE"


class StoreInUse(StoreUnusable):
    """Another process holds the store."""

    code = "store_in_use"
    title = "Another process is using this site's store"
    remedy = "Stop the other process, or let the running node do the work."


def connect(path: Path, key: bytes) -> Database:
    """Open (or create) an encrypted database in WAL mode with full durability, in manual transaction mode.

    The raw key skips SQLCipher's PBKDF2, which costs a second a connection and adds nothing to 256 random bits.
    Raises StoreUnusable when the key does not fit.
    """
    refuse_unsafe_sqlite()
    private_folder(path.parent)
    connection = sqlcipher3.connect(str(path), isolation_level=None, check_same_thread=False)
    connection.execute(QUIET)
    connection.execute(f"PRAGMA key=\"x'{key.hex()}'\"")
    try:
        # Of a new file; an older one is so once it was written anew (`Store.tidy`).
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlcipher3.DatabaseError:
        connection.close()
        raise StoreUnusable(
            f"{path} cannot be read with this site's key.",
            remedy="Restore the key that belongs to this store.",
        ) from None
    for pragma in (
        "synchronous=FULL",  # NORMAL may lose a commit on power loss in WAL mode
        "foreign_keys=ON",
        "secure_delete=ON",
        "temp_store=MEMORY",  # no customer data in temporary files
        f"cache_size=-{CACHE_KIB}",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    path.chmod(0o600)
    return Database(connection)


def connect_to_read(path: Path, key: bytes) -> Database:
    """Open an existing database beside the process that has it, without being able to change it.

    In WAL mode a reader holds nobody up. Raises StoreUnusable when the key does not fit.
    """
    refuse_unsafe_sqlite()
    connection = sqlcipher3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    connection.execute(QUIET)
    connection.execute(f"PRAGMA key=\"x'{key.hex()}'\"")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlcipher3.DatabaseError:
        connection.close()
        raise StoreUnusable(f"{path} cannot be read with this site's key.") from None
    connection.execute("PRAGMA temp_store=MEMORY")  # no customer data in temporary files
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    return Database(connection)


def lock(path: Path) -> int:
    """Take the site's lock and return its descriptor (closing it releases). Raises StoreInUse."""
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreInUse(f"The store beside {path} is in use.") from None
    return descriptor
