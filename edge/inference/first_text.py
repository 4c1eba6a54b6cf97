"""When will the first words of one more answer come? Told from how long earlier ones took. Pure.

It knows nothing of how the model's runtime batches: it only sees how much later answers begin that had others ahead.
"""

from __future__ import annotations

from typing import Final

_ALONE_S_GUESS: Final = 1.0
"""Of the small model on two idle cores, with two passages: 0.3 to 1.2 s."""

_BEHIND_S_GUESS: Final = 5.0
"""One answer ahead, until one was timed: they are written one after the other (`generation_queue`)."""

_WEIGHT_OF_NEWEST: Final = 0.3
"""In the running means: they remember about the last three."""


class FirstText:
    """Two running means: the time to the first text alone, and what each answer ahead adds."""

    def __init__(self, alone_s: float = _ALONE_S_GUESS) -> None:
        """`alone_s`: until one was timed."""
        self._alone_s = alone_s
        self._behind_s = _BEHIND_S_GUESS

    def predicted_s(self, ahead: int) -> float:
        """Seconds until the first text of an answer with so many ahead of it."""
        return self._alone_s + ahead * self._behind_s

    def observe(self, ahead: int, seconds: float) -> None:
        """An answer that had so many ahead began after so long."""
        if ahead == 0:
            self._alone_s += _WEIGHT_OF_NEWEST * (seconds - self._alone_s)
        else:
            each_s = max(0.0, seconds - self._alone_s) / ahead
            self._behind_s += _WEIGHT_OF_NEWEST * (each_s - self._behind_s)

    def gave_up(self, ahead: int, seconds: float) -> None:
        """One had not begun after so long, and was given up."""
        if seconds > self.predicted_s(ahead):
            self.observe(ahead, seconds)
