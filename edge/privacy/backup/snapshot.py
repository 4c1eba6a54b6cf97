"""The store as it is at one moment, read while a node writes it: the encrypted file as it lies there, and its log.

A read transaction of our own pins the moment. As long as it is open SQLite moves no page into the file that the
transaction must not see, and does not begin the log anew unless all of it is in the file (sqlite.org/walformat.html,
"WAL-index locks"). So the file may be copied at leisure: a page that changes meanwhile is in the log that was copied
first, and opening the copy puts it right. No second database is written, and nothing is decrypted.

Only in a process of its own: whoever closes a file that SQLite has open lets go of all its locks on it (POSIX).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from core.archives import BackupFailed
from edge.store.connection import connect_to_read

LOG_HEAD_BYTES: Final = 32
"""Of a write-ahead log; holds salts that change whenever the log begins anew."""

ATTEMPTS: Final = 20
"""At copying the log between two beginnings of it: copying takes milliseconds, a log lasts a thousand pages."""


@dataclass(frozen=True)
class Snapshot:
    """The store's file and its log, encrypted, with as many bytes of each as count."""

    store: IO[bytes]
    store_bytes: int
    log: IO[bytes]
    log_bytes: int


@contextmanager
def snapshot(path: Path, key: bytes) -> Iterator[Snapshot]:
    """The store at `path` as it is now, for as long as the context lasts. Raises StoreUnusable, BackupFailed."""
    with ExitStack() as stack:
        # Nameless: it is gone with the process. Encrypted, as the log is.
        copy = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
        store = stack.enter_context(path.open("rb", buffering=0))
        db = connect_to_read(path, key)
        stack.callback(db.conn.close)  # before the files above are closed
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        log_bytes = _copy_log(path.with_name(path.name + "-wal"), copy)
        copy.seek(0)
        yield Snapshot(store, os.fstat(store.fileno()).st_size, copy, log_bytes)


def _copy_log(path: Path, copy: IO[bytes]) -> int:
    """The log as it was while it did not begin anew; bytes. What was half written at its end SQLite leaves out."""
    for _ in range(ATTEMPTS):
        copy.seek(0)
        copy.truncate()
        try:
            with path.open("rb", buffering=0) as log:
                head = log.read(LOG_HEAD_BYTES)
                copy.write(head)
                shutil.copyfileobj(log, copy)
                if os.pread(log.fileno(), LOG_HEAD_BYTES, 0) == head:
                    return copy.tell()
        except FileNotFoundError:
            return 0
    raise BackupFailed(
        "The store is written too fast to be copied.", remedy="Run it again when less is going on."
    )
