"""Work at places that answer, that fail, and that hang: the loop goes on, and no two threads wait for one of them."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from threading import Event

import pytest

from edge.privacy.backup import places
from edge.privacy.backup.places import at, there


async def test_what_is_done_is_told_and_what_fails_is_raised(tmp_path: Path) -> None:
    assert await at(tmp_path, lambda: 7) == 7
    with pytest.raises(FileNotFoundError):
        await at(tmp_path, (tmp_path / "none").read_bytes)
    with pytest.raises(ZeroDivisionError):
        await at(tmp_path, lambda: 1 // 0)


async def test_one_that_hangs_is_given_up_and_left_alone_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "ANSWER_S", 0.01)
    answers, done = Event(), []

    def hang() -> None:
        answers.wait(60)
        done.append("first")

    with pytest.raises(OSError, match=os.strerror(errno.ETIMEDOUT)):
        await at(tmp_path, hang)
    with pytest.raises(OSError, match=os.strerror(errno.ETIMEDOUT)):
        await at(tmp_path, lambda: done.append("overtook"))
    assert await there([tmp_path / "file"]) == set()
    assert done == []
    answers.set()
    while tmp_path in places._hanging:
        await asyncio.sleep(0)
    await at(tmp_path, lambda: done.append("second"))
    assert done == ["first", "second"]


async def test_whoever_is_cancelled_leaves_the_place_to_the_thread(tmp_path: Path) -> None:
    begun, answers = Event(), Event()

    def hang() -> None:
        begun.set()
        answers.wait(60)

    waiting = asyncio.create_task(at(tmp_path, hang))
    while not begun.is_set():
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(OSError, match=os.strerror(errno.ETIMEDOUT)):
        await at(tmp_path, lambda: None)
    answers.set()
    while tmp_path in places._hanging:
        await asyncio.sleep(0)


async def test_which_files_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is away, one that may not be looked into, and a folder in the place of a file."""
    here, folder, away, shut = tmp_path / "here", tmp_path, tmp_path / "away" / "f", tmp_path / "shut" / "f"
    here.touch()
    refuse(monkeypatch, shut.parent, errno.EACCES)
    assert await there([here, folder, away, shut]) == {here}


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int) -> None:
    """Whatever looks below `folder` is told so."""
    real = Path.stat

    def stat(path: Path, **more: bool) -> os.stat_result:
        if path.is_relative_to(folder):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, **more)

    monkeypatch.setattr(Path, "stat", stat)
