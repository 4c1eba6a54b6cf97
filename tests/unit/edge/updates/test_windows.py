"""When large things may be fetched, and how fast."""

from __future__ import annotations

from datetime import time

import pytest
from pydantic import ValidationError

from edge.config.updates import BYTES_PER_S_MIN, UpdatesSection, read_window
from edge.updates.windows import is_open


@pytest.mark.parametrize(
    ("windows", "now", "expected"),
    [
        ((), "12:00", True),
        (("22:00-06:00",), "21:59", False),
        (("22:00-06:00",), "22:00", True),
        (("22:00-06:00",), "05:59", True),
        (("22:00-06:00",), "06:00", False),
        (("12:00-13:00",), "11:59", False),
        (("12:00-13:00",), "12:00", True),
        (("12:00-13:00",), "13:00", False),
        (("12:00-13:00", "01:00-02:00"), "01:30", True),
        (("00:00-00:00",), "09:00", True),
    ],
)
def test_open(windows: tuple[str, ...], now: str, *, expected: bool) -> None:
    assert is_open(windows, time.fromisoformat(now)) is expected


@pytest.mark.parametrize("text", ["", "22:00", "22-06", "24:00-06:00", "22:00-6:00", "aa:bb-cc:dd"])
def test_not_a_window(text: str) -> None:
    with pytest.raises(ValueError):
        read_window(text)


@pytest.mark.parametrize("bytes_per_s", [0, BYTES_PER_S_MIN, BYTES_PER_S_MIN + 1])
def test_rates_that_end_some_day(bytes_per_s: int) -> None:
    assert UpdatesSection(bytes_per_s=bytes_per_s).bytes_per_s == bytes_per_s


@pytest.mark.parametrize("bytes_per_s", [1, BYTES_PER_S_MIN - 1])
def test_a_rate_at_which_no_chunk_would_come_whole(bytes_per_s: int) -> None:
    with pytest.raises(ValidationError, match="at least 16384"):
        UpdatesSection(bytes_per_s=bytes_per_s)
