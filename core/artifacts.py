"""What an update is made of: a manifest that names files, and the chunks that files are cut into. Pure.

Both ends obey the same rules: the control plane when it publishes, a node before it writes anything. A manifest is
canonical JSON; signed metadata names it by length and SHA-256, and it names every chunk by SHA-256, so that whoever has
the signed metadata can take each byte from anybody.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated, BinaryIO, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import ExitCode, PosternError
from core.signing import canonical_json

Kind = Literal["model", "knowledge", "policy", "software"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION_PATTERN: Final = r"^[0-9][0-9A-Za-z.+-]{0,31}$"
TARGET_PATTERN: Final = r"^[a-z0-9][A-Za-z0-9._+/-]{0,149}$"
_SHA256_PATTERN: Final = r"^[0-9a-f]{64}$"

# A cut transfer costs at most one chunk again: at 256 KiB, under a thousandth of any model worth a rollout.
CHUNK_BYTES_MIN: Final = 256 * 1024
# A chunk is held in memory on both ends while it is hashed.
CHUNK_BYTES_MAX: Final = 4 * 1024 * 1024
# Keeps a manifest under a megabyte in practice: each chunk takes 67 bytes of it. With the largest chunks, 16 GiB.
CHUNKS_MAX: Final = 4096
# Each file that is not empty has a chunk of its own.
FILES_MAX: Final = CHUNKS_MAX
# What the longest paths and all chunks together can take, with room.
MANIFEST_BYTES_MAX: Final = 4 * 1024 * 1024
# As Linux has them, with room for the folder in front.
PATH_CHARACTERS_MAX: Final = 240
PATH_PART_BYTES_MAX: Final = 200
PATH_DEPTH_MAX: Final = 16
# Of memory that a machine may be asked to have, in megabytes: 16 TB.
MEMORY_MB_MAX: Final = 16 * 1024 * 1024


class InvalidArtifact(PosternError):
    """A manifest, or what is to become one, breaks a rule."""

    code = "invalid_artifact"
    title = "The package cannot be used"
    remedy = "Correct what the message names and publish it again under a new version."
    status = 400
    exit_code = ExitCode.CHECK_FAILED


Sha256 = Annotated[str, Field(pattern=_SHA256_PATTERN)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ArtifactFile(_Part):
    """One file; an empty one has no chunks. Every chunk but the last has the manifest's chunk size."""

    path: Annotated[str, Field(min_length=1, max_length=PATH_CHARACTERS_MAX)]
    size: Annotated[int, Field(ge=0, le=CHUNKS_MAX * CHUNK_BYTES_MAX)]
    sha256: Sha256
    chunks: tuple[Sha256, ...] = ()

    @model_validator(mode="after")
    def _safe(self) -> ArtifactFile:
        fault = path_fault(self.path)
        if fault:
            raise ValueError(fault)
        return self


class Requires(_Part):
    """Without which a node does not install it. A requirement that a node does not know refuses it too."""

    # The oldest release of this program; empty: any.
    software: Annotated[str, Field(pattern=r"^([0-9][0-9A-Za-z.+-]{0,31})?$")] = ""
    # As `platform.machine()` says; none: any.
    architectures: tuple[Literal["x86_64", "aarch64"], ...] = ()
    memory_mb: Annotated[int, Field(ge=0, le=MEMORY_MB_MAX)] = 0


class Manifest(_Part):
    """A package: the content of one target. Its own rules hold wherever one is made or read."""

    kind: Kind
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: Annotated[str, Field(pattern=VERSION_PATTERN)]
    chunk_bytes: Annotated[int, Field(ge=CHUNK_BYTES_MIN, le=CHUNK_BYTES_MAX)]
    files: Annotated[tuple[ArtifactFile, ...], Field(min_length=1, max_length=FILES_MAX)]
    requires: Requires = Requires()

    @model_validator(mode="after")
    def _holds_together(self) -> Manifest:
        if self.chunk_bytes & (self.chunk_bytes - 1):
            raise ValueError("chunk_bytes is a power of two")
        for file in self.files:
            if len(file.chunks) != chunks_of(file.size, self.chunk_bytes):
                raise ValueError(f"{file.path!r} does not have as many chunks as its size needs")
        if sum(len(file.chunks) for file in self.files) > CHUNKS_MAX:
            raise ValueError(f"it has more than {CHUNKS_MAX} chunks")
        sizes: dict[str, int] = {}
        for file in self.files:
            for digest, size in self.chunks_in(file):
                if sizes.setdefault(digest, size) != size:
                    raise ValueError(f"{file.path!r} has a chunk that is of another size elsewhere")
        clash = first_clash(file.path for file in self.files)
        if clash:
            raise ValueError(f"{clash!r} is named twice, or as a file and a folder")
        return self

    @property
    def target(self) -> str:
        """Its path in both repositories."""
        return target_path(self.kind, self.name, self.version)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def content(self) -> bytes:
        """As it is hashed, signed and sent. Raises InvalidArtifact when it is longer than a node takes."""
        content = canonical_json(self.model_dump(mode="json"))
        if len(content) > MANIFEST_BYTES_MAX:
            raise InvalidArtifact(f"The manifest has {len(content)} bytes; {MANIFEST_BYTES_MAX} are allowed.")
        return content

    def chunk_sizes(self) -> dict[str, int]:
        """Bytes of each chunk by its SHA-256 in hex, in the order of first use; equal ones are fetched once."""
        return {digest: size for file in self.files for digest, size in self.chunks_in(file)}

    def chunks_in(self, file: ArtifactFile) -> Iterator[tuple[str, int]]:
        """The chunks of one of its files in order: SHA-256 in hex, bytes."""
        left = file.size
        for digest in file.chunks:
            yield digest, min(left, self.chunk_bytes)
            left -= self.chunk_bytes


