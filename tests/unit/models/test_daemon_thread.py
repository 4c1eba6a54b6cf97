"""Calls run one at a time in order, and a process with a call that hangs ends all the same."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest

from models.daemon_thread import DaemonThread

HANGS = """
import threading
from models.daemon_thread import DaemonThread
begun = threading.Event()
thread = DaemonThread("model")
thread.submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
thread.shutdown()
"""


def test_calls_run_in_order_and_pass_on_results_and_errors() -> None:
    thread, order = DaemonThread("t"), list[int]()
    calls = [thread.submit(order.append, number) for number in range(5)]
    failed = thread.submit(lambda: 1 / 0)
    assert thread.submit(sum, (1, 2)).result(5) == 3
    assert order == [0, 1, 2, 3, 4]
    assert all(call.done() for call in calls)
    with pytest.raises(ZeroDivisionError):
        failed.result(5)


def test_after_the_end_nothing_is_taken_on() -> None:
    thread, hold, begun = DaemonThread("t"), threading.Event(), threading.Event()
    running = thread.submit(lambda: (begun.set(), hold.wait(5)))
    waiting = thread.submit(lambda: 1)
    assert begun.wait(5)
    thread.shutdown(cancel_futures=True)
    with pytest.raises(RuntimeError):
        thread.submit(lambda: 2)
    with pytest.raises(CancelledError):
        waiting.result(5)
    hold.set()
    assert running.result(5)


def test_a_process_does_not_wait_for_a_call_that_hangs() -> None:
    assert subprocess.run([sys.executable, "-c", HANGS], timeout=30, check=False).returncode == 0
