"""What this machine's clocks show, for `core.clock_trust`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from core.clock_trust import Moment

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def machine_clocks() -> Moment:
    """The clock on the wall, and the one that runs from the machine's start."""
    boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return Moment(time.time_ns() // 1_000_000, boot_ms, _BOOT_ID.read_text().strip())
