"""Chunks that are put again: kept from a prune, and mended where they are damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloud_sync.registry.blobs import BlobMissing, Blobs
from cloud_sync.registry.checking import UNTOUCHED_S

CHUNK = b"a chunk of two packages"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def age(folder: Path, digest: str, by_s: float) -> float:
    """Let a blob be that old; its time of writing."""
    path = folder / digest[:2] / digest
    written_s = path.stat().st_mtime - by_s
    os.utime(path, (written_s, written_s))
    return written_s


def test_a_chunk_that_a_package_on_its_way_has_again_is_spared(blobs: Blobs, tmp_path: Path) -> None:
    """An old chunk of a withdrawn package is also one of the package that is just being published."""
    digest = blobs.put(CHUNK)
    written_s = age(tmp_path, digest, UNTOUCHED_S)
    assert blobs.put(CHUNK) == digest
    assert blobs.remove(digest, UNTOUCHED_S, written_s + UNTOUCHED_S) == 0
    assert blobs.read(digest) == CHUNK
    written_s = age(tmp_path, digest, UNTOUCHED_S)
    assert blobs.remove(digest, UNTOUCHED_S, written_s + UNTOUCHED_S) == len(CHUNK)


@pytest.mark.parametrize("damaged", [b"", CHUNK[:-1] + b"!", CHUNK + b"more"])
def test_publishing_again_mends_a_damaged_chunk(blobs: Blobs, tmp_path: Path, damaged: bytes) -> None:
    digest = blobs.put(CHUNK)
    (tmp_path / digest[:2] / digest).write_bytes(damaged)
    with pytest.raises(BlobMissing):
        blobs.read(digest)
    blobs.put(CHUNK)
    assert blobs.read(digest) == CHUNK
