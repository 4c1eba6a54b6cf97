"""Packages as the control plane would publish them."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO

from core.artifacts import CHUNK_BYTES_MIN, ArtifactFile, Manifest, cut


def manifest_of(
    files: dict[str, bytes], kind: str = "model", name: str = "org-minilm", version: str = "1.0"
) -> Manifest:
    """Of these files, with the smallest chunks."""
    listed = tuple(
        ArtifactFile(
            path=path,
            size=len(content),
            sha256=sha256(content).hexdigest(),
            chunks=tuple(digest for digest, _ in cut(BytesIO(content), CHUNK_BYTES_MIN)),
        )
        for path, content in files.items()
    )
    return Manifest(kind=kind, name=name, version=version, chunk_bytes=CHUNK_BYTES_MIN, files=listed)


def pieces_of(files: dict[str, bytes]) -> dict[str, bytes]:
    """Chunks by digest."""
    return {
        digest: chunk
        for content in files.values()
        for digest, chunk in cut(BytesIO(content), CHUNK_BYTES_MIN)
    }
