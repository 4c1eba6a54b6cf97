"""Whether the wall clock is to be believed when it says that something is old enough to go. No I/O, reads no clock.

A clock that was set a year ahead by mistake would erase a year of the audit. While the machine runs, its boot clock
tells how much time has really passed; a wall clock that leaps ahead of it is doubted, and for as long nothing is purged
by age. Whoever sees the warning within a day can put it right. A clock that was set back makes everything look younger:
nothing is purged early by that, and a row that is gone cannot go twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

DAY_MS: Final = 86_400_000

LEAP_MS: Final = 3_600_000
"""A time service corrects by seconds. Whoever sets a clock by hand, or its zone, moves it by an hour or more."""

OFF_MS: Final = DAY_MS
"""How long a machine may be off without a doubt: over night. What passed while it was off nobody can tell it."""

HOLIDAYS_MS: Final = 30 * DAY_MS
"""Off for so long is usual enough not to raise an alarm: a weekend, holidays."""

DOUBT_MS: Final = DAY_MS
"""Of running time: every shift has seen the warning, and what is due waits a day longer at most."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the clocks show. `boot_ms`: since the machine was started, sleep included; `boot`: which start that was."""

    wall_ms: int
    boot_ms: int
    boot: str


@dataclass(frozen=True, slots=True)
class Trust:
    """What is remembered of the clocks from one look to the next, also over a start.

    last       the last look
    ahead_ms   how far the wall clock has run ahead of what was believed
    doubted_ms for how much longer it is doubted, in running time; 0: it is believed
    off        whether only because the machine was off, for as long as is usual
    """

    last: Moment
    ahead_ms: int = 0
    doubted_ms: int = 0
    off: bool = False

    @property
    def alarming(self) -> bool:
        """Whether somebody should look at the clock."""
        return self.doubted_ms > 0 and not self.off

    def kept(self) -> dict[str, Any]:
        """As JSON has it, for the next look."""
        return asdict(self)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Trust:
        """What was `kept`."""
        return cls(**{**kept, "last": Moment(**kept["last"])})


def after(before: Trust | None, now: Moment) -> Trust:
    """What to think of the clocks at a look. The first one ever has nothing to compare with, and believes."""
    if before is None:
        return Trust(now)
    leap_ms, ran_ms = _compared(before.last, now)
    ahead_ms = before.ahead_ms + leap_ms
    if (
        ahead_ms <= LEAP_MS
    ):  # as it was, or put right; a clock that was set back is the one that counts from now on
        return Trust(now, max(ahead_ms, 0))
    off = now.boot != before.last.boot and leap_ms <= HOLIDAYS_MS
    # Days off do not begin a doubt anew: a site that opens two days a week would never purge.
    if not before.doubted_ms or (leap_ms > LEAP_MS and not off):
        return Trust(now, ahead_ms, DOUBT_MS, off)
    doubted_ms = before.doubted_ms - ran_ms
    return Trust(now, ahead_ms, doubted_ms, before.off) if doubted_ms > 0 else Trust(now)


def _compared(last: Moment, now: Moment) -> tuple[int, int]:
    """By how much the wall clock has moved without reason, and how long the machine has surely run."""
    passed_ms = now.wall_ms - last.wall_ms
    if now.boot == last.boot:
        ran_ms = now.boot_ms - last.boot_ms
        return passed_ms - ran_ms, ran_ms
    return min(passed_ms, max(passed_ms - OFF_MS, 0)), 0
