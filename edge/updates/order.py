"""Which update is carried on next, and which must wait for another. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from edge.updates.rows import UpdateRow
from edge.updates.steps import Step

ONE_AT_A_TIME: Final = frozenset({"model"})
"""Kinds whose way back says what served before, whatever its name: it must still be there."""

_FIRST: Final = {Step.ROLL_BACK: 0, Step.KEEP: 1}
_POLICY, _REST = 2, 3


def next_of(rows: Sequence[UpdateRow], now_ms: int, returning: Collection[int]) -> UpdateRow | None:
    """What is due: a way back first, then what only is to be put away, then policies, then the oldest."""
    due = [row for row in waiting(rows, returning) if row.standing.due_ms <= now_ms]
    return min(due, key=lambda row: (urgency(row), row.id), default=None)


def waiting(rows: Sequence[UpdateRow], returning: Collection[int]) -> list[UpdateRow]:
    """Those that are carried on at their time. `returning`: what the watch is taking back itself."""
    return [
        row
        for row in rows
        if row.standing.step is not Step.WATCH and row.id not in returning and not _held(row, rows)
    ]


def makes_way(row: UpdateRow, rows: Sequence[UpdateRow], now_ms: int, returning: Collection[int]) -> bool:
    """Whether what `row` does now, which can go on later at no cost, should end for something more urgent."""
    first = next_of(rows, now_ms, returning)
    return row.standing.step is Step.FETCH and first is not None and urgency(first) < urgency(row)


def urgency(row: UpdateRow) -> int:
    """Less is more urgent: a policy narrows what leaves and is small, a model may take a night."""
    return _FIRST.get(row.standing.step, _POLICY if row.update.kind == "policy" else _REST)


def _held(row: UpdateRow, rows: Sequence[UpdateRow]) -> bool:
    """Whether it may not change the site yet, as another one of its kind is not over."""
    return (
        row.update.kind in ONE_AT_A_TIME
        and row.standing.step is Step.ACTIVATE
        and not row.activating
        and any(other.update.kind == row.update.kind and other.changes for other in rows if other is not row)
    )
