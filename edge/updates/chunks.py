"""What was fetched of an update, chunk by chunk: a file each, named by its SHA-256, there as a whole or not at all.

A folder holds the chunks of the updates that are under way, and nothing else for long. Blocking: call from a thread.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from core.artifacts import Manifest, cut
from core.errors import PosternError
from core.files import fsync_folder, private_folder, write_atomic

SPARE_BYTES: Final = 512 * 2**20
"""Must be left on the disk: the store and its log write to the same one on most nodes."""

_COPIES: Final = 2
"""Beside its chunks: what is put together, and what an installer makes of that before both others go."""


class ChunkDamaged(PosternError):
    """A chunk is not, or not any more, what its name says. It is removed."""

    code = "chunk_damaged"
    title = "Something that was fetched is damaged on the disk"
    remedy = "The node fetches it again by itself. If it comes back, look for a failing disk."


class UpdateDiskFull(PosternError):
    """An update does not fit beside what is there."""

    code = "update_disk_full"
    title = "There is no room for an update"
    remedy = "Make room under the site's folder; the node goes on by itself. What runs still does."


class ChunkStore:
    """The chunks in one folder."""

    def __init__(self, folder: Path, spare_bytes: int = SPARE_BYTES) -> None:
        """`spare_bytes` are left free on the disk."""
        self._folder = folder
        self._spare_bytes = spare_bytes

    def missing(self, manifest: Manifest) -> dict[str, int]:
        """Chunks that are not here, with their bytes, in the order of first use."""
        return {
            digest: size for digest, size in manifest.chunk_sizes().items() if not self._path(digest).exists()
        }

    def check_room(self, manifest: Manifest) -> None:
        """Raises UpdateDiskFull where the rest, and all of it put together, would not leave room to spare."""
        private_folder(self._folder)
        needed = sum(self.missing(manifest).values()) + _COPIES * manifest.size
        free = shutil.disk_usage(self._folder).free
        if free < needed + self._spare_bytes:
            raise UpdateDiskFull(f"{needed / 1e6:.0f} MB are needed beside {self._spare_bytes / 1e6:.0f} MB.")

    def put(self, digest: str, content: bytes) -> None:
        """Keep a chunk. Raises ChunkDamaged (it is another), OSError."""
        if sha256(content).hexdigest() != digest:
            raise ChunkDamaged("What came is not the chunk that was asked for.")
        write_atomic(self._path(digest), content)

    def take_from(self, manifest: Manifest, files: Iterable[Path]) -> int:
        """Keep those missing chunks that files here hold at the same places; returns their bytes."""
        private_folder(self._folder)
        missing, taken = self.missing(manifest), 0
        for path in files:
            if not missing:
                break
            try:
                with path.open("rb") as file:
                    for digest, content in cut(file, manifest.chunk_bytes):
                        if missing.pop(digest, None) is not None:
                            write_atomic(self._path(digest), content)
                            taken += len(content)
            except OSError:
                continue  # what cannot be read is fetched
        return taken

    def verify(self, manifest: Manifest) -> None:
        """Hash every chunk and every file. Raises ChunkDamaged, after what is damaged was removed."""
        bad = False
        for file in manifest.files:
            whole = sha256()
            for digest, size in manifest.chunks_in(file):
                content = self._read(digest)
                if content is None or len(content) != size:
                    self._path(digest).unlink(missing_ok=True)
                    bad = True
                else:
                    whole.update(content)
            if not bad and whole.hexdigest() != file.sha256:
                for digest in file.chunks:
                    self._path(digest).unlink(missing_ok=True)
                bad = True
        if bad:
            raise ChunkDamaged("Chunks on the disk are not what was fetched.")

    def write(self, manifest: Manifest, path: str, target: Path, mode: int = 0o600) -> None:
        """Put one file of the manifest together, durably. Raises ChunkDamaged, OSError, KeyError (no such file)."""
        file = {one.path: one for one in manifest.files}[path]
        whole = sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as written:
            for digest in file.chunks:
                content = self._read(digest)
                if content is None:
                    raise ChunkDamaged("A chunk on the disk is not what was fetched.")
                whole.update(content)
                written.write(content)
            written.flush()
            os.fsync(written.fileno())
        target.chmod(mode)
        fsync_folder(target.parent)
        if whole.hexdigest() != file.sha256:
            raise ChunkDamaged("A file put together from its chunks is another one.")

    def sweep(self, wanted: Iterable[Manifest]) -> None:
        """Remove what none of these is made of, and what a crash left half written."""
        keep = {digest for manifest in wanted for digest in manifest.chunk_sizes()}
        for path in self._all():
            if path.name not in keep:
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[Path]:
        return self._folder.iterdir() if self._folder.is_dir() else iter(())

    def _path(self, digest: str) -> Path:
        return self._folder / digest

    def _read(self, digest: str) -> bytes | None:
        """A chunk; None, and it is gone, where it is not what its name says."""
        try:
            content = self._path(digest).read_bytes()
        except OSError:
            return None
        if sha256(content).hexdigest() == digest:
            return content
        self._path(digest).unlink(missing_ok=True)
        return None


class StoredContent:
    """The files of a manifest, out of a chunk store; see `edge.updates.installer.Content`."""

    def __init__(self, manifest: Manifest, chunks: ChunkStore) -> None:
        self.manifest = manifest
        self._chunks = chunks

    def write(self, path: str, target: Path) -> None:
        """See `ChunkStore.write`."""
        self._chunks.write(self.manifest, path, target)
