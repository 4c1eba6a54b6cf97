"""An export of the ledger for whoever checks it elsewhere: files of C2SP tlog-tiles, each made when it is read.

Reads beside the courier, which goes on writing: all is as it was at the checkpoint that the export ends with. Format:
docs/adr/0067-the-ledger-is-a-merkle-log.md; what reads it is `edge/egress/verify.py`, which shares no code with this.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlcipher3

from core.errors import CannotWrite
from core.files import PRIVATE_DIR_MODE, fsync_folder, replacing
from edge.egress.ledger import key, notes
from edge.egress.ledger.cosigned import days_of
from edge.egress.ledger.earlier import KEY_SUFFIX
from edge.egress.ledger.errors import LedgerBroken, NoLedger
from edge.egress.ledger.leaf_types import leaf_of
from edge.egress.ledger.notes import BadNote, Checkpoint, Note
from edge.egress.ledger.reading import found
from edge.egress.ledger.rows import Rows
from edge.egress.ledger.tree import TILE_LEVELS, TILE_WIDTH, leaf_hash, root
from edge.paths import SitePaths
from edge.store.plain import read_aside, read_plain

_POLICY: Final = re.compile(r"[0-9a-f]{64}\.json")
_LENGTH_BYTES: Final = 2


class Exported:
    """The files of an export by name."""

    def __init__(
        self, rows: Rows, newest: Note, earlier: dict[int, bytes], policies: dict[str, Path], signed_now: int
    ) -> None:
        """`signed_now`: of its last entries, those that no checkpoint had before this export."""
        self.signed_now = signed_now
        self.newest = newest
        self.size = Checkpoint.parse(newest.text).size
        self.policies = policies
        self._rows = rows
        self._earlier = earlier
        self._tiles = dict(_tiles_of(self.size))

    def names(self) -> Iterator[str]:
        """All of them, the checkpoint first."""
        yield "checkpoint"
        yield from (f"checkpoints/{size}" for size in self._earlier)
        yield from (f"policies/{name}" for name in self.policies)
        yield from self._tiles

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes and one. Raises KeyError, LedgerBroken, sqlcipher3.Error, OSError."""
        return self._made(name)[: most + 1]

    def leaves(self) -> int:
        """Of the ledger, signed or not."""
        return self._rows.size()

    def first_entry(self) -> Iterator[bytes]:
        """That which names the log's key."""
        return self._rows.entries(0, 1)

    def write(self, out: Path) -> None:
        """Into a file where the name ends with .zip, else into a folder that is not there yet. Raises CannotWrite."""
        if out.exists():
            raise CannotWrite(
                f"{out} is there already.", remedy="Name a file or a folder that is not there yet."
            )
        try:
            self._write(out)
        except OSError as error:
            raise CannotWrite(
                f"{out}: {error.strerror or error}.",
                remedy="Name a place with enough room, that this account may write to; what was begun is removed.",
            ) from error

    def _write(self, out: Path) -> None:
        if out.suffix == ".zip":
            with replacing(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
                for name in self.names():
                    packed.writestr(name, self._made(name))
            return
        making = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        try:
            for name in self.names():
                (making / name).parent.mkdir(PRIVATE_DIR_MODE, parents=True, exist_ok=True)
                (making / name).write_bytes(self._made(name))
            os.rename(making, out)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        fsync_folder(out.parent)

    def _made(self, name: str) -> bytes:
        if name == "checkpoint":
            return bytes(self.newest)
        kind, _, rest = name.partition("/")
        if kind == "checkpoints":
            return self._earlier[int(rest)]
        if kind == "policies":
            return self.policies[rest].read_bytes()
        level, number, width = self._tiles[name]
        first = number * TILE_WIDTH
        if level is None:
            entries = self._rows.entries(first, first + width)
            return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)
        if width == TILE_WIDTH:
            return self._rows.tile(level, number) or b""
        if level == 0:
            return b"".join(map(leaf_hash, self._rows.entries(first, first + width)))
        subtree = self._rows.subtree()
        return b"".join(subtree(level * TILE_LEVELS, at) for at in range(first, first + width))


