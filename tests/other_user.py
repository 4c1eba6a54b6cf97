"""Another user of this machine, at a socket of ours."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# "nobody" nearly everywhere; any that is not this process's own would do.
UID = 65534
# It becomes the other user itself: that user may not be able to read this interpreter's files.
_PROGRAM = """
import os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
there = socket.socket(socket.AF_UNIX)
try:
    there.connect(sys.argv[2])
except PermissionError:
    sys.exit(3)
there.settimeout(10)
there.sendall(sys.argv[3].encode())
print(there.recv(4096).decode(errors="replace"))
"""
CLOSED = 3
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")


async def speaks(path: Path, words: str) -> tuple[int, str]:
    """Exit status (CLOSED: the kernel did not let it connect) and what it was answered."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", _PROGRAM, str(UID), str(path), words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    answer, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, answer.decode().strip()


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that another user could come to, if it were open: pytest's own lie in a closed one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def open_to_all(path: Path) -> None:
    """Let another user as far as the socket: what is tested is what stands behind the folder's rights."""
    path.chmod(0o777)
    for folder in path.parents:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o001)
