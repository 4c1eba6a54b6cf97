"""A limit on attempts at something secret: logins, one-time codes. In memory, bounded; the caller brings the time."""

from __future__ import annotations

from collections import OrderedDict, deque

from core.errors import PosternError

# Keys remembered at once (a key is an address or an account); the one used longest ago is forgotten first.
KEYS_MAX = 10_000


class TooManyAttempts(PosternError):
    """Too many attempts in a short time."""

    code = "too_many_attempts"
    title = "Too many attempts"
    remedy = "Wait a few minutes and try again."
    status = 429


class AttemptLimit:
    """At most `attempts_max` unsuccessful attempts a key within any `window_s` seconds."""

    def __init__(self, attempts_max: int, window_s: float) -> None:
        self._attempts_max = attempts_max
        self._window_s = window_s
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, key: str, now_s: float) -> None:
        """Count an attempt before it is made, so that parallel ones count too. Raises TooManyAttempts."""
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while times and times[0] <= now_s - self._window_s:
            times.popleft()
        if len(times) >= self._attempts_max:
            raise TooManyAttempts(f"{self._attempts_max} attempts in {self._window_s:.0f} s are the limit.")
        times.append(now_s)
        if len(self._times) > KEYS_MAX:
            self._times.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """The attempt was right: forget those before it."""
        self._times.pop(key, None)
