"""Hours of a week, as a data-protection officer writes them: "mon-fri 08:00-18:00". Pure.

A set of minutes is one whole number with a bit for each minute from Monday 00:00 on: containment and union are single
operations, and no rule about edges is needed twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAILY: Final = "daily"
MINUTES_A_DAY: Final = 24 * 60
MINUTES_A_WEEK: Final = 7 * MINUTES_A_DAY

_WINDOW = re.compile(
    rf"({DAILY}|(?P<first>{'|'.join(DAYS)})(?:-(?P<last>{'|'.join(DAYS)}))?)"
    r" (?P<from_h>\d\d):(?P<from_m>[0-5]\d)-(?P<to_h>\d\d):(?P<to_m>[0-5]\d)",
    re.ASCII,
)


def minutes_of(windows: Iterable[str]) -> int:
    """The minutes of all windows together, as bits. The end is not part of a window; none passes midnight.

    Raises ValueError for what is no window.
    """
    found = 0
    for window in windows:
        match = _WINDOW.fullmatch(window)
        if match is None:
            raise ValueError(f"hours are written like {DAYS[0]}-{DAYS[4]} 08:00-18:00")
        begin = int(match["from_h"]) * 60 + int(match["from_m"])
        end = int(match["to_h"]) * 60 + int(match["to_m"])
        if not begin < end <= MINUTES_A_DAY:
            raise ValueError("hours begin before they end, at 24:00 at the latest")
        of_a_day = (1 << end) - (1 << begin)
        for day in _days(match["first"], match["last"]):
            found |= of_a_day << day * MINUTES_A_DAY
    return found


def minute_of_week(moment: datetime) -> int:
    """From Monday 00:00 on, as a policy's hours count."""
    return moment.weekday() * MINUTES_A_DAY + moment.hour * 60 + moment.minute


def _days(first: str | None, last: str | None) -> range:
    if first is None:
        return range(len(DAYS))
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        raise ValueError("days run from monday to sunday")
    return range(begin, end + 1)
