"""Shared by the tests of lost devices: callers without pause, and what they are told meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest

from models.placement import Shortfall
from models.runtimes.port import Runtime
from models.runtimes.scripted import ScriptedRuntime

PATIENCE_S = 30.0
POLL_S = 0.01
LANES = 4
DIM = 8


class Told:
    """What `on_change` was told, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.all: list[Shortfall | None] = []
        self._changed = threading.Condition()

    def __call__(self, loss: Shortfall | None) -> None:
        with self._changed:
            self.all.append(loss)
            self._changed.notify_all()

    def until(self, condition: Callable[[list[Shortfall | None]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.all), PATIENCE_S), self.all

    def served(self) -> None:
        self.until(lambda told: told[-1] is None)

    def lost(self, reason: str) -> None:
        self.until(lambda told: any(loss is not None and loss.reason == reason for loss in told))


def until(condition: Callable[[], object]) -> None:
    """For what nobody is told of."""
    waited = threading.Event()
    for _ in range(round(PATIENCE_S / POLL_S)):
        if condition():
            return
        waited.wait(POLL_S)
    pytest.fail("it never came about")


def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(number).integers(1000, 20_000, (1 + number % 4, 4 + number % 5))
    return ids, np.ones_like(ids)


def check(runtime: Runtime, number: int, dim: int = DIM) -> None:
    """One call, with the answer that this batch has everywhere."""
    want_states = bool(number % 2)
    embedding, states = runtime.run(*batch(number), want_states=want_states)
    expected, expected_states = ScriptedRuntime(dim=dim).run(*batch(number))
    np.testing.assert_allclose(embedding, expected, atol=1e-5)
    if want_states:
        np.testing.assert_allclose(states, expected_states, atol=1e-5)
    else:
        assert states is None


class Load:
    """Callers that ask without pause and count right answers; a wrong one, or an error, comes out at the end."""

    def __init__(self, runtime: Runtime, *, lanes: int = LANES, dim: int = DIM) -> None:
        self._runtime = runtime
        self._dim = dim
        self._numbers = count()
        self._stop = threading.Event()
        self._answers = threading.Semaphore(0)
        self._pool = ThreadPoolExecutor(lanes)
        self._lanes = [self._pool.submit(self._ask) for _ in range(lanes)]

    def _ask(self) -> None:
        while not self._stop.is_set():
            check(self._runtime, next(self._numbers), self._dim)
            self._answers.release()

    def answers(self, number: int) -> None:
        """Waits for so many more."""
        for _ in range(number):
            assert self._answers.acquire(timeout=PATIENCE_S)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for lane in self._lanes:
            lane.result(PATIENCE_S)
        self._pool.shutdown()
