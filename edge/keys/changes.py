"""A change of several key files in one step: all of them are new, or none is, wherever the machine stops.

The new files are written into a folder beside the old ones, which then gets its final name: that is the moment at which
the change holds. What is left is writing over what goes and moving the new into place, at once or at the next opening.
Whoever changes or opens keys holds the store's lock.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.files import fsync_folder, private_folder, write_atomic
from edge.config import SitePaths

_STAGING: Final = "next.tmp"
_READY: Final = "next"

GONE: Final = b""
"""In the place of a file's content: the file goes. No key file is ever empty."""


def apply(paths: SitePaths, files: Mapping[str, bytes]) -> None:
    """Write files of keys/ (and the recovery key, which lies beside it) by name, durably and together."""
    finish(paths)
    private_folder(paths.keys)
    staging = paths.keys / _STAGING
    private_folder(staging)
    for name, content in files.items():
        write_atomic(staging / name, content)
    os.rename(staging, paths.keys / _READY)
    fsync_folder(paths.keys)
    finish(paths)


def finish(paths: SitePaths) -> None:
    """Move a whole change into place; one that did not come so far goes."""
    _discard(paths.keys / _STAGING)
    ready = paths.keys / _READY
    if not ready.is_dir():
        return
    for staged in sorted(ready.iterdir()):
        target = _target(paths, staged.name)
        _write_over(target)
        if staged.stat().st_size:
            os.replace(staged, target)
        else:
            target.unlink(missing_ok=True)
            staged.unlink()
    fsync_folder(paths.root)
    fsync_folder(paths.keys)
    ready.rmdir()
    fsync_folder(paths.keys)


def _discard(staging: Path) -> None:
    """It may hold the root key in clear, of a machine whose TPM has it."""
    if not staging.is_dir():
        return
    for path in staging.iterdir():
        _write_over(path)
    shutil.rmtree(staging)


def _write_over(path: Path) -> None:
    """Let the bytes of a file that goes not lie about in free blocks, as far as file system and disk write in place."""
    with suppress(FileNotFoundError), path.open("r+b") as file:
        found = os.fstat(file.fileno())
        if found.st_nlink == 1:  # else it is somebody's copy, too
            file.write(bytes(found.st_size))
            file.flush()
            os.fsync(file.fileno())


def _target(paths: SitePaths, name: str) -> Path:
    return paths.recovery_key if name == paths.recovery_key.name else paths.keys / name
