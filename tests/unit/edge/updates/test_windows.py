"""When large things may be fetched."""

from __future__ import annotations

from datetime import time

import pytest

from edge.config.updates import read_window
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