@contextmanager
def exported(paths: SitePaths, aside: Path | None = None, *, all_leaves: bool = False) -> Iterator[Exported]:
    """An export up to the newest checkpoint; with `all_leaves` up to the last leaf, where the key can be read.

    `aside`: of a ledger that was set aside, all of it, since nobody signs its last leaves any more. Raises what `found`
    does, NoLedger where nothing is signed, LedgerBroken.
    """
    path = found(paths, aside)
    try:
        with closing(read_aside(path) if aside else read_plain(path)) as db:
            db.execute("BEGIN")  # what comes later is not seen
            rows = Rows(db)
            stored = {size: Note.parse(data) for size, data in rows.checkpoints()}
            signed = max(stored, default=0)
            newest = stored[signed] if stored else None
            if newest is None or ((all_leaves or aside) and rows.size() > signed):
                newest = _signed(rows, path.with_suffix(KEY_SUFFIX)) or newest
            if newest is None:
                raise NoLedger(
                    "Nothing of it is signed yet.",
                    remedy="Ask again in two minutes, or as root, while the courier runs."
                    if aside is None
                    else f"Its key is needed beside it, as {path.with_suffix(KEY_SUFFIX).name}, readable.",
                )
            size = Checkpoint.parse(newest.text).size
            earlier = {at: bytes(note) for at, note in _told(stored).items() if at < size}
            yield Exported(rows, newest, earlier, _policies(paths.policies_used), size - signed)
    except (sqlcipher3.Error, BadNote) as error:
        raise LedgerBroken(f"{path} cannot be read: {error}.") from error


def told_of(export: Exported) -> dict[str, Any]:
    """What is in it, for whoever made it; `log_key` is what the one who checks it should be told by another way."""
    (begin,) = (leaf_of(0, entry) for entry in export.first_entry())
    verifier = notes.log_verifier(bytes.fromhex(str(begin.fields["key"])))
    return {
        "entries": export.size,
        "policies": len(export.policies),
        "log_key": str(verifier),
        "unsigned": export.leaves() - export.size,
        "signed_now": export.signed_now,
    }


def _signed(rows: Rows, key_file: Path) -> Note | None:
    """A checkpoint of all there is, for this export alone; None where the key is not ours to read."""
    if not os.access(key_file, os.R_OK):
        return None
    private, size = key.load(key_file), rows.size()
    origin = notes.origin_of(key.public_of(private))
    return notes.sign(str(Checkpoint(origin, size, root(size, rows.subtree()))), private)


def _told(stored: dict[int, Note]) -> dict[int, Note]:
    """The newest, and of each witness the last of a day that it signed: all would be one a minute."""
    last: dict[tuple[str, int], int] = {}
    for size, note in sorted(stored.items()):
        for signed in days_of(note):
            last[signed] = size
    kept = {*last.values(), *([max(stored)] if stored else [])}
    return {size: stored[size] for size in sorted(kept)}


def _policies(folder: Path) -> dict[str, Path]:
    """By name, those that this account may read."""
    if not os.access(folder, os.R_OK | os.X_OK):
        return {}
    found = sorted(folder.iterdir())
    return {path.name: path for path in found if _POLICY.fullmatch(path.name) and os.access(path, os.R_OK)}


def _tiles_of(size: int) -> Iterator[tuple[str, tuple[int | None, int, int]]]:
    """(name, (level, number, hashes or entries)) of every tile of a tree; level None: entries."""
    level, count = 0, size
    while count:
        for number in range(-(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - number * TILE_WIDTH)
            if level == 0:
                yield _tile_name("entries", number, width), (None, number, width)
            yield _tile_name(str(level), number, width), (level, number, width)
        level, count = level + 1, count // TILE_WIDTH


def _tile_name(level: str, number: int, width: int) -> str:
    """C2SP tlog-tiles: groups of three digits, all but the last behind an x; how wide, where it is not full."""
    digits = [group.rjust(3, "0") for group in f"{number:,}".split(",")]
    name = "/".join([*(f"x{group}" for group in digits[:-1]), digits[-1]])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < TILE_WIDTH else "")
