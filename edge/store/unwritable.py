"""A store that takes no more rows: a full disk, one that has become read-only, one that fails."""

from __future__ import annotations

import errno
from typing import Final

from sqlcipher3 import DatabaseError

from core.errors import PosternError

_CODES: Final = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")
"""What SQLite's extended names of it begin with (sqlite.org/rescode.html)."""

_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})
"""… and the kernel's, of what is written beside the database."""


class StoreUnwritable(PosternError):
    """Nothing can be recorded at the moment."""

    code = "store_unwritable"
    title = "This desk cannot keep records at the moment"
    remedy = "Try again later, or ask a member of staff. The site's technician finds the cause with `postern doctor`."
    status = 503
    # A disk has room again when somebody or something has made some: not within seconds.
    retry_after_s = 30


def unwritable(error: BaseException | None) -> bool:
    """Whether that is why an error came, be it what undoing the rest raised."""
    while error is not None:
        if isinstance(error, DatabaseError) and _name(error).startswith(_CODES):
            return True
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            return True
        error = error.__cause__ or error.__context__
    return False


def full(error: BaseException) -> bool:
    """Whether SQLite had no room on the disk."""
    return isinstance(error, DatabaseError) and _name(error) == "SQLITE_FULL"


def told(error: BaseException) -> BaseException:
    """The error as callers are told it."""
    return StoreUnwritable("Its disk is full, read-only or broken.") if unwritable(error) else error


def _name(error: DatabaseError) -> str:
    return str(getattr(error, "sqlite_errorname", ""))
