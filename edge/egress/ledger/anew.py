"""Lets another ledger begin: the one before is set aside with its key, whole, and the new one names its root."""

from __future__ import annotations

import contextlib
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlcipher3

from core.files import fsync_folder
from edge.egress.ledger.errors import LedgerBroken, LedgerInUse
from edge.paths import SitePaths
from edge.store.plain import connect_plain

_BESIDE: Final = ("-wal", "-shm")


def set_aside(paths: SitePaths, now: datetime) -> Path:
    """Where the ledger lies now. The courier must be stopped. Raises LedgerInUse, LedgerBroken where there is none."""
    if not paths.ledger.exists():
        raise LedgerBroken(f"There is no {paths.ledger}.")
    lock = os.open(paths.ledger_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        name = f"ledger.until-{now.astimezone(UTC):%Y%m%dT%H%M%S}"
        _fold(paths.ledger)
        target = paths.courier / f"{name}.db"
        # The key last: a ledger without its key is refused at the start, a key without its ledger begins another.
        for beside in ("", *_BESIDE):
            source = paths.ledger.with_name(paths.ledger.name + beside)
            if source.exists():
                source.rename(paths.courier / f"{name}.db{beside}")
        if paths.ledger_key.exists():
            paths.ledger_key.rename(paths.courier / f"{name}.key")
        paths.witness_memory.unlink(missing_ok=True)
        fsync_folder(paths.courier)
    except BlockingIOError:
        raise LedgerInUse(f"{paths.ledger} is being written by the courier.") from None
    finally:
        os.close(lock)
    return target


def _fold(path: Path) -> None:
    """What is in the log beside the file goes into it; of a damaged one it stays beside."""
    with contextlib.suppress(sqlcipher3.Error), contextlib.closing(connect_plain(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