def target_path(kind: str, name: str, version: str) -> str:
    """How both repositories call it: KIND/NAME/VERSION."""
    return f"{kind}/{name}/{version}"


def manifest_of(
    kind: Kind,
    name: str,
    version: str,
    chunk_bytes: int,
    files: tuple[ArtifactFile, ...],
    requires: Requires,
) -> Manifest:
    """A manifest from its parts. Raises InvalidArtifact."""
    parts = {"kind": kind, "name": name, "version": version, "chunk_bytes": chunk_bytes}
    try:
        return Manifest.model_validate(parts | {"files": files, "requires": requires})
    except ValidationError as error:
        raise InvalidArtifact(f"The package: {_first_fault(error)}.") from None


def read_manifest(content: bytes) -> Manifest:
    """A manifest from its bytes. Raises InvalidArtifact; whoever asks has checked length and SHA-256 before."""
    if len(content) > MANIFEST_BYTES_MAX:
        raise InvalidArtifact(f"The manifest has {len(content)} bytes; {MANIFEST_BYTES_MAX} are allowed.")
    try:
        # From JSON, because there a list is what a tuple is written as.
        manifest = Manifest.model_validate_json(content)
        if canonical_json(json.loads(content)) != content:
            raise InvalidArtifact("The manifest is not canonical JSON.")
    except ValidationError as error:
        raise InvalidArtifact(f"The manifest: {_first_fault(error)}.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidArtifact("The manifest is not JSON.") from error
    return manifest


def path_fault(path: str) -> str | None:
    """Why `path` may not be a file's in a package; None for one that may: relative, with nothing that leads out."""
    parts = path.split("/")
    if not path or len(path) > PATH_CHARACTERS_MAX or len(parts) > PATH_DEPTH_MAX:
        return "a path is empty, too long or too deep"
    if not path.isprintable() or "\\" in path:
        return f"{path!r} has characters that a path may not have"
    if unicodedata.normalize("NFC", path) != path:
        return f"{path!r} is not in Unicode's form NFC"
    if any(part in {"", ".", ".."} for part in parts):
        return f"{path!r} is absolute or leads elsewhere"
    if any(len(part.encode()) > PATH_PART_BYTES_MAX for part in parts):
        return f"{path!r} has a name that is too long"
    return None


def first_clash(paths: Iterable[str]) -> str | None:
    """The first path that is there twice, or that is a file and a folder at once."""
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        above = {path[: found.start()] for found in re.finditer("/", path)}
        if path in files or path in folders or above & files:
            return path
        files.add(path)
        folders |= above
    return None


def chunks_of(size: int, chunk_bytes: int) -> int:
    """Into how many chunks a file of `size` bytes is cut."""
    return -(-size // chunk_bytes)


def chunk_bytes_for(sizes: Iterable[int]) -> int:
    """The smallest size of chunks, a power of two, that keeps files of `sizes` bytes within CHUNKS_MAX.

    Raises InvalidArtifact when none does.
    """
    sizes = tuple(sizes)
    chunk_bytes = CHUNK_BYTES_MIN
    while sum(chunks_of(size, chunk_bytes) for size in sizes) > CHUNKS_MAX:
        chunk_bytes *= 2
        if chunk_bytes > CHUNK_BYTES_MAX:
            limit_gib = CHUNKS_MAX * CHUNK_BYTES_MAX // 2**30
            raise InvalidArtifact(
                f"{len(sizes)} files of {sum(sizes)} bytes are too much.",
                remedy=f"A package has at most {FILES_MAX} files and {limit_gib} GiB.",
            )
    return chunk_bytes


def cut(file: BinaryIO, chunk_bytes: int) -> Iterator[tuple[str, bytes]]:
    """The chunks of an open file: SHA-256 in hex, content. Raises OSError."""
    while chunk := file.read(chunk_bytes):
        yield sha256(chunk).hexdigest(), chunk


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
