"""How many groups a database file has committed, noted beside it: a file that lost its end, or was put back, says so.

SQLite takes a damaged frame of its write-ahead log for the end of the log: what was committed behind it is gone without
a word. And each page of an encrypted file is authentic at any age. So each commit carries a number (in the file's
`user_version`), and the number of the last one is noted here, under a key of the file's. The note is not forced to the
disk: after a power cut it may be older than the file, never newer. It does not see file and note put back together.
"""

from __future__ import annotations

import hmac
import os
import struct
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlite_utils import Database

from core.files import fsync_folder

NUMBERS: Final = 1 << 31
"""A signed field of 32 bits. Begins again at 0 after 16 months of 50 groups a second; RFC 1982 tells which is later."""

_NUMBER = struct.Struct(">I")
NOTE_BYTES: Final = _NUMBER.size + 32
"""The number, and an HMAC-SHA256."""


class Head:
    """The note beside one database file. Used by the thread that writes the file."""

    def __init__(self, path: Path, file_key: bytes) -> None:
        """`path`: of the database file."""
        self._key = _key(file_key)
        self._name = path.name
        note = note_of(path)
        new = not note.exists()
        self._file = os.open(note, os.O_RDWR | os.O_CREAT, 0o600)
        if new:  # durable before the first commit that it counts, so that one that is gone was taken away
            os.fsync(self._file)
            fsync_folder(note.parent)

    def lost(self, db: Database) -> int | None:
        """As `lost_groups`."""
        return _lost(os.pread(self._file, NOTE_BYTES, 0), self._key, self._name, committed_groups(db))

    def note(self, committed: int) -> None:
        """The file has committed this many groups."""
        number = _NUMBER.pack(committed)
        os.pwrite(self._file, number + _mac(self._key, self._name, number), 0)

    def close(self) -> None:
        """Make the note durable and let go of it."""
        os.fsync(self._file)
        os.close(self._file)


def note_of(path: Path) -> Path:
    """Where the note on a database file is."""
    return path.with_suffix(".head")


def lost_groups(path: Path, file_key: bytes, db: Database) -> int | None:
    """Groups that were committed and are not in the file any more; None where the note is not to be believed.

    The note is read first: beside a process that writes, the file may have more than it, never less.
    """
    try:
        noted = note_of(path).read_bytes()[:NOTE_BYTES]
    except FileNotFoundError:
        noted = b""
    return _lost(noted, _key(file_key), path.name, committed_groups(db))


def committed_groups(db: Database) -> int:
    """The number in the file itself."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def count_group(db: Database, committed: int) -> int:
    """Inside a group's transaction: the number that the file has once it is committed."""
    following = (committed + 1) % NUMBERS
    db.execute(f"PRAGMA user_version={following}")
    return following


def _lost(noted: bytes, key: bytes, name: str, committed: int) -> int | None:
    if not noted and committed == 0:
        return 0
    number, mac = noted[: _NUMBER.size], noted[_NUMBER.size :]
    if not hmac.compare_digest(mac, _mac(key, name, number)):
        return None
    ahead = (_NUMBER.unpack(number)[0] - committed) % NUMBERS
    return int(ahead) if ahead < NUMBERS // 2 else 0


def _mac(key: bytes, name: str, number: bytes) -> bytes:
    return hmac.digest(key, name.encode() + number, "sha256")


def _key(file_key: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"postern head 1").derive(file_key)
