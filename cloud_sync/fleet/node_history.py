"""A node's last days as bars of hours and rows of days, and where what it runs differs from what is wanted. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cloud_sync.store.streams import CountRow

DAYS = 7
HOURS = DAYS * 24
# Height of a chart, in its own units.
CHART_HEIGHT = 40
# What is promised to a customer; the cells of `turn_seconds` up to it.
PROMISE_S = 1.0
# A document is 64 KiB at most; what has more fields than this nobody compares by eye.
FIELDS_MAX = 200
VALUE_CHARACTERS_MAX = 200


@dataclass(frozen=True)
class HourBar:
    """One hour of a chart."""

    x: int
    height: float
    title: str


@dataclass(frozen=True)
class Chart:
    """A week of hours, oldest first."""

    title: str
    bars: tuple[HourBar, ...]
    top: int
    """The highest hour; 0 when nothing was told."""


@dataclass(frozen=True)
class Day:
    """What a node told of one day (UTC); None where nothing was."""

    day: date
    turns: int | None
    handoffs: int | None
    within_promise: int | None
    """Percent, rounded down."""


@dataclass(frozen=True)
class Field:
    """One field of the desired state: what is wanted and what the node applied; empty: not set."""

    path: str
    wanted: str
    applied: str

    @property
    def same(self) -> bool:
        """Whether there is nothing to do."""
        return self.wanted == self.applied


def charts(counts: Iterable[CountRow], now: datetime) -> tuple[Chart, ...]:
    """Turns, and those that ended with a person, by the hour."""
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    turns, handoffs = [0] * HOURS, [0] * HOURS
    for row in counts:
        hour = int((row.bucket_start - begin) / timedelta(hours=1))
        if not 0 <= hour < HOURS or row.value is None or row.bucket_start < begin:
            continue
        if row.name.startswith("turns."):
            turns[hour] += row.value
        if row.name == "turns.handoff":
            handoffs[hour] += row.value
    return _chart("Turns an hour", turns, begin), _chart("No answer, a person offered", handoffs, begin)


def days(counts: Iterable[CountRow], now: datetime) -> tuple[Day, ...]:
    """Sums by day, today first."""
    sums: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in counts:
        if row.value is not None:
            sums[row.bucket_start.date()][row.name] += row.value
    found = (now.date() - timedelta(days=back) for back in range(DAYS))
    return tuple(_day(day, sums.get(day, {})) for day in found)


def compare(wanted: bytes | None, applied: bytes | None) -> tuple[Field, ...]:
    """Every field of either document; those that differ first. Updates have a table of their own."""
    left, right = _fields(wanted), _fields(applied)
    found = [Field(path, left.get(path, ""), right.get(path, "")) for path in sorted({*left, *right})]
    return tuple(sorted(found, key=lambda field: field.same)[:FIELDS_MAX])


def _chart(title: str, hours: Sequence[int], begin: datetime) -> Chart:
    top = max(hours)
    bars = (
        HourBar(x, round(CHART_HEIGHT * number / top, 1) if top else 0.0, _hour_title(begin, x, number))
        for x, number in enumerate(hours)
    )
    return Chart(title, tuple(bars), top)


def _hour_title(begin: datetime, x: int, number: int) -> str:
    return f"{begin + timedelta(hours=x):%Y-%m-%d %H:00} UTC: {number}"


def _day(day: date, sums: dict[str, int]) -> Day:
    turns = [number for name, number in sums.items() if name.startswith("turns.")]
    seconds = {name.partition(".")[2]: n for name, n in sums.items() if name.startswith("turn_seconds.")}
    fast = sum(n for bound, n in seconds.items() if bound != "more" and float(bound) <= PROMISE_S)
    return Day(
        day,
        sum(turns) if turns else None,
        sums.get("turns.handoff"),
        100 * fast // sum(seconds.values()) if seconds else None,
    )


def _fields(document: bytes | None) -> dict[str, str]:
    found: dict[str, str] = {}
    _flatten("", json.loads(document) if document else {}, found)
    return found


def _flatten(path: str, value: Any, found: dict[str, str]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            if path or key != "updates":
                _flatten(f"{path}.{key}" if path else key, inner, found)
    elif path:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        found[path] = text[:VALUE_CHARACTERS_MAX]
