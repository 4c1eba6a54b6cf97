"""Files and standard output as a command's results go there: looked at before the deed, and an error for people after.

A receipt or an export must not be lost to a folder that nobody may write to once the deed is done.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.errors import CannotWrite
from core.files import write_atomic


def expect_writable(*targets: Path | None) -> None:
    """See that files can be made there, before anything is done. None: no file is wanted. Raises CannotWrite."""
    for target in targets:
        if target is None:
            continue
        if target.exists() and not target.is_file():
            # A device or a pipe would be taken away: a new file is renamed into its place.
            raise CannotWrite(f"{target} is no file.")
        try:
            with tempfile.TemporaryFile(dir=target.parent):
                pass
        except OSError as error:
            raise CannotWrite(f"No file can be made in {target.parent}: {error.strerror}.") from None


def write_file(target: Path, data: bytes, remedy: str | None = None) -> None:
    """Write a whole file. `remedy`: where else the result is to be had. Raises CannotWrite."""
    try:
        write_atomic(target, data)
    except OSError as error:
        raise CannotWrite(f"{target}: {error.strerror}.", remedy=remedy) from None


@contextlib.contextmanager
def standard_output(remedy: str | None = None) -> Iterator[None]:
    """Around what writes there. Raises CannotWrite; a reader who has had enough (`| head`) is no error of ours."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _let_go()
        raise CannotWrite(f"Standard output: {error.strerror}.", remedy=remedy) from None


def _let_go() -> None:
    """What is still in the buffer would fail once more at the end, with a traceback."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
