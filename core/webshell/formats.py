"""How pages say times and counts. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

# Counts below this at a named site can point at a person; they arrive without their value.
SUPPRESSED_BELOW = 5


def span(elapsed: timedelta) -> str:
    """A duration in its largest fitting unit."""
    seconds = max(0, int(elapsed.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7_200:
        return f"{seconds // 60} min"
    if seconds < 172_800:
        return f"{seconds // 3_600} h"
    return f"{seconds // 86_400} days"


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago."""
    return "never" if then is None else f"{span(now - then)} ago"


def utc(when: datetime) -> str:
    """An instant that reads the same everywhere."""
    return when.strftime("%Y-%m-%d %H:%M UTC")


def seconds(value: int) -> str:
    """A number of seconds as a duration."""
    return span(timedelta(seconds=value))


def count(value: int | None) -> str:
    """A count; None is a cell too small to show."""
    return f"< {SUPPRESSED_BELOW}" if value is None else f"{value:,}"
