"""Chunks are there as a whole or not at all, and what is damaged is found before it is used."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from core.artifacts import CHUNK_BYTES_MIN, Manifest
from edge.updates.chunks import ChunkDamaged, ChunkStore, UpdateDiskFull
from edge.updates.fetching import BYTES_AT_ONCE, DIGESTS_AT_ONCE, groups
from tests.unit.edge.updates.packages import manifest_of, pieces_of

WHOLE = os.urandom(2 * CHUNK_BYTES_MIN + 5)
FILES = {"weights.bin": WHOLE, "sub/readme.txt": b"words", "empty": b""}


@pytest.fixture
def manifest() -> Manifest:
    return manifest_of(FILES)


@pytest.fixture
def chunks(tmp_path: Path) -> ChunkStore:
    return ChunkStore(tmp_path / "blobs", spare_bytes=0)


def filled(chunks: ChunkStore, manifest: Manifest) -> ChunkStore:
    chunks.check_room(manifest)
    for digest, content in pieces_of(FILES).items():
        chunks.put(digest, content)
    return chunks


def test_all_of_it(chunks: ChunkStore, manifest: Manifest, tmp_path: Path) -> None:
    assert chunks.missing(manifest) == manifest.chunk_sizes()
    filled(chunks, manifest)
    assert chunks.missing(manifest) == {}
    chunks.verify(manifest)
    for path, content in FILES.items():
        chunks.write(manifest, path, tmp_path / "out" / path)
        assert (tmp_path / "out" / path).read_bytes() == content


def test_only_what_was_asked_for_is_kept(chunks: ChunkStore, manifest: Manifest) -> None:
    chunks.check_room(manifest)
    with pytest.raises(ChunkDamaged):
        chunks.put(next(iter(manifest.chunk_sizes())), b"another")
    assert chunks.missing(manifest) == manifest.chunk_sizes()


@pytest.mark.parametrize("how", ["torn", "zeroed", "gone", "longer"])
def test_what_a_crash_left_half_is_found_and_asked_for_again(
    chunks: ChunkStore, manifest: Manifest, tmp_path: Path, how: str
) -> None:
    filled(chunks, manifest)
    digest = next(iter(manifest.chunk_sizes()))
    path = tmp_path / "blobs" / digest
    content = path.read_bytes()
    match how:
        case "torn":
            path.write_bytes(content[: len(content) // 2])
        case "zeroed":
            path.write_bytes(bytes(len(content)))
        case "gone":
            path.unlink()
        case "longer":
            path.write_bytes(content + b"!")
    with pytest.raises(ChunkDamaged):
        chunks.verify(manifest)
    with pytest.raises(ChunkDamaged):
        chunks.write(manifest, "weights.bin", tmp_path / "out")
    assert list(chunks.missing(manifest)) == [digest]
    chunks.put(digest, content)
    chunks.verify(manifest)


def test_files_that_are_not_their_chunks(chunks: ChunkStore, manifest: Manifest, tmp_path: Path) -> None:
    filled(chunks, manifest)
    wrong = manifest.files[0].model_copy(update={"sha256": sha256(b"other").hexdigest()})
    other = manifest.model_copy(update={"files": (wrong, *manifest.files[1:])})
    with pytest.raises(ChunkDamaged):
        chunks.write(other, wrong.path, tmp_path / "out")
    with pytest.raises(ChunkDamaged):
        chunks.verify(other)
    assert set(chunks.missing(other)) == set(wrong.chunks)


def test_what_the_version_before_holds_is_not_fetched(
    chunks: ChunkStore, manifest: Manifest, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    older.write_bytes(WHOLE[:CHUNK_BYTES_MIN] + os.urandom(CHUNK_BYTES_MIN) + WHOLE[2 * CHUNK_BYTES_MIN :])
    taken = chunks.take_from(manifest, [tmp_path / "not there", older])
    assert taken == CHUNK_BYTES_MIN + 5
    assert len(chunks.missing(manifest)) == 2


def test_room_is_looked_for_before(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UpdateDiskFull):
        ChunkStore(tmp_path / "blobs", spare_bytes=2**60).check_room(manifest)


def test_what_nobody_needs_any_more_goes(chunks: ChunkStore, manifest: Manifest, tmp_path: Path) -> None:
    filled(chunks, manifest)
    (tmp_path / "blobs" / ".half-written").write_bytes(b"x")
    chunks.sweep([manifest])
    assert chunks.missing(manifest) == {}
    assert not (tmp_path / "blobs" / ".half-written").exists()
    chunks.sweep([])
    assert list((tmp_path / "blobs").iterdir()) == []


def test_requests_are_bounded_by_number_and_by_bytes() -> None:
    few, large = CHUNK_BYTES_MIN, BYTES_AT_ONCE
    found = list(groups({str(number): few for number in range(DIGESTS_AT_ONCE + 1)}))
    assert [len(group) for group in found] == [DIGESTS_AT_ONCE, 1]
    assert [len(group) for group in groups({"a": large, "b": 1, "c": 1})] == [1, 2]
    assert list(groups({})) == []
