"""Chunks and manifests as files that are named by what they hold. The folder may be shared between replicas."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.files import private_folder, write_atomic

# What goes out at a time, and what one reader holds in memory (`FetchBlobsResponse.content`).
PIECE_BYTES_MAX: Final = 256 * 1024
_NAME: Final = re.compile(r"[0-9a-f]{64}")


class BlobMissing(PosternError):
    """A blob that should be here is not, or is not what its name says."""

    code = "blob_missing"
    title = "A part of a package is missing"
    remedy = "Publish the package again from the same files: parts that are there are kept."
    status = 404


class Blobs:
    """The folder. Every call reads or writes a disk: not for the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep `content`, durably; its SHA-256 in hex. Raises OSError.

        What is there already, and whole, is only marked as written now: `remove` spares it as it does what is new.
        """
        digest = sha256(content).hexdigest()
        path = self._path(digest)
        try:
            os.utime(path)  # before it is read: what was pruned before that is written anew
            whole = path.read_bytes() == content
        except FileNotFoundError:
            whole = False
        if not whole:
            private_folder(path.parent)
            write_atomic(path, content)
        return digest

    def size(self, digest: str) -> int | None:
        """Bytes of a blob; None: it is not here."""
        try:
            return self._path(digest).stat().st_size
        except OSError:
            return None

    def read(self, digest: str) -> bytes:
        """A whole blob, checked against its name. Raises BlobMissing."""
        try:
            content = self._path(digest).read_bytes()
        except OSError as error:
            raise BlobMissing(f"Blob {digest} cannot be read.") from error
        if sha256(content).hexdigest() != digest:
            raise BlobMissing(f"Blob {digest} was altered or damaged.")
        return content

    def pieces(self, digest: str) -> Iterator[bytes]:
        """A blob in pieces as the wire takes them, unchecked: whoever asked checks. Raises BlobMissing."""
        try:
            with self._path(digest).open("rb") as file:
                while piece := file.read(PIECE_BYTES_MAX):
                    yield piece
        except OSError as error:
            raise BlobMissing(f"Blob {digest} cannot be read.") from error

    def all(self) -> Iterator[str]:
        """The names of all that are here."""
        for path in self._folder.glob("??/*"):
            if _NAME.fullmatch(path.name):
                yield path.name

    def remove(self, digest: str, untouched_s: float, now_s: float) -> int:
        """Free the space of a blob, unless somebody wrote it within `untouched_s`; bytes. Raises OSError."""
        path = self._path(digest)
        found = path.stat()
        if now_s - found.st_mtime < untouched_s:
            return 0
        path.unlink()
        return found.st_size

    def _path(self, digest: str) -> Path:
        if not _NAME.fullmatch(digest):
            raise BlobMissing("A blob is named by 64 hexadecimal digits.")
        return self._folder / digest[:2] / digest
