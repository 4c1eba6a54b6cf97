"""Manifests and chunks: what fits a rule is taken, what breaks one is named, at, below and above each limit."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from typing import Any

import pytest

from core.artifacts import (
    CHUNK_BYTES_MAX,
    CHUNK_BYTES_MIN,
    CHUNKS_MAX,
    FILES_MAX,
    MANIFEST_BYTES_MAX,
    PATH_CHARACTERS_MAX,
    PATH_DEPTH_MAX,
    PATH_PART_BYTES_MAX,
    InvalidArtifact,
    Manifest,
    chunk_bytes_for,
    cut,
    first_clash,
    path_fault,
    read_manifest,
)
from core.signing import canonical_json


def digest(number: int = 0) -> str:
    return sha256(str(number).encode()).hexdigest()


def file(path: str = "model.onnx", size: int = CHUNK_BYTES_MIN + 1, **changed: Any) -> dict[str, Any]:
    whole, rest = divmod(max(size, 0), CHUNK_BYTES_MIN)
    chunks = [digest(number) for number in range(whole)] + [digest(10**6 + rest)] * bool(rest)
    return {"path": path, "size": size, "sha256": digest(99), "chunks": chunks} | changed


def document(*files: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "kind": "model",
        "name": "encoder",
        "version": "1.2.0",
        "chunk_bytes": CHUNK_BYTES_MIN,
        "files": list(files or (file(),)),
        "requires": {"software": "0.1.0", "architectures": ["x86_64"], "memory_mb": 512},
    } | changed


def read(value: dict[str, Any]) -> Manifest:
    return read_manifest(canonical_json(value))


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = read(document(file(), file("tokenizer/vocab.txt", 0), file("ü.txt", 5)))
    assert manifest.target == "model/encoder/1.2.0"
    assert manifest.size == CHUNK_BYTES_MIN + 1 + 5
    assert manifest.requires.architectures == ("x86_64",)
    assert read_manifest(manifest.content()) == manifest


def test_chunks_have_the_size_that_their_place_gives_them() -> None:
    manifest = read(document(file(size=2 * CHUNK_BYTES_MIN + 7), file("again", size=CHUNK_BYTES_MIN)))
    assert list(manifest.chunks_in(manifest.files[0])) == [
        (digest(0), CHUNK_BYTES_MIN),
        (digest(1), CHUNK_BYTES_MIN),
        (digest(10**6 + 7), 7),
    ]
    # The second file is the first one's beginning: nothing of it is fetched again.
    assert list(manifest.chunk_sizes()) == [digest(0), digest(1), digest(10**6 + 7)]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"kind": "firmware"}, "kind"),
        ({"name": "Encoder"}, "name"),
        ({"name": "../encoder"}, "name"),
        ({"version": "latest"}, "version"),
        ({"version": "1/2"}, "version"),
        ({"chunk_bytes": CHUNK_BYTES_MIN - 1}, "chunk_bytes"),
        ({"chunk_bytes": CHUNK_BYTES_MIN + 1}, "power of two"),
        ({"chunk_bytes": 2 * CHUNK_BYTES_MAX}, "chunk_bytes"),
        ({"files": []}, "files"),
        ({"files": [file(chunks=[])]}, "as many chunks"),
        ({"files": [file(chunks=[digest(0)] * 3)]}, "as many chunks"),
        ({"files": [file(), file("b", size=1, chunks=[digest(0)])]}, "another size"),
        ({"files": [file(sha256="AB" * 32)]}, "sha256"),
        ({"files": [file(size=-1)]}, "size"),
        ({"files": [file() | {"size": "5"}]}, "size"),
        ({"files": [file("../../etc/cron.d/x")]}, "leads elsewhere"),
        ({"files": [file("a"), file("a")]}, "named twice"),
        ({"files": [file("a"), file("a/b")]}, "a file and a folder"),
        ({"files": [file(mode="0755")]}, "mode"),
        ({"requires": {"run": "curl example.org | sh"}}, "requires"),
        ({"requires": {"memory_mb": True}}, "memory_mb"),
        ({"requires": {"architectures": ["riscv64"]}}, "architectures"),
        ({"signature": "none"}, "signature"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused_by_name(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidArtifact, match=named):
        read(document(**changed))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"kind":"model"}',
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps(document()).encode(),  # spaces: the same facts with another hash
        canonical_json(document())[:-1] + b',"kind":"model"}',  # a name twice
    ],
)
def test_bytes_that_are_no_manifest_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidArtifact):
        read_manifest(content)


def test_a_manifest_has_a_longest_length() -> None:
    with pytest.raises(InvalidArtifact, match="allowed"):
        read_manifest(b" " * (MANIFEST_BYTES_MAX + 1))


def test_a_manifest_of_as_many_files_with_the_longest_paths_fits() -> None:
    paths = [f"{number:04}/{'x' * 195}/{'y' * 39}" for number in range(FILES_MAX)]
    assert len(paths[0]) == PATH_CHARACTERS_MAX
    files = [file(path, size=1, chunks=[digest(number)]) for number, path in enumerate(paths)]
    manifest = read(document(*files))
    assert read_manifest(manifest.content()) == manifest
    with pytest.raises(InvalidArtifact, match="files"):
        read(document(*files, file("one more", 0)))


def test_the_chunks_of_all_files_together_have_a_limit() -> None:
    size = CHUNKS_MAX * CHUNK_BYTES_MIN
    read(document(file(size=size)))
    with pytest.raises(InvalidArtifact, match="chunks"):
        read(document(file(size=size), file("b", size=1)))


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "model.onnx",
        "docs/Öffnungszeiten am Wochenende.pdf",
        ".hidden",
        "..a",
        "a..",
        "x" * PATH_PART_BYTES_MAX,
        "/".join(["d"] * PATH_DEPTH_MAX),
    ],
)
def test_a_path_that_stays_inside_is_allowed(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "..",
        ".",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        "../a",
        "a/..",
        "C:\\windows",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\u202eb",
        "u\u0308.txt",  # two ways to write one name would be two files here and one there
        "\udcff",
        "x" * (PATH_PART_BYTES_MAX + 1),
        "ü" * (PATH_PART_BYTES_MAX // 2 + 1),
        "/".join(["d"] * (PATH_DEPTH_MAX + 1)),
        f"{'x' * 120}/{'y' * 120}",  # 241 characters
    ],
)
def test_a_path_that_leads_elsewhere_or_is_odd_is_refused(path: str) -> None:
    assert path_fault(path)


def test_the_clash_is_found_whichever_comes_first() -> None:
    assert first_clash(["a/b", "a"]) == "a"
    assert first_clash(["a", "b/c", "a/b"]) == "a/b"
    assert first_clash(["a", "ab", "a.b", "b/a"]) is None


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([0], CHUNK_BYTES_MIN),
        ([CHUNKS_MAX * CHUNK_BYTES_MIN], CHUNK_BYTES_MIN),
        ([CHUNKS_MAX * CHUNK_BYTES_MIN, 1], 2 * CHUNK_BYTES_MIN),
        ([CHUNKS_MAX * CHUNK_BYTES_MIN + 1], 2 * CHUNK_BYTES_MIN),
        ([1] * CHUNKS_MAX, CHUNK_BYTES_MIN),
        ([CHUNKS_MAX * CHUNK_BYTES_MAX], CHUNK_BYTES_MAX),
    ],
)
def test_chunks_are_as_small_as_their_number_allows(sizes: list[int], expected: int) -> None:
    assert chunk_bytes_for(sizes) == expected


@pytest.mark.parametrize("sizes", [[CHUNKS_MAX * CHUNK_BYTES_MAX + 1], [1] * (CHUNKS_MAX + 1)])
def test_what_no_chunks_can_hold_is_refused(sizes: list[int]) -> None:
    with pytest.raises(InvalidArtifact, match="too much"):
        chunk_bytes_for(sizes)


def test_a_file_is_cut_into_chunks_that_make_it_up() -> None:
    content = bytes(range(256)) * 10
    chunks = list(cut(io.BytesIO(content), 1000))
    assert [len(chunk) for _, chunk in chunks] == [1000, 1000, 560]
    assert b"".join(chunk for _, chunk in chunks) == content
    assert all(sha256(chunk).hexdigest() == name for name, chunk in chunks)
