"""Files that change in one step, so that a crash leaves the old content or the new, never a mixture."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE_MODE = 0o600
PRIVATE_DIR_MODE = 0o700

_TEMPORARY = re.compile(r"\.(.+)\.\d+\.tmp")
"""As `write_atomic` names them: the file's name, the process."""


def write_atomic(path: Path, data: bytes, mode: int = PRIVATE_FILE_MODE) -> None:
    """Replace `path` by `data` durably: temporary file, fsync, rename, fsync of the folder.

    Raises OSError; the old file is then still whole.
    """
    with replacing(path, mode) as file:
        file.write(data)


def rewrite_atomic(path: Path, data: bytes) -> None:
    """As `write_atomic`, for a file that is there: it keeps mode and group, whatever the umask of who writes."""
    before = path.stat()
    with replacing(path) as file:
        os.fchown(file.fileno(), -1, before.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
        file.write(data)


@contextmanager
def replacing(path: Path, mode: int = PRIVATE_FILE_MODE) -> Iterator[BinaryIO]:
    """As `write_atomic`, for what is written bit by bit: in the place of `path` when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def meant_for(temporary: str) -> str | None:
    """The name of the file that `write_atomic` was to replace by the one named; None for another's file."""
    found = _TEMPORARY.fullmatch(temporary)
    return found[1] if found else None


def fsync_folder(folder: Path) -> None:
    """Make renames and creations in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(path: Path) -> Path:
    """Create `path` (and parents) readable by its owner only, and return it.

    An existing folder loses only what it grants to everybody: its group may be the installer's choice.
    """
    if path.is_dir():
        path.chmod(path.stat().st_mode & ~0o007)
    else:
        path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR_MODE)
    return path
