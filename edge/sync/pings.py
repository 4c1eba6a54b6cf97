"""Whether the control plane still answers, on links of any speed. Pure; whoever asks brings the time, in seconds.

After moby/buildkit (session/grpc.go): a naive check ends slow links that are well. A heartbeat counts as unanswered
after 15 s, or half as long again as the last one took; two of them end the link.
"""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 15.0
"""For an answer, where nothing is known of the link yet: a satellite's takes under one second, a full queue before a
modem several."""

SLOWER: Final = 1.5
"""A link that took so long last time may take half as long again."""

UNANSWERED_MAX: Final = 2


class Pings:
    """Numbered heartbeats that are under way. An answer to one is an answer to all before it."""

    def __init__(self) -> None:
        self.sent = 0
        self.round_trip_s = 0.0
        self._waiting: dict[int, float] = {}

    @property
    def patience_s(self) -> float:
        """How long an answer may take now."""
        return max(PATIENCE_S, SLOWER * self.round_trip_s)

    def next(self, now_s: float) -> int:
        """The number of a heartbeat that goes now; 0: the other end is not there any more."""
        late = sum(now_s - sent_s > self.patience_s for sent_s in self._waiting.values())
        if late >= UNANSWERED_MAX:
            return 0
        self.sent += 1
        self._waiting[self.sent] = now_s
        return self.sent

    def answered(self, number: int, now_s: float) -> None:
        """An answer came; one to a heartbeat that is not under way says nothing."""
        sent_s = self._waiting.get(number)
        if sent_s is None:
            return
        self.round_trip_s = now_s - sent_s
        self._waiting = {other: at_s for other, at_s in self._waiting.items() if other > number}
