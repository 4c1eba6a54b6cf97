"""Changing a site's folder for another one in one step of the file system, so that there is the old one or the new.

The new folder is put together beside the old one. What a restore does not touch (keys, the courier's folder, sockets'
folder, whatever people put there) is in both, as the same files: a second name, not a copy, so that nothing that is
shredded later is left in another place.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final, NoReturn

from core.files import fsync_folder

_RENAME_EXCHANGE: Final = 2
"""Of linux/fs.h, renameat2(2)."""

_AT_FDCWD: Final = -100


def beside(root: Path) -> Path:
    """Where the new folder is put together; after the change the old one lies there until it is removed."""
    return root.with_name(f".{root.name}.restoring")


def link_rest(old: Path, new: Path, leave: Collection[str]) -> None:
    """Give `new` all that `old` has and it has not, but for `leave`: paths within a site."""
    for folder, names, files in os.walk(old):
        here = Path(folder).relative_to(old)
        names[:] = [name for name in names if str(here / name) not in leave]
        for name in names:
            _same_folder(old / here / name, new / here / name)
        for name in files:
            source, target = old / here / name, new / here / name
            if str(here / name) in leave or os.path.lexists(target) or not _is_kept(source):
                continue
            os.link(source, target, follow_symlinks=False)
    shutil.copystat(old, new)


def adopt_owners(old: Path, new: Path) -> None:
    """Everything in `new` belongs to whom it belonged in `old`, or to whom its folder belongs; only root can say so."""
    if os.geteuid() != 0:
        return
    for folder, names, files in os.walk(new):
        for path in (Path(folder), *(Path(folder) / name for name in (*names, *files))):
            before = old / path.relative_to(new)
            like = (before if os.path.lexists(before) else path.parent).lstat()
            os.chown(path, like.st_uid, like.st_gid, follow_symlinks=False)


def switch(new: Path, root: Path) -> None:
    """Put `new` in the place of `root`, and `root`, where there is one, in the place of `new`. Raises OSError."""
    sync(new)  # all that was written into it, before anybody finds it under its name
    if root.exists():
        _exchange(new, root)
    else:
        os.rename(new, root)
    fsync_folder(root.parent)


def sync(folder: Path) -> None:
    """Let everything of its file system reach the disk: one wait instead of one a file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc().syncfs(descriptor):
            _fail(folder)
    finally:
        os.close(descriptor)


def _exchange(first: Path, second: Path) -> None:
    if _libc().renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
        _fail(second)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _fail(path: Path) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), str(path))


def _same_folder(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
        return
    target.mkdir(exist_ok=True)
    shutil.copystat(source, target)


def _is_kept(path: Path) -> bool:
    """Files and links; a socket belongs to a process that has ended."""
    return stat.S_ISREG(path.lstat().st_mode) or path.is_symlink()
