"""What a disk may hold after the power went away: recorded writes of a process, replayed up to some moment.

Durable is what was synced: of a file by its own sync, of names (creations, renames, removals) by the sync of a
folder. What was not is there or is not: names in the order in which they changed, up to some point; of each write to
a file all, nothing, or whole sectors from its beginning.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("recorded_writes.c")
SECTOR: Final = 512
_HEAD: Final = struct.Struct("<cQII")


@dataclass(frozen=True)
class Operation:
    """As recorded_writes.c tells it: W write, T truncate, F sync, C create, O create or empty, R rename, U unlink."""

    what: str
    path: str
    number: int
    rest: bytes


@dataclass
class _File:
    durable: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    """(offset, data) since the last sync; offset -1: it was cut to as many bytes as `data` says."""


def recorder(folder: Path) -> Path:
    """The library, built. Raises CalledProcessError; FileNotFoundError where there is no C compiler."""
    library = folder / "recorded_writes.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def environment(library: Path, log: Path, root: Path) -> dict[str, str]:
    """With which a process is recorded."""
    ours = {
        "LD_PRELOAD": str(library),
        "POSTERN_BENCH_RECORD": str(log),
        "POSTERN_BENCH_RECORD_ROOT": f"{root}/",
    }
    return {**os.environ, **ours}


def read(log: Path) -> list[Operation]:
    """All operations, in order."""
    content, at, found = log.read_bytes(), 0, []
    while at + _HEAD.size <= len(content):
        what, number, path_length, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        path = os.fsdecode(content[at : at + path_length])
        found.append(
            Operation(what.decode(), path, number, content[at + path_length : at + path_length + length])
        )
        at += path_length + length
    return found


class Disk:
    """Files below `root` as they were at the start, and what operations make of them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, _File] = {}
        """As the process sees them."""
        self._durable: dict[str, _File] = {}
        self._changes: list[tuple[str, str, _File | None]] = []
        """Of names, since the last sync of a folder: (set or gone, path, file)."""
        for path in root.rglob("*"):
            if path.is_file():
                self._names[str(path)] = _File(path.read_bytes())
        self._durable = dict(self._names)

    def apply(self, one: Operation) -> None:
        """As the process did it."""
        match one.what:
            case "C" | "O":
                known = self._names.get(one.path)
                if known is None:
                    self._set(one.path, _File())
                elif one.what == "O":
                    known.pending.append((-1, struct.pack("<Q", 0)))
            case "W" if one.path in self._names:
                self._names[one.path].pending.append((one.number, one.rest))
            case "T" if one.path in self._names:
                self._names[one.path].pending.append((-1, struct.pack("<Q", one.number)))
            case "F":
                self._sync(one.path)
            case "R":
                self._rename(one.path, os.fsdecode(one.rest))
            case "U":
                self._set(one.path, None)
            case _:
                pass  # folders are made as files need them

    def image(self, target: Path, choose: random.Random) -> None:
        """Write what may be left to `target`."""
        names = dict(self._durable)
        for what, path, file in self._changes[: choose.randint(0, len(self._changes))]:
            if what == "set" and file is not None:
                names[path] = file
            else:
                names.pop(path, None)
        for path, file in names.items():
            place = target / Path(path).relative_to(self._root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(_left_of(file, choose))

    def _set(self, path: str, file: _File | None) -> None:
        if file is None:
            self._names.pop(path, None)
        else:
            self._names[path] = file
        self._changes.append(("set" if file else "gone", path, file))

    def _rename(self, old: str, new: str) -> None:
        moved = [path for path in self._names if path == old or path.startswith(f"{old}/")]
        for path in moved:
            file = self._names[path]
            self._set(new + path.removeprefix(old), file)
            self._set(path, None)

    def _sync(self, path: str) -> None:
        file = self._names.get(path)
        if file is None:  # a folder
            for what, changed, now in self._changes:
                if what == "set" and now is not None:
                    self._durable[changed] = now
                else:
                    self._durable.pop(changed, None)
            self._changes.clear()
            return
        file.durable = _applied(file.durable, file.pending)
        file.pending.clear()


def _left_of(file: _File, choose: random.Random) -> bytes:
    left: list[tuple[int, bytes]] = []
    for offset, data in file.pending:
        fate = choose.random()
        if fate < 1 / 3:
            continue
        if fate < 2 / 3 and offset >= 0:
            data = data[: choose.randint(0, len(data)) // SECTOR * SECTOR]
        left.append((offset, data))
    return _applied(file.durable, left)


def _applied(content: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    if not changes:
        return content
    made = bytearray(content)
    for offset, data in changes:
        if offset < 0:
            (size,) = struct.unpack("<Q", data)
            made = made[:size] + bytes(max(0, size - len(made)))
        else:
            if len(made) < offset:
                made += bytes(offset - len(made))
            made[offset : offset + len(data)] = data
    return bytes(made)


def images(
    start: Path, operations: list[Operation], count: int, target: Path, seed: int
) -> Iterator[tuple[int, Path]]:
    """(operations done, folder of what is left) for `count` moments of a power cut, evenly over all operations.

    `start` is a copy of the folder before the process began, at the place where it was.
    """
    choose = random.Random(seed)
    moments = sorted(choose.randrange(len(operations) + 1) for _ in range(count))
    disk, done = Disk(start), 0
    for moment in moments:
        for one in operations[done:moment]:
            disk.apply(one)
        done = moment
        shutil.rmtree(target, ignore_errors=True)
        disk.image(target, choose)
        yield moment, target
