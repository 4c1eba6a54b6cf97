"""The ledger that was there before: what lies in the courier's folder still tells of it, whoever took it away.

It is asked at each start, so that a ledger that is gone, or is not the one that a witness signed, is no reason to
begin another in silence; and once more when another begins, which says how much was lost.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import sqlcipher3

from edge.egress.identity.identity import ENROLMENT_FILE
from edge.egress.ledger import notes
from edge.egress.ledger.errors import LedgerBroken
from edge.egress.ledger.leaf_types import leaf_of
from edge.egress.ledger.memory import MEMORY_FILE, MEMORY_SUFFIX, Memory, recall
from edge.egress.ledger.rows import Rows
from edge.egress.ledger.tree import root
from edge.store.plain import read_plain

KEY_FILE: Final = "ledger.key"
"""Has this name from the first leaf on, never before."""
KEY_SUFFIX: Final = ".key"
"""Of a ledger that was set aside, the key lies beside it under its name."""
SET_ASIDE: Final = "ledger.until-*"
"""Of ledgers of before: what is left of them, with these ends."""
DATABASE_SUFFIX: Final = ".db"
"""These are read and no longer written."""


def traces(folder: Path) -> list[str]:
    """Names of files in the courier's folder that are only there once its ledger has begun.

    The site's enrolment is none where a ledger was set aside: it outlives that.
    """
    names = [KEY_FILE, MEMORY_FILE]
    if not any(folder.glob(SET_ASIDE)):
        names.append(ENROLMENT_FILE)
    return [name for name in names if (folder / name).exists()]


def refuse_loss(ledger: Path) -> None:
    """For one that is not there, or has no leaf. Raises LedgerBroken where there was one."""
    if found := traces(ledger.parent):
        is_what = f"{ledger} is empty" if ledger.exists() else f"There is no {ledger}"
        raise LedgerBroken(f"{is_what}, and there was a ledger: else {', '.join(found)} would not be there.")


def has_leaves(ledger: Path) -> bool:
    """Also of one that cannot be read: what is wrong with it is for whoever reads it."""
    try:
        with closing(read_plain(ledger)) as db:
            return Rows(db).size() > 0
    except sqlcipher3.Error:
        return ledger.stat().st_size > 0


def unlike(rows: Rows, memory: Memory) -> str:
    """How a ledger of one leaf or more is not what a witness signed last; "" where it goes on from there, or nothing
    is remembered. Raises LedgerBroken."""
    if not memory.size:
        return ""
    if _origin(rows) != memory.origin:
        return f"It is another ledger than {memory.origin}, of which a witness signed {memory.size:,} leaves."
    size = rows.size()
    if size < memory.size:
        return f"It has {size:,} leaves, and a witness signed {memory.size:,} of it: an older state was put back."
    if root(memory.size, rows.subtree()).hex() != memory.root:
        return f"Its first {memory.size:,} leaves are not those that a witness signed: it was rewritten."
    return ""


def before(folder: Path) -> tuple[str, int]:
    """Of the ledger that was set aside last: its root (hex), and how many leaves of it are known to be lost.

    Where some are, the root is what a witness signed last, or "". ("", 0): none was set aside.
    """
    aside = sorted(folder.glob(SET_ASIDE), key=lambda path: path.stat().st_mtime_ns)
    if not aside:
        return "", 0
    database = folder / (_stem(aside[-1]) + DATABASE_SUFFIX)
    memory = recall(database.with_suffix(MEMORY_SUFFIX))
    size, found, other = 0, "", ""
    try:
        with closing(read_plain(database, still=True)) as db:
            rows = Rows(db)
            growing = rows.growing()
            size, found = growing.size, growing.root().hex() if growing.size else ""
            other = unlike(rows, memory) if size else ""
    except (sqlcipher3.Error, LedgerBroken):
        size = 0
    if size and not other:
        return found, 0
    return memory.root, max(1, memory.size - size if size < memory.size else memory.size)


def _stem(file: Path) -> str:
    """What the files of one ledger that was set aside have in common: its database, the logs beside it, its key."""
    return file.name.partition(DATABASE_SUFFIX)[0].removesuffix(KEY_SUFFIX).removesuffix(MEMORY_SUFFIX)


def _origin(rows: Rows) -> str:
    """Of the key that it begins with. Raises LedgerBroken."""
    begin = leaf_of(0, *rows.entries(0, 1))
    try:
        return notes.origin_of(bytes.fromhex(str(begin.fields.get("key", ""))))
    except ValueError:
        raise LedgerBroken("It does not begin with the leaf that names its key.") from None
