"""When large things may be fetched: windows of the day, in the site's own time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time


def read_window(text: str) -> tuple[time, time]:
    """ "HH:MM-HH:MM"; one that ends before it begins goes over midnight. Raises ValueError."""
    begins, dash, ends = text.partition("-")
    if not dash or len(begins) != len("HH:MM") or len(ends) != len("HH:MM"):
        raise ValueError("a window is written HH:MM-HH:MM")
    return time.fromisoformat(begins), time.fromisoformat(ends)


def is_open(windows: Sequence[str], now: time) -> bool:
    """Whether one of the windows holds `now`, its end not included; without windows always."""
    return not windows or any(_holds(*read_window(window), now) for window in windows)


def _holds(begins: time, ends: time, now: time) -> bool:
    return begins <= now < ends if begins < ends else now >= begins or now < ends
