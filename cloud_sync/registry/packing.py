"""Files → chunks in the blob folder and the manifest that names them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cloud_sync.registry.blobs import Blobs
from core.artifacts import (
    FILES_MAX,
    ArtifactFile,
    InvalidArtifact,
    Kind,
    Manifest,
    Requires,
    chunk_bytes_for,
    cut,
    manifest_of,
    path_fault,
)


def pack(source: Path, kind: Kind, name: str, version: str, requires: Requires, blobs: Blobs) -> Manifest:
    """Cut a file, or all files of a folder, into chunks and keep them; what they make up.

    Links are not followed: what a package holds is what its folder holds. Raises InvalidArtifact, OSError.
    """
    found = sorted(_files(source))
    if not found:
        raise InvalidArtifact(f"{source} has no file.", remedy="Name a file, or a folder with files in it.")
    if len(found) > FILES_MAX:
        raise InvalidArtifact(f"{source} has more than {FILES_MAX} files.")
    for path, _ in found:
        fault = path_fault(path)
        if fault:
            raise InvalidArtifact(f"In {source}, {fault}.")
    chunk_bytes = chunk_bytes_for(file.stat().st_size for _, file in found)
    files = tuple(_pack_file(path, file, chunk_bytes, blobs) for path, file in found)
    manifest = manifest_of(kind, name, version, chunk_bytes, files, requires)
    blobs.put(manifest.content())
    return manifest


def _files(source: Path) -> Iterator[tuple[str, Path]]:
    """Path within the package, file; at most one more than are allowed."""
    if source.is_file() and not source.is_symlink():
        yield source.name, source
        return
    count = 0
    for folder, folders, names in os.walk(source, onerror=_give_up):
        for name in (*folders, *names):
            file = Path(folder, name)
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise InvalidArtifact(f"{file} is a link, or no file.", remedy="Put a copy in its place.")
        for name in names:
            file = Path(folder, name)
            yield file.relative_to(source).as_posix(), file
            count += 1
            if count > FILES_MAX:
                return


def _pack_file(path: str, file: Path, chunk_bytes: int, blobs: Blobs) -> ArtifactFile:
    whole, chunks, size = sha256(), [], 0
    with file.open("rb") as opened:
        for digest, content in cut(opened, chunk_bytes):
            whole.update(content)
            size += len(content)
            chunks.append(digest)
            blobs.put(content)
    return ArtifactFile(path=path, size=size, sha256=whole.hexdigest(), chunks=tuple(chunks))


def _give_up(error: OSError) -> None:
    raise error
