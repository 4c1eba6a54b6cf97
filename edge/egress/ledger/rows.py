"""The ledger's database: leaves, full tiles, checkpoints, and what is open. Whoever reads it reads it by this."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import sqlcipher3

from edge.egress.ledger.errors import LedgerBroken
from edge.egress.ledger.tree import HASH_BYTES, TILE_WIDTH, Growing, Subtree, folded, from_tiles, leaf_hash

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS leaves(number INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS tiles"
    "(level INTEGER NOT NULL, number INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY(level, number)) STRICT",
    "CREATE TABLE IF NOT EXISTS checkpoints(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT",
    # Also told by the leaves; here so that a start need not read them all.
    "CREATE TABLE IF NOT EXISTS open(envelope TEXT PRIMARY KEY, type TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT",
    # What was closed in all, and what the last comparison with the kernel's counters left for the next (JSON).
    "CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY CHECK (id = 1), envelopes INTEGER NOT NULL, "
    "bytes INTEGER NOT NULL, compared TEXT NOT NULL) STRICT",
    "INSERT OR IGNORE INTO account VALUES (1, 0, 0, '')",
)
# Leaves that are read in one go: a tile's.
PAGE_ROWS: Final = TILE_WIDTH
# Full tiles that a reader keeps, 8 kB each: those on the way to the root, whatever the size.
TILES_KEPT: Final = 64


def prepare(db: sqlcipher3.Connection) -> None:
    """Make the tables that lack. In a transaction."""
    for table in _SCHEMA:
        db.execute(table)
    if "bytes" not in {name for _, name, *_ in db.execute("PRAGMA table_info(open)")}:
        # Of a development version. Of what was open then, nobody knows the size; it is closed as unknown at this start.
        db.execute("ALTER TABLE open ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0")


class Rows:
    """What a connection finds at one moment: what is read is kept, so that what comes later is for other `Rows`.

    All raise sqlcipher3.Error where the file is damaged, LedgerBroken where rows lack.
    """

    def __init__(self, db: sqlcipher3.Connection) -> None:
        self._db = db
        self._kept = lru_cache(TILES_KEPT)(self.tile)

    def check_file(self) -> None:
        """Whether SQLite finds every page in order. Raises LedgerBroken."""
        (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise LedgerBroken(f"Its file is damaged: {found}.")

    def size(self) -> int:
        """Leaves, by the number of the last."""
        (size,) = self._db.execute("SELECT coalesce(max(number) + 1, 0) FROM leaves").fetchone()
        return int(size)

    def entries(self, first: int, end: int) -> Iterator[bytes]:
        """Of leaves [first, end). Raises LedgerBroken where one lacks."""
        for page in range(first, end, PAGE_ROWS):
            last = min(end, page + PAGE_ROWS)
            rows = self._db.execute(
                "SELECT number, entry FROM leaves WHERE number >= ? AND number < ? ORDER BY number",
                [page, last],
            ).fetchall()
            if [number for number, _ in rows] != list(range(page, last)):
                raise LedgerBroken(f"Between leaves {page} and {last} one is missing.")
            yield from (_blob(entry) for _, entry in rows)

    def entries_backwards(self) -> Iterator[tuple[int, bytes]]:
        """(number, entry), the newest first."""
        yield from self._db.execute("SELECT number, entry FROM leaves ORDER BY number DESC")

    def tile(self, level: int, number: int) -> bytes | None:
        """The hashes of a full tile; None for one that is not full yet. Raises LedgerBroken for what is no tile."""
        found = self._db.execute(
            "SELECT hashes FROM tiles WHERE level = ? AND number = ?", [level, number]
        ).fetchone()
        if found is not None and len(_blob(found[0])) != TILE_WIDTH * HASH_BYTES:
            raise LedgerBroken(f"Tile {number} of level {level} has not {TILE_WIDTH} hashes.")
        return None if found is None else _blob(found[0])

    def checkpoints(self) -> list[tuple[int, bytes]]:
        """(size, note), smallest first."""
        found = self._db.execute("SELECT size, note FROM checkpoints ORDER BY size")
        return [(int(size), _blob(note)) for size, note in found]

    def newest_checkpoint(self) -> tuple[int, bytes] | None:
        """(size, note) of the largest size."""
        found = self._db.execute("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        return None if found is None else (int(found[0]), _blob(found[1]))

    def open(self) -> list[tuple[str, str]]:
        """(envelope, type) of what was opened and not closed, in order."""
        return list(self._db.execute("SELECT envelope, type FROM open ORDER BY rowid"))

    def subtree(self) -> Subtree:
        """Hashes of whole subtrees, for roots and proofs."""
        return from_tiles(self._hash_at)

    def growing(self) -> Growing:
        """The tree's right edge. Raises LedgerBroken where tiles lack or are too many."""
        size = self.size()
        growing = Growing(size)
        level, full, first = 0, size, 0
        while True:
            first = full // TILE_WIDTH * TILE_WIDTH
            if level == 0:
                growing.edge(0, [leaf_hash(entry) for entry in self.entries(first, size)])
            else:
                growing.edge(level, [folded(self._hashes(level - 1, at)) for at in range(first, full)])
            (tiles,) = self._db.execute("SELECT count(*) FROM tiles WHERE level = ?", [level]).fetchone()
            if tiles != full // TILE_WIDTH:
                raise LedgerBroken(f"There are {tiles} full tiles of level {level} over {size} leaves.")
            level, full = level + 1, full // TILE_WIDTH
            if not full:
                return growing

    def _hash_at(self, level: int, index: int) -> bytes:
        """From the tile that has it, or from below where that is not full yet."""
        number, at = divmod(index, TILE_WIDTH)
        if (tile := self._kept(level, number)) is not None:
            return tile[at * HASH_BYTES : (at + 1) * HASH_BYTES]
        if level == 0:
            return leaf_hash(*self.entries(index, index + 1))
        return folded(self._hashes(level - 1, index))

    def _hashes(self, level: int, number: int) -> list[bytes]:
        tile = self._kept(level, number)
        if tile is None:
            raise LedgerBroken(f"Tile {number} of level {level} is missing.")
        return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def _blob(value: object) -> bytes:
    """Whatever a damaged file makes of a value: bytes, or LedgerBroken."""
    if not isinstance(value, bytes):
        raise LedgerBroken("A value in it is not of bytes.")
    return value
