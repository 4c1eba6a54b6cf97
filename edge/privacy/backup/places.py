"""Work on files where backups lie: a disk, a share on the network, which may be away, asleep, or hang.

It runs in a thread of its own, for the loop serves customers meanwhile, and is given up after a while. A thread that
waits for a share that hangs cannot be ended: so there is one such at a folder, no second one, and it is a daemon, which
no end of the process waits for.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

T = TypeVar("T")

ANSWER_S: Final = 10.0
"""A disk that sleeps turns within it."""

_hanging: Final[set[Path]] = set()
"""Folders at which a thread still waits that was given up; of the process, as threads are."""


async def at(folder: Path, work: Callable[[], T]) -> T:
    """What `work` does in `folder`. Raises OSError, also where there is no answer, whatever else `work` raises.

    Whoever gives it up, or is cancelled, leaves the folder to the thread: nothing that began later is overtaken.
    """
    if folder in _hanging:
        raise _no_answer(folder)
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Callable[[], T]] = loop.create_future()

    def tell(outcome: Callable[[], T]) -> None:
        _hanging.discard(folder)
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        outcome = _outcome(work)
        try:
            loop.call_soon_threadsafe(tell, outcome)
        except RuntimeError:  # the loop has ended
            _hanging.discard(folder)

    Thread(target=run, name="backup place", daemon=True).start()
    try:
        await asyncio.wait([done], timeout=ANSWER_S)
    finally:
        if not done.done():
            _hanging.add(folder)
    if not done.done():
        raise _no_answer(folder)
    return done.result()()


async def there(files: Collection[Path]) -> set[Path]:
    """Which of them are files that can be seen; what does not answer is not there."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        folders[file.parent].append(file)
    looks = [at(folder, partial(_seen, inside)) for folder, inside in folders.items()]
    found = await asyncio.gather(*looks, return_exceptions=True)
    return {file for one in found if not isinstance(one, BaseException) for file in one}


def _seen(files: Iterable[Path]) -> list[Path]:
    found = []
    for file in files:
        with suppress(OSError):
            if file.is_file():
                found.append(file)
    return found


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    """What `work` returns or raises, to be had by a call."""
    try:
        result = work()
    except BaseException as error:
        return partial(_raise, error)
    return lambda: result


def _raise(error: BaseException) -> T:  # type: ignore[type-var]
    raise error


def _no_answer(folder: Path) -> OSError:
    return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), str(folder))
