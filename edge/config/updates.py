"""How what the control plane wants the node to run is fetched."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import Field, field_validator

from edge.config.section import Section

# The courier's limit is a number of 32 bits.
BYTES_PER_S_MAX = 2**32 - 1
# Only whole chunks are kept, of up to 4 MiB, and what one request brings in 15 minutes: slower would never end.
BYTES_PER_S_MIN = 16 * 1024


class UpdatesSection(Section):
    """Models, packs of documents and policies from the control plane."""

    # 0: as fast as the line. Everything else that leaves and comes is small, and is never held up.
    bytes_per_s: Annotated[int, Field(ge=0, le=BYTES_PER_S_MAX)] = 0
    # "HH:MM-HH:MM" in the site's own time; none: at any time.
    windows: Annotated[tuple[str, ...], Field(max_length=8)] = ()

    @field_validator("bytes_per_s")
    @classmethod
    def _ends_some_day(cls, bytes_per_s: int) -> int:
        if 0 < bytes_per_s < BYTES_PER_S_MIN:
            raise ValueError(f"it must be 0, or at least {BYTES_PER_S_MIN}")
        return bytes_per_s

    @field_validator("windows")
    @classmethod
    def _readable(cls, windows: tuple[str, ...]) -> tuple[str, ...]:
        for window in windows:
            read_window(window)
        return windows


def read_window(text: str) -> tuple[time, time]:
    """ "HH:MM-HH:MM"; one that ends before it begins goes over midnight. Raises ValueError."""
    begins, dash, ends = text.partition("-")
    if not dash or len(begins) != len("HH:MM") or len(ends) != len("HH:MM"):
        raise ValueError("a window is written HH:MM-HH:MM")
    return time.fromisoformat(begins), time.fromisoformat(ends)
