"""When will the first text come from a server that writes many answers at once? Told from the last ones. Pure.

What was measured counts for a while only: nobody asks a server that is expected to be late, so nobody would learn that
it is not any more. Times are the caller's clock, seconds.
"""

from __future__ import annotations

from typing import Final

BELIEVED_S: Final = 10.0
"""How long a measured time counts: as long as a breaker leaves alone who failed (`edge.chat.relay`)."""

GUESS_S: Final = 0.5
"""Until one was timed: the way there and back, and a large model's first words."""

_STILL_LONGER: Final = 2.0
"""What was given up would have taken nobody knows how much longer; counted as it is, it could never be too late."""

_NEARLY: Final = 0.8
"""Of the expected time. Whoever asks gives up a little before what it takes for too late: what is expected between the
two must be able to grow."""

_WEIGHT_OF_NEWEST: Final = 0.3
"""In the running mean: it remembers about the last three."""


class FirstText:
    """A running mean."""

    def __init__(self) -> None:
        self._mean_s = GUESS_S
        self._told_at = float("-inf")

    def predicted_s(self, now: float) -> float:
        """Seconds until the first text of an answer that is asked for now."""
        return self._mean_s if now - self._told_at < BELIEVED_S else GUESS_S

    def came(self, seconds: float, now: float) -> None:
        """The first text of one came after so long."""
        before = self.predicted_s(now)
        self._mean_s = before + _WEIGHT_OF_NEWEST * (seconds - before)
        self._told_at = now

    def gave_up(self, seconds: float, now: float) -> None:
        """One had not begun after so long, and is not waited for; long before it was expected, that says nothing."""
        if seconds > _NEARLY * self.predicted_s(now):
            self.came(_STILL_LONGER * seconds, now)
