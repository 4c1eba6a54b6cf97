"""Lets another ledger begin: what is there of the one before is set aside, and the new one names its root, or what of
it is lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlcipher3

from core.errors import BadArgument
from core.files import fsync_folder, write_atomic
from edge.egress.ledger import key
from edge.egress.ledger.earlier import DATABASE_SUFFIX, KEY_SUFFIX, SET_ASIDE
from edge.egress.ledger.errors import LedgerBroken, LedgerInUse
from edge.egress.ledger.leaf_types import leaf_of
from edge.egress.ledger.memory import MEMORY_SUFFIX
from edge.egress.ledger.reading import found
from edge.egress.ledger.rows import Rows
from edge.paths import SitePaths
from edge.store.plain import connect_plain, read_plain

# Beside the file, and moved before it: without the file they would be lost.
_BESIDE: Final = ("-wal", "-shm")


def set_aside(paths: SitePaths, now: datetime) -> Path:
    """Where the ledger lies now. The courier must be stopped.

    The key goes first: with one key two ledgers would be two views. A ledger without its key is refused at the start
    (LedgerBroken), and what was ended in between is gone on with here. What a witness signed last is kept beside it:
    of a ledger that was taken away nothing else is known. Raises LedgerInUse, BadArgument, NoLedger, CannotRead.
    """
    with contextlib.suppress(LedgerBroken):  # it was taken away, and that is why another begins
        found(paths)
    lock = os.open(paths.ledger_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if paths.ledger.exists():
            _fold(paths.ledger)
        target = _begun(paths) or _fresh(paths, now)
        if paths.ledger_key.exists():
            paths.ledger_key.rename(target.with_suffix(KEY_SUFFIX))
            fsync_folder(paths.courier)
        _keep_memory(paths.witness_memory, target.with_suffix(MEMORY_SUFFIX))
        for beside in (*_BESIDE, ""):
            source = paths.ledger.with_name(paths.ledger.name + beside)
            if source.exists():
                source.rename(target.with_name(target.name + beside))
        fsync_folder(paths.courier)
    except BlockingIOError:
        raise LedgerInUse(f"{paths.ledger} is being written by the courier.") from None
    finally:
        os.close(lock)
    return target


def _keep_memory(memory: Path, kept: Path) -> None:
    """Also where there is none: of a ledger that was taken away with all else, this says that there was one."""
    if memory.exists():
        memory.rename(kept)
    elif not kept.exists():
        write_atomic(kept, b"{}")


def _begun(paths: SitePaths) -> Path | None:
    """Where a ledger goes whose key was moved already, before the machine stopped; None: none was."""
    if paths.ledger_key.exists():
        return None
    wanted = _public_of(paths.ledger)
    for moved in paths.courier.glob(SET_ASIDE + KEY_SUFFIX):
        target = moved.with_suffix(DATABASE_SUFFIX)
        if not target.exists() and key.public_of(key.load(moved)).hex() == wanted:
            return target
    return None


def _public_of(ledger: Path) -> str:
    """The key (hex) that it begins with; "" where that cannot be read."""
    with (
        contextlib.suppress(sqlcipher3.Error, LedgerBroken, ValueError),
        contextlib.closing(read_plain(ledger)) as db,
    ):
        (entry,) = Rows(db).entries(0, 1)
        return str(leaf_of(0, entry).fields.get("key", ""))
    return ""


def _fresh(paths: SitePaths, now: datetime) -> Path:
    """A name that nothing has. Raises BadArgument."""
    target = paths.courier / f"ledger.until-{now.astimezone(UTC):%Y%m%dT%H%M%S}{DATABASE_SUFFIX}"
    if any(target.with_suffix(end).exists() for end in (DATABASE_SUFFIX, KEY_SUFFIX, MEMORY_SUFFIX)):
        raise BadArgument(
            f"{target.stem} is there already, set aside in this same second.", remedy="Try again in a second."
        )
    return target


def _fold(path: Path) -> None:
    """What is in the log beside the file goes into it; of a damaged one it stays beside."""
    with contextlib.suppress(sqlcipher3.Error), contextlib.closing(connect_plain(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
