"""Work in a process of its own, through a real child: result, bytes, progress; its error, its death, its nonsense."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

import psutil
import pytest

from core.memory import CORE_BYTES
from edge.chat.apart import Done, TrainingFailed, work_apart

CHILD = "tests.contract.apart_process"


def task(do: str, size: int = 0) -> dict[str, Any]:
    return {"settings": {"niceness": 3}, "do": do, "bytes": size}


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_the_result_comes_with_its_bytes_and_progress(size: int) -> None:
    seen: list[tuple[str, int, int]] = []
    done = await work_apart(CHILD, task("work", size), lambda *step: seen.append(step))
    assert done == Done({"niceness": max(os.nice(0), 3), "threads": "1"}, bytes(size))
    assert seen == [("Counting", 1, 2)]


async def test_what_the_child_finds_wrong_is_told() -> None:
    with pytest.raises(TrainingFailed) as failed:
        await work_apart(CHILD, task("fail"), lambda *_: None)
    assert (failed.value.detail, failed.value.remedy) == ("There are two.", "Write more.")


@pytest.mark.parametrize("do", ["die", "babble"])
async def test_a_child_that_dies_or_babbles_is_a_failure_and_gone(do: str) -> None:
    with pytest.raises(TrainingFailed):
        await work_apart(CHILD, task(do), lambda *_: None)
    assert not _children()


async def test_a_child_keeps_what_it_was_given_to_itself() -> None:
    done = await work_apart(CHILD, task("look"), lambda *_: None)
    assert done.result == {"dumpable": 0, "core_bytes": CORE_BYTES}


async def test_who_waits_no_longer_ends_the_child() -> None:
    waiting = asyncio.Event()
    work = asyncio.create_task(work_apart(CHILD, task("work", 200_000_000), lambda *_: waiting.set()))
    await asyncio.wait_for(waiting.wait(), 30)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not _children()


def _children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # that is over
            if CHILD in child.cmdline():
                found.append(child)
    return found
