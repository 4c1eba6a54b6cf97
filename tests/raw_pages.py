"""Every page of an encrypted database file as SQLite laid it out: those in use, those that are free, and the log's.

SQLCipher 4 with a raw key: pages of 4,096 bytes, AES-256-CBC, the IV in the reserve at each page's end, the first
sixteen bytes of the file its salt (zetetic.net/sqlcipher/design). What a query cannot see is seen here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PAGE = 4096
RESERVE = 80
IV = 16
SALT = 16
WAL_HEADER = 32
FRAME_HEADER = 24


def pages(path: Path, key: bytes) -> Iterator[bytes]:
    """Decrypted, in order: the file's, then those of its log."""
    content = path.read_bytes()
    for start in range(0, len(content), PAGE):
        yield _plain(content[start : start + PAGE], key, first=start == 0)
    wal = log_of(path)
    logged = wal.read_bytes() if wal.exists() else b""
    for start in range(WAL_HEADER, len(logged), FRAME_HEADER + PAGE):
        (number,) = struct.unpack_from(">I", logged, start)
        page = logged[start + FRAME_HEADER : start + FRAME_HEADER + PAGE]
        yield _plain(page, key, first=number == 1)


def log_of(path: Path) -> Path:
    """The write-ahead log beside a file."""
    return path.with_name(f"{path.name}-wal")


def _plain(page: bytes, key: bytes, *, first: bool) -> bytes:
    sealed = page[SALT if first else 0 : PAGE - RESERVE]
    iv = page[PAGE - RESERVE : PAGE - RESERVE + IV]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()
