"""Counts as rows with a bar, which the figures page draws. Pure; widths are whole percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.store.counters import OVER_ALL_BOUNDS, SECONDS_BOUNDS

ROUTES: Mapping[str, str] = {
    "answer": "Answered with a quote",
    "generate": "Answered by the language model",
    "overflow": "Answered with help from outside",
    "clarify": "Asked back",
    "handoff": "No answer, a person offered",
    "refuse": "Refused",
    "safety": "Safety card",
}
GENERATED: Mapping[str, str] = {
    "grounded": "Shown",
    "values": "Quotes instead: a number, time or day",
    "names": "Quotes instead: a name or address",
    "denial": "Quotes instead: a “not”, or an opposite",
    "condition": "Quotes instead: an “if” or “only” left out",
    "words": "Quotes instead: not what the passages speak of",
    "meaning": "Quotes instead: too far from the passages",
    "declined": "Quotes instead: it said that it does not know",
    "empty": "Quotes instead: it wrote nothing",
    "busy": "Quotes instead: it was busy",
    "late": "Quotes instead: it began too late",
    "too_long": "Quotes instead: too long for it",
    "steering": "Quotes instead: the passages try to steer it",
    "refused": "Quotes instead: the privacy policy keeps the question here",
    "failed": "Quotes instead: it failed",
}
# What is promised to a customer.
PROMISE_S = 1.0


@dataclass(frozen=True)
class Bar:
    """One row: what it counts, how many (today, or over the whole span), and its bar."""

    label: str
    today: int
    total: int
    percent: int
    """Of the largest row, 0 to 100."""


def bars(labels: Mapping[str, str], today: Mapping[str, int], total: Mapping[str, int]) -> tuple[Bar, ...]:
    """A row for each label in its order; labels without a count stay, so that a page keeps its shape."""
    largest = max((total.get(key, 0) for key in labels), default=0)
    return tuple(
        Bar(label, today.get(key, 0), total.get(key, 0), _percent(total.get(key, 0), largest))
        for key, label in labels.items()
    )


def latency(counts: Mapping[str, int]) -> tuple[Bar, ...]:
    """The histogram of `turn_seconds`, fastest first."""
    labels = {f"{bound:g}": f"up to {_duration(bound)}" for bound in SECONDS_BOUNDS}
    labels[OVER_ALL_BOUNDS] = f"over {_duration(SECONDS_BOUNDS[-1])}"
    return bars(labels, {}, counts)


def within_promise(counts: Mapping[str, int]) -> int | None:
    """Percent of answers within a second, rounded down; None without any."""
    total = sum(counts.values())
    fast = sum(counts.get(f"{bound:g}", 0) for bound in SECONDS_BOUNDS if bound <= PROMISE_S)
    return 100 * fast // total if total else None


def most(counts: Mapping[str, int], rows_max: int) -> tuple[Bar, ...]:
    """The most frequent, most first, equal ones by name."""
    ranked: Sequence[str] = sorted(counts, key=lambda key: (-counts[key], key))[:rows_max]
    return bars({key: key for key in ranked}, {}, counts)


def _percent(value: int, largest: int) -> int:
    return -(-100 * value // largest) if largest else 0


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"
