"""When customers come: the arrivals of a real service, stretched to the rate that a bench wants. Pure but for reading.

The trace is of a conversation service (Azure's public LLM inference trace of 2023), an hour of 19,366 requests: its
bursts are what a Poisson process lacks.
"""

from __future__ import annotations

import csv
from datetime import datetime

from tests.bench.harness import data_file

TRACE = ("load", "azure_conv.csv")
# Digits of a second that Python's parser takes; the trace has seven.
MICROSECONDS = 26


def trace() -> list[float]:
    """Seconds since the first, sorted. Raises BenchRefused when the trace is not there."""
    with data_file(*TRACE).open(newline="", encoding="utf-8") as file:
        times = [datetime.fromisoformat(row["TIMESTAMP"][:MICROSECONDS]) for row in csv.DictReader(file)]
    return sorted((time - times[0]).total_seconds() for time in times)


def stretched(times: list[float], start: int, rate: float, seconds: float) -> list[float]:
    """The next `rate` × `seconds` arrivals from number `start` on (the trace is a ring), stretched to that time.

    The mean is as wanted and the bursts are the trace's. Seconds from 0, sorted.
    """
    count = max(1, round(rate * seconds))
    gaps = [_gap(times, start + number) for number in range(count)]
    scale = seconds / sum(gaps)
    at, found = 0.0, []
    for gap in gaps:
        found.append(at)
        at += gap * scale
    return found


def _gap(times: list[float], number: int) -> float:
    """From one arrival to the next; the ring closes with the mean gap."""
    index = number % len(times)
    return times[index + 1] - times[index] if index + 1 < len(times) else times[-1] / len(times)
