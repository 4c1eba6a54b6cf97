"""A process tells whoever supervises it that it lives: systemd's protocol (sd_notify), under systemd and `supervision`.

What stands still altogether (SIGSTOP, a debugger, a frozen control group) cannot end itself, however well it watches
over itself; its silence is all that tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

NOTIFY_SOCKET: Final = "NOTIFY_SOCKET"
"""The variable that names the socket; a name in Linux's abstract space begins with @."""

FIRST_S_MAX: Final = 60.0
"""From a process's start to its first sign: libraries load for seconds, on a busy machine for many."""

MESSAGES_MAX: Final = 1024
"""Read at one look: more than Linux keeps for a socket by itself (net.unix.max_dgram_qlen, 10 to 512)."""

_DATAGRAM_BYTES: Final = 256
_CREDENTIALS: Final = struct.Struct("iII")  # struct ucred of Linux: pid, uid, gid
_SECONDS: Final = re.compile(rb"^WATCHDOG=1\nWATCHDOG_USEC=(\d{1,12})$")


def say_alive(again_within_s: float) -> None:
    """The next sign comes within so many seconds, or this process may be killed. Nothing where nobody listens."""
    address = os.environ.get(NOTIFY_SOCKET)
    if not address:
        return
    message = f"WATCHDOG=1\nWATCHDOG_USEC={round(again_within_s * 1e6)}"
    # Never waits: a supervisor that does not read is no reason to stand still, too.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(message.encode(), socket.MSG_DONTWAIT, address.replace("@", "\0", 1))


class SignsOfLife:
    """The supervisor's end, for one life of one process. Use as a context manager.

    Time is counted by the listener's own looks, not by a clock: if it stood still itself, with the whole machine
    perhaps, it blames nobody for that.
    """

    def __init__(self, first_s_max: float = FIRST_S_MAX) -> None:
        self._left_s = first_s_max
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        # In a folder of this user's: a name in the abstract space takes what anybody on this machine sends.
        self._folder = tempfile.TemporaryDirectory(prefix="postern-signs-")
        self._line.bind(str(Path(self._folder.name) / "signs"))

    @property
    def address(self) -> str:
        """For the process's NOTIFY_SOCKET."""
        return str(self._line.getsockname())

    def silent(self, pid: int, waited_s: float) -> bool:
        """Whether the process's time is up, so long after the last look."""
        self._left_s -= waited_s
        with contextlib.suppress(BlockingIOError):
            for _ in range(MESSAGES_MAX):
                self._hear(pid)
        return self._left_s <= 0

    def _hear(self, pid: int) -> None:
        """One message; those of other processes do not count."""
        message, told, _, _ = self._line.recvmsg(_DATAGRAM_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        sender = next(
            (_CREDENTIALS.unpack(data)[0] for _, kind, data in told if kind == socket.SCM_CREDENTIALS), 0
        )
        found = _SECONDS.match(message)
        if found and sender == pid:
            self._left_s = int(found[1]) / 1e6

    def __enter__(self) -> SignsOfLife:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()
        self._folder.cleanup()
