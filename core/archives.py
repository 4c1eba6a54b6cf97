"""A backup's file: parts in order in a tar (POSIX pax) inside age, written and read as a stream.

Reading writes nothing anywhere: it hands out one part after another, and says at the end whether all were genuine.
"""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, Protocol

import pyrage
from pydantic import BaseModel, ConfigDict, ValidationError
from pyrage.x25519 import Identity, Recipient

from core.errors import ExitCode, PosternError

HEAD: Final = "postern-backup.json"
MANIFEST: Final = "manifest.json"

CHUNK_BYTES: Final = 64 * 1024
"""What age encrypts at a time."""

_BLOCK: Final = 512
"""Of tar: everything fills whole blocks, and two empty ones are the end."""


class BackupFailed(PosternError):
    """A backup could not be made; there is no half one."""

    code = "backup_failed"
    title = "The backup was not made"
    remedy = "See that the disk is there and has room, and that Postern may write to that folder; then run it again."


class BackupUnusable(PosternError):
    """A file is no backup of ours, or not whole, or of another release. Nothing was changed."""

    code = "backup_unusable"
    title = "This file cannot be restored from"
    remedy = "Take another copy of the backup; nothing was changed."
    status = 422


class BackupExists(PosternError):
    """There is a file already where the backup is to go."""

    code = "backup_exists"
    title = "There is a file of this name already"
    remedy = "Choose another name, or put the new one in its place with --replace."
    status = 409
    exit_code = ExitCode.USAGE


class RestoreRefused(PosternError):
    """A restore would take something away that nobody said may go. Nothing was changed."""

    code = "restore_refused"
    title = "Nothing was restored"
    remedy = "Choose an empty folder."
    status = 409
    exit_code = ExitCode.REFUSED


class Part(BaseModel):
    """One part as it must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str


class Manifest(BaseModel):
    """All parts before it, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: dict[str, Part]


def read_manifest(content: bytes) -> Manifest:
    """Raises BackupUnusable."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError:
        raise BackupUnusable("Its list of parts is damaged.") from None


class Target(Protocol):
    """Where the file is written."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


@dataclass(frozen=True)
class Source:
    """A part to be written: `size` bytes of `content`."""

    name: str
    size: int
    content: IO[bytes]


@dataclass(frozen=True)
class Found:
    """A part that is being read; `content` is to be read before the next one."""

    name: str
    size: int
    content: IO[bytes]


def write(parts: Iterator[Source], target: Target, recipient: Recipient) -> None:
    """Write the parts and the manifest, encrypted. Raises BackupFailed, OSError."""
    source, sink = _Readable(_tar(parts)), _Writable(target)
    try:
        pyrage.encrypt_io(source, sink, [recipient])
    except pyrage.EncryptError as error:
        raise source.error or sink.error or BackupFailed("It could not be encrypted.") from error
    if sink.error is not None:  # age says nothing of a last piece that could not be written
        raise sink.error


@contextmanager
def reading(path: Path, identities: Sequence[Identity]) -> Iterator[Iterator[Found]]:
    """The parts of a backup, one after another. At the end, raises BackupUnusable for what is not whole or genuine.

    What was read before is not to be believed until then.
    """
    reader, writer = os.pipe()
    failure: list[BackupUnusable] = []
    worker = threading.Thread(target=_decrypt, args=(path, identities, writer, failure), name="decrypting")
    worker.start()
    try:
        with os.fdopen(reader, "rb") as plain:
            try:
                with tarfile.open(fileobj=plain, mode="r|") as archive:
                    yield _parts(archive)
                    while plain.read(CHUNK_BYTES):  # to the end, where age tells whether something is missing
                        pass
            except tarfile.TarError:
                failure.append(BackupUnusable("It is cut off, or no backup."))
    finally:
        worker.join()
    if failure:
        raise failure[0]


def _parts(archive: tarfile.TarFile) -> Iterator[Found]:
    for info in archive:
        content = archive.extractfile(info) if info.isreg() else None
        if content is None:
            raise BackupUnusable("It holds something that is no file.")
        yield Found(info.name, info.size, content)


def _decrypt(path: Path, identities: Sequence[Identity], target: int, failure: list[BackupUnusable]) -> None:
    """In a thread: the plain bytes into the pipe `target`; nobody reads to the end what is found wrong on the way."""
    with suppress(BrokenPipeError), os.fdopen(target, "wb", CHUNK_BYTES) as plain:
        try:
            with path.open("rb") as source:
                pyrage.decrypt_io(source, plain, list(identities))
        except BrokenPipeError:
            return
        except pyrage.DecryptError as error:
            foreign = "No matching keys" in str(error)
            failure.insert(0, _for_another_key(path) if foreign else BackupUnusable(f"{path} is no backup."))
        except OSError as error:
            failure.insert(0, BackupUnusable(f"{path}: {error.strerror or 'damaged or cut off'}."))


def _for_another_key(path: Path) -> BackupUnusable:
    return BackupUnusable(
        f"{path} was not encrypted to this recovery key.",
        remedy="Take the recovery key that the site had when the backup was made; nothing was changed.",
    )


def _tar(parts: Iterator[Source]) -> Iterator[bytes]:
    """The bytes of the archive; its last part is the manifest of all before it. Raises BackupFailed."""
    written: dict[str, Part] = {}
    for part in parts:
        yield _heading(part.name, part.size)
        digest, left = sha256(), part.size
        while left:
            chunk = part.content.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise BackupFailed(f"{part.name} became shorter while it was read.", remedy="Run it again.")
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
        yield bytes(-part.size % _BLOCK)
        if part.name != HEAD:
            written[part.name] = Part(size=part.size, sha256=digest.hexdigest())
    content = Manifest(parts=written).model_dump_json().encode()
    yield _heading(MANIFEST, len(content)) + content + bytes(-len(content) % _BLOCK) + bytes(2 * _BLOCK)


def _heading(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")


class _Readable:
    """Pieces as a file that age reads; keeps the error that age would tell as a word."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.error: PosternError | OSError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._left:
                self._left = memoryview(next(self._pieces))
        except StopIteration:
            return b""
        except (PosternError, OSError) as error:
            self.error = error
            raise
        taken = bytes(self._left[:size] if size >= 0 else self._left)
        self._left = self._left[len(taken) :]
        return taken


class _Writable:
    """A file that age writes; keeps the error."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._target.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        try:
            self._target.flush()
        except OSError as error:
            self.error = error
            raise
