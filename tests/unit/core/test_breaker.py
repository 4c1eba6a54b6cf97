"""A provider that fails again and again is left alone; the library's clock is ours here."""

from __future__ import annotations

import asyncio

import circuitbreaker
import pytest

from core import breaker as breaker_module
from core.breaker import Breaker, BreakerState

FAILURES_MAX = 3
OPEN_S = 10.0


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class _Refused(Exception):
    """No fault of the provider."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(circuitbreaker, "monotonic", clock)
    monkeypatch.setattr(breaker_module.time, "monotonic", clock)
    return clock


@pytest.fixture
def breaker(clock: _Clock) -> Breaker:
    return Breaker(
        failures_max=FAILURES_MAX, open_s=OPEN_S, is_fault=lambda error: not isinstance(error, _Refused)
    )


def fail(breaker: Breaker, times: int = 1, error: type[BaseException] = ValueError) -> None:
    for _ in range(times):
        with pytest.raises(error), breaker.call():
            raise error


def succeed(breaker: Breaker) -> None:
    with breaker.call():
        pass


def opened(breaker: Breaker) -> Breaker:
    fail(breaker, FAILURES_MAX)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_it_opens_at_the_failures_in_a_row_and_not_before(breaker: Breaker) -> None:
    fail(breaker, FAILURES_MAX - 1)
    assert breaker.allows
    succeed(breaker)
    fail(breaker, FAILURES_MAX - 1)
    assert breaker.allows
    assert breaker.wait_s == 0
    fail(breaker)
    assert not breaker.allows
    assert breaker.wait_s == OPEN_S


def test_after_its_time_one_call_tries_and_its_success_closes(breaker: Breaker, clock: _Clock) -> None:
    opened(breaker)
    clock.now_s += OPEN_S - 0.001
    assert not breaker.allows
    clock.now_s += 0.002
    assert breaker.allows
    with breaker.call():
        assert not breaker.allows, "another one tries already"
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allows


def test_a_failed_try_opens_it_again_for_its_time(breaker: Breaker, clock: _Clock) -> None:
    opened(breaker)
    clock.now_s += OPEN_S
    fail(breaker)
    assert not breaker.allows
    clock.now_s += OPEN_S
    assert breaker.allows


@pytest.mark.parametrize("end", [asyncio.CancelledError, GeneratorExit, _Refused])
def test_what_is_no_fault_of_the_provider_tells_nothing(
    breaker: Breaker, clock: _Clock, end: type[BaseException]
) -> None:
    fail(breaker, FAILURES_MAX - 1)
    fail(breaker, 5, end)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN, "the failures before were forgotten"
    clock.now_s += OPEN_S
    fail(breaker, error=end)
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allows, "nobody tries any more"


def test_a_time_that_the_provider_named_is_kept_and_is_no_failure(breaker: Breaker, clock: _Clock) -> None:
    breaker.rest(5.0)
    breaker.rest(2.0)
    assert breaker.state is BreakerState.RESTING
    assert not breaker.allows
    assert breaker.wait_s == 5.0
    clock.now_s += 5.0
    assert breaker.allows
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, FAILURES_MAX - 1)
    assert breaker.allows


def test_nothing_of_a_failure_is_kept(breaker: Breaker) -> None:
    opened(breaker)
    last = breaker._circuit.last_failure
    assert type(last).__name__ == "_Failed"
    assert last.__context__ is None
    assert last.__cause__ is None
