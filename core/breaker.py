"""Leaves a provider alone that fails again and again, or that asked to be left alone: a circuit breaker.

The states and their counting are the `circuitbreaker` library's (Nygard, "Release It!", 2007): closed; open after
`failures_max` failures in a row; after `open_s` one call may try, and its end closes it or opens it again. Added here:
of many callers only one tries; a call that its caller gave up tells nothing; a time that the provider itself named
(Retry-After) is kept, and is no failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from circuitbreaker import CircuitBreaker


class BreakerState(StrEnum):
    """The names are in metrics and on pages."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """The next call tries."""
    RESTING = "resting"
    """The provider asked for it."""


class _Failed(Exception):
    """Stands for any failure: the library keeps the last one, and with it the frames of whoever raised it."""


def every_error(error: Exception) -> bool:
    """Every error of a call is its provider's."""
    return True


class Breaker:
    """Of one provider. Used from one event loop."""

    def __init__(
        self, *, failures_max: int, open_s: float, is_fault: Callable[[Exception], bool] = every_error
    ) -> None:
        """`is_fault`: whether an error of a call is the provider's; another one tells nothing of it."""
        self._circuit = CircuitBreaker(
            failure_threshold=failures_max, recovery_timeout=open_s, expected_exception=_Failed
        )
        self._is_fault = is_fault
        self._resting_until_s = 0.0
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """Now."""
        if time.monotonic() < self._resting_until_s:
            return BreakerState.RESTING
        return BreakerState(self._circuit.state)

    @property
    def allows(self) -> bool:
        """Whether a call may be made now."""
        state = self.state
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self._trying)

    @property
    def wait_s(self) -> float:
        """Until a call may be made, as far as it is known; 0: now, or when the one that tries has ended."""
        resting_s = self._resting_until_s - time.monotonic()
        open_s = self._circuit.open_remaining if self._circuit.opened else 0
        return max(0.0, resting_s, open_s)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around a call that `allows` let begin: how the block ends is counted. What it raises goes on."""
        tries = self._circuit.state == BreakerState.HALF_OPEN
        self._trying |= tries
        try:
            yield
        except Exception as error:
            if self._is_fault(error):
                self._failed()
            raise
        else:
            self._circuit.reset()
        finally:
            if tries:
                self._trying = False

    def rest(self, seconds: float) -> None:
        """No call for so long."""
        self._resting_until_s = max(self._resting_until_s, time.monotonic() + seconds)

    def _failed(self) -> None:
        # Not raised: it would hold the error that is being handled.
        self._circuit.__exit__(_Failed, _Failed(), None)
