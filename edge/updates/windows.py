"""When large things may be fetched: windows of the day, in the site's own time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from edge.config.updates import read_window


def is_open(windows: Sequence[str], now: time) -> bool:
    """Whether one of the windows holds `now`, its end not included; without windows always."""
    return not windows or any(_holds(*read_window(window), now) for window in windows)


def _holds(begins: time, ends: time, now: time) -> bool:
    return begins <= now < ends if begins < ends else now >= begins or now < ends
