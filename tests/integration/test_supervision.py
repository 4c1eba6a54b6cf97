"""Supervision with real processes: started again after a crash, stopped on request, killed when it must be."""

from __future__ import annotations

import asyncio
import signal
import sys

import psutil
import pytest

from core import supervision
from core.supervision import (
    PAUSE_FIRST_S,
    PAUSE_MAX_S,
    STABLE_S,
    Child,
    StartedWrongly,
    Supervisor,
    next_pause_s,
)

WAIT_S = 60.0

CHILD = """
import asyncio
from core.supervision import stop_on_signals

async def main():
    await stop_on_signals().wait()

asyncio.run(main())
"""
SUPERVISOR = f"""
import asyncio, sys
from core.supervision import Child, Supervisor

child = Child("child", [sys.executable, "-c", {CHILD!r}])
asyncio.run(Supervisor([child], asyncio.Event()).run())
"""


@pytest.mark.parametrize(
    ("pause_s", "lived_s", "expected"),
    [
        (0.0, 0.1, PAUSE_FIRST_S),
        (PAUSE_FIRST_S, 0.1, PAUSE_FIRST_S * 2),
        (PAUSE_MAX_S, 0.1, PAUSE_MAX_S),
        (PAUSE_MAX_S, STABLE_S, PAUSE_FIRST_S),
    ],
)
def test_pauses_double_up_to_a_limit_and_start_over_after_a_long_life(
    pause_s: float, lived_s: float, expected: float
) -> None:
    assert next_pause_s(pause_s, lived_s) == expected


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


async def test_a_crashed_child_comes_back_and_a_stop_ends_it() -> None:
    stop, lines = asyncio.Event(), asyncio.Queue[str]()
    child = Child("crasher", python("import os; print(os.getpid()); os._exit(3)"), lines.put_nowait)
    running = asyncio.create_task(Supervisor([child], stop).run())
    async with asyncio.timeout(WAIT_S):
        pids = {await lines.get() for _ in range(3)}
        stop.set()
        await running
    assert len(pids) == 3


async def test_a_child_that_ignores_the_request_to_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "STOP_TIMEOUT_S", 0.3)
    stop, lines = asyncio.Event(), asyncio.Queue[str]()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    running = asyncio.create_task(Supervisor([Child("deaf", python(code), lines.put_nowait)], stop).run())
    async with asyncio.timeout(WAIT_S):
        assert await lines.get() == "up"
        stop.set()
        await running


async def test_children_end_when_their_supervisor_is_killed() -> None:
    process = await asyncio.create_subprocess_exec(*python(SUPERVISOR), stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(WAIT_S):
        children = await _children_of(process.pid)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await _gone(children)


async def _children_of(pid: int) -> set[int]:
    while not (found := {child.pid for child in psutil.Process(pid).children()}):
        await asyncio.sleep(0.05)
    return found


async def _gone(pids: set[int]) -> None:
    while any(map(_runs, pids)):
        await asyncio.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_child_that_was_started_wrongly_is_not_started_again() -> None:
    stop, lines = asyncio.Event(), asyncio.Queue[str]()
    wrong = Child("wrong", python("print('no'); raise SystemExit(2)"), lines.put_nowait)
    fine = Child("fine", python("import time; time.sleep(600)"))
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(StartedWrongly):
            await Supervisor([wrong, fine], stop).run()
    assert lines.qsize() == 1


async def test_one_on_trial_may_be_wrong() -> None:
    stop, lines = asyncio.Event(), asyncio.Queue[str]()
    lives = iter((True, False))
    wrong = Child(
        "tried", python("print('no'); raise SystemExit(2)"), lines.put_nowait, on_trial=lambda: next(lives)
    )
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(StartedWrongly):
            await Supervisor([wrong], stop).run()
    assert lines.qsize() == 2


async def test_a_restart_ends_the_pause_of_one_that_crashed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervision, "PAUSE_FIRST_S", 2 * WAIT_S)
    monkeypatch.setattr(supervision, "PAUSE_MAX_S", 2 * WAIT_S)
    stop, lines = asyncio.Event(), asyncio.Queue[str]()
    child = Child("crasher", python("print('up'); raise SystemExit(3)"), lines.put_nowait)
    supervisor = Supervisor([child], stop)
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(WAIT_S):
        assert await lines.get() == "up"
        while "process ended" not in caplog.messages:
            await asyncio.sleep(0.05)
        supervisor.restart()
        assert await lines.get() == "up"
        stop.set()
        await running


async def test_a_child_may_wait_for_another_to_be_ready() -> None:
    stop, ready, lines = asyncio.Event(), asyncio.Event(), asyncio.Queue[str]()
    second = Child(
        "second", python("print('second'); import time; time.sleep(600)"), lines.put_nowait, after=ready
    )
    running = asyncio.create_task(Supervisor([second], stop).run())
    await asyncio.sleep(0)
    assert lines.empty()
    ready.set()
    async with asyncio.timeout(WAIT_S):
        assert await lines.get() == "second"
        stop.set()
        await running


async def test_children_start_again_with_another_environment() -> None:
    stop, lines, wanted = asyncio.Event(), asyncio.Queue[str](), {"WHICH": "first"}
    code = "import os, time; print(os.environ['WHICH']); time.sleep(600)"
    child = Child("slot", python(code), lines.put_nowait, environment=lambda: wanted)
    supervisor = Supervisor([child], stop)
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(WAIT_S):
        assert await lines.get() == "first"
        wanted["WHICH"] = "second"
        supervisor.restart()
        assert await lines.get() == "second"
        stop.set()
        await running
