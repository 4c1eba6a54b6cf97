"""Who runs a program on this machine, as a row of audit names them: the person that logged in, also behind sudo.

Linux keeps the user of a login for all that is started from it, whatever it becomes (`loginuid`, proc(5), audit(7)).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

NAME_CHARS_MAX = 60
_PROC = Path("/proc")
_NOBODY = 2**32 - 1  # a service, a container: nobody logged in


def terminal_user(pid: int, uid: int, proc: Path = _PROC) -> str:
    """`terminal:NAME`, and as whom, where that is another user. `uid` is what the kernel says of the process `pid`."""
    login = _login(pid, proc)
    if login is None or login == uid:
        return f"terminal:{_name(uid)}"[:NAME_CHARS_MAX]
    return f"terminal:{_name(login)} as {_name(uid)}"[:NAME_CHARS_MAX]


def this_user() -> str:
    """Of this process."""
    return terminal_user(os.getpid(), os.getuid())


def _login(pid: int, proc: Path) -> int | None:
    """Who logged in; None where nobody did, or the system does not say."""
    try:
        found = int((proc / str(pid) / "loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if found == _NOBODY else found


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):  # a user of another system, in a container
        return str(uid)
