"""What work will take, from what work took: the fit behind every predicted wait. Pure; the clock is the caller's."""

from __future__ import annotations

from typing import Final

_KEPT: Final = 0.98
"""Of the weight of what was seen, after one more: a fit remembers about the last fifty passes."""

_KEPT_OVERESTIMATED: Final = 0.3
"""… after a pass that took less than half of what was predicted. Whom an overestimate refuses runs no pass that would
correct it: slow first passes, over documents that were unread yet, kept customers out for 12 s."""

_SPREAD_MIN: Final = 0.01
"""Variance of the tokens over the square of their mean, below which passes are too alike to tell slope from offset."""


_TELLING_S: Final = 0.005
"""A shorter wait than that of a pass says nothing of how waits are predicted."""

_STEP_MAX: Final = 2.0
_LEARNT: Final = 0.1
"""How much of what was wrong, and how far at most, one batch corrects: a factor of two in some ten batches."""

_STRETCH_MAX: Final = 8.0
"""Beyond it the machine stands still, and no factor describes that."""


class Cost:
    """`seconds = a · tokens + b` by least squares that forget; a and b are never negative."""

    def __init__(self) -> None:
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    @property
    def known(self) -> bool:
        """Whether anything was observed."""
        return self._weight > 0

    def observe(self, tokens: float, seconds: float) -> None:
        """A pass over so many tokens, padding included, took so long."""
        kept = _KEPT_OVERESTIMATED if seconds < self.predict(tokens) / 2 else _KEPT
        self._weight = self._weight * kept + 1
        self._x = self._x * kept + tokens
        self._y = self._y * kept + seconds
        self._xx = self._xx * kept + tokens * tokens
        self._xy = self._xy * kept + tokens * seconds

    def predict(self, tokens: float, passes: int = 1) -> float:
        """Seconds for so many tokens in so many passes; 0 while nothing is known."""
        a, b = self.line()
        return a * tokens + b * passes

    def line(self) -> tuple[float, float]:
        """(a, b), seconds a token and seconds a pass."""
        if not self._weight:
            return 0.0, 0.0
        x, y = self._x / self._weight, self._y / self._weight
        variance = self._xx / self._weight - x * x
        through_origin = y / x if x else 0.0
        if variance <= _SPREAD_MIN * x * x:
            return through_origin, 0.0
        slope = (self._xy / self._weight - x * y) / variance
        a = min(max(slope, 0.0), through_origin)
        return a, y - a * x


class Stretch:
    """How much longer requests wait than predicted: more urgent ones come after them, and cores are shared."""

    def __init__(self) -> None:
        self._factor = 1.0

    def of(self, predicted_s: float) -> float:
        """What a wait predicted so long will be."""
        return predicted_s * self._factor

    def observe(self, told_s: float, waited_s: float) -> None:
        """A request was told `told_s` when it came, and waited so long."""
        if told_s < _TELLING_S:
            return
        wrong = min(max(waited_s / told_s, 1 / _STEP_MAX), _STEP_MAX)
        self._factor = min(max(self._factor * wrong**_LEARNT, 1.0), _STRETCH_MAX)


class Allowance:
    """A share of some lanes' time, with a little saved up: `per_s` seconds of work for each second that passes."""

    def __init__(self, per_s: float, saved_s_max: float) -> None:
        self._per_s = per_s
        self._saved_s_max = saved_s_max
        self._saved_s = saved_s_max
        self._at_s = 0.0

    def left(self, now_s: float) -> bool:
        """Whether more may be used now."""
        self._saved_s = min(self._saved_s_max, self._saved_s + self._per_s * max(0.0, now_s - self._at_s))
        self._at_s = now_s
        return self._saved_s > 0

    def spend(self, seconds: float) -> None:
        """So much was used; a debt is paid off before more may be, but never a longer one than could be saved.

        What was used while nobody else wanted it is not held against anyone for long.
        """
        self._saved_s = max(self._saved_s - seconds, -self._saved_s_max)
