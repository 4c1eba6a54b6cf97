"""A disk that is really full: a tmpfs of a few MiB in a mount namespace of its own. Needs root.

What is done there is done in a thread: a namespace is a thread's, is handed on to the threads and processes that it
begins, and is gone with them, however they end. Nobody else sees the mount.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

SIZE_BYTES: Final = 4 << 20
"""Room for what a courier keeps, and for some thousand leaves."""
FILLER: Final = "filler"
"""What takes the room."""
# <sched.h>, <sys/mount.h>
_CLONE_NEWNS: Final = 0x00020000
_MS_REC, _MS_PRIVATE, _MNT_DETACH = 1 << 14, 1 << 18, 2

Done = TypeVar("Done")


def missing() -> str:
    """Why there can be none here; "" where there can."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        return "needs root, to mount a small disk in a namespace of its own"
    tried = subprocess.run(("unshare", "--mount", "true"), capture_output=True, check=False)
    return "" if tried.returncode == 0 else "may make no mount namespace here"


def apart(do: Callable[[], Done]) -> Done:
    """What `do` returns or raises, in a thread with mounts of its own."""
    done: list[Done] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _system("unshare", _CLONE_NEWNS)
            _system("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
            done.append(do())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="apart")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A small disk in the place of `folder`, with what is in it. Inside `apart` alone."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    folder.mkdir(0o700)
    _system("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={SIZE_BYTES},mode=700".encode())
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        _system("umount2", os.fsencode(folder), _MNT_DETACH)


def fill(folder: Path, room: int = 0) -> None:
    """Let a small disk have `room` bytes, in whole pages, and no more."""
    with (folder / FILLER).open("ab") as filler:
        while (taken := _free_bytes(folder) - room) > 0:
            with suppress(OSError):  # somebody else took some of it meanwhile
                os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, taken)


def give_room(folder: Path) -> None:
    """All of it again."""
    (folder / FILLER).unlink(missing_ok=True)


def _free_bytes(folder: Path) -> int:
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize


def _system(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
