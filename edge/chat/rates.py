"""How often somebody may do something: a rate with a burst, and when to come back. Pure but for the table of callers.

The generic cell rate algorithm (ITU-T I.371): one number a caller, the moment at which its allowance is whole again.
A burst is one minute's allowance, so that a person who starts quickly is not stopped at once.
"""

from __future__ import annotations

from dataclasses import dataclass

# Callers remembered for one rate. Past it those whose allowance is nearly whole are forgotten first: that costs a
# caller at most a little more than its due. 10,000 addresses are more than a site's networks hold.
CALLERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `per_minute` a minute, in a burst or evenly."""

    per_minute: int

    @property
    def _interval_s(self) -> float:
        return 60.0 / self.per_minute

    def wait_s(self, whole_at_s: float, now_s: float) -> float:
        """Seconds until one more is allowed; 0 when it is now. `whole_at_s`: when the allowance is whole again."""
        return max(0.0, whole_at_s - now_s - 60.0 + self._interval_s)

    def taken(self, whole_at_s: float, now_s: float, count: int = 1) -> float:
        """`whole_at_s` after `count` more were taken at `now_s`; more than are allowed become a debt."""
        return max(whole_at_s, now_s) + count * self._interval_s


class CallerRates:
    """One rate, kept apart for each caller; bounded."""

    def __init__(self, rate: Rate, callers_max: int = CALLERS_MAX) -> None:
        self._rate = rate
        self._callers_max = callers_max
        self._whole_at_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._whole_at_s)

    def wait_s(self, caller: str, now_s: float) -> float:
        """Seconds until this caller may again; 0 when it may now."""
        return self._rate.wait_s(self._whole_at_s.get(caller, 0.0), now_s)

    def take(self, caller: str, now_s: float) -> None:
        """Count one of this caller."""
        if caller not in self._whole_at_s and len(self._whole_at_s) >= self._callers_max:
            self._forget(now_s)
        self._whole_at_s[caller] = self._rate.taken(self._whole_at_s.get(caller, 0.0), now_s)

    def _forget(self, now_s: float) -> None:
        """Drop who is whole again, which loses nothing; and always the quarter that is nearest to it."""
        kept = sorted((at, caller) for caller, at in self._whole_at_s.items() if at > now_s)
        self._whole_at_s = {caller: at for at, caller in kept[-(self._callers_max * 3 // 4) :]}
