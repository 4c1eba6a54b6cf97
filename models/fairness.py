"""Who goes next, and who may wait, among callers of one line: no caller's crowd makes another one wait. Pure.

Start-time fair queueing (P. Goyal, H. M. Vin, H. Cheng, IEEE/ACM Transactions on Networking 5, 1997): a request starts,
in virtual time, when the one before it of the same caller ends, and never before what is served now. The earliest start
goes first. Whoever waits alone therefore starts now, however many requests somebody else has in line.

Places are shared by a dynamic threshold (A. K. Choudhury, E. L. Hahne, the same journal 6, 1998): nobody holds more
places than are free. One caller alone can take half of them, two a third each; a newcomer always finds room.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class _Share:
    """What one caller has in line. `ends`: the virtual time at which the last of it would end."""

    ends: float
    rows: int = 0


class Shares:
    """The callers that wait, by their name. None is a caller of its own each time: the site's own work has no name.

    Virtual time is in the unit of `cost`. Bounded by the line: a caller with nothing in it is forgotten.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._of: dict[str, _Share] = {}

    def __len__(self) -> int:
        """Callers with a name that wait."""
        return len(self._of)

    def has_room(self, caller: str | None, waiting: int, waiting_max: int) -> bool:
        """Whether one more may wait, of the `waiting_max` places that there are."""
        free = waiting_max - waiting
        share = self._of.get(caller) if caller is not None else None
        return free > (share.rows if share else 0)

    def start(self, caller: str | None) -> float:
        """The virtual time at which one more of this caller would start."""
        share = self._of.get(caller) if caller is not None else None
        return max(self._now, share.ends) if share else self._now

    def enter(self, caller: str | None, cost: float) -> float:
        """One more waits; when it starts."""
        start = self.start(caller)
        if caller is not None:
            share = self._of.setdefault(caller, _Share(start))
            share.ends = start + cost
            share.rows += 1
        return start

    def leave(self, caller: str | None) -> None:
        """One is served, or nobody awaits it any more."""
        if caller is None:
            return
        share = self._of[caller]
        share.rows -= 1
        if not share.rows:
            del self._of[caller]

    def serve(self, start: float) -> None:
        """What starts then is served now."""
        self._now = max(self._now, start)
