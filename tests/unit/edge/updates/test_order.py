"""Which update is carried on next."""

from __future__ import annotations

import pytest

from edge.updates.order import makes_way, next_of, waiting
from edge.updates.rows import Noted, UpdateRow
from edge.updates.steps import Standing, Step
from edge.updates.wanted import Update

NOW_MS = 1_000


def row(number: int, step: Step, kind: str = "model", due_ms: int = 0, baseline: str = "") -> UpdateRow:
    """Of an update of its own name."""
    name = f"org-{number}"
    update = Update(kind=kind, name=name, version="1", target=f"{kind}/{name}/1", rollout="r", watch_s=1)
    return UpdateRow(number, update, Standing(step, due_ms=due_ms), Noted(baseline=baseline), 0)


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ([], None),
        ([row(1, Step.FETCH), row(2, Step.STAGE)], 1),
        ([row(1, Step.FETCH), row(2, Step.ROLL_BACK)], 2),
        ([row(1, Step.KEEP), row(2, Step.ROLL_BACK)], 2),
        ([row(1, Step.FETCH), row(2, Step.KEEP)], 2),
        ([row(1, Step.FETCH), row(2, Step.FETCH, "policy")], 2),
        ([row(1, Step.FETCH, "policy"), row(2, Step.KEEP)], 2),
        ([row(1, Step.FETCH), row(2, Step.ROLL_BACK, due_ms=NOW_MS + 1)], 1),
        ([row(1, Step.FETCH), row(2, Step.ROLL_BACK, due_ms=NOW_MS)], 2),
        ([row(1, Step.FETCH, due_ms=NOW_MS + 1)], None),
        ([row(1, Step.WATCH)], None),
        # One model at a time changes the site.
        ([row(1, Step.WATCH), row(2, Step.ACTIVATE)], None),
        ([row(1, Step.WATCH, "policy"), row(2, Step.ACTIVATE)], 2),
        ([row(1, Step.WATCH, "knowledge"), row(2, Step.ACTIVATE, "knowledge")], 2),
        ([row(1, Step.WATCH), row(2, Step.GATE)], 2),
        ([row(1, Step.ACTIVATE), row(2, Step.ACTIVATE)], 1),
        ([row(1, Step.ACTIVATE), row(2, Step.ACTIVATE, baseline="{}")], 2),
    ],
)
def test_first(rows: list[UpdateRow], first: int | None) -> None:
    found = next_of(rows, NOW_MS, set())
    assert (found.id if found else None) == first


def test_what_the_watch_takes_back_is_left_to_it() -> None:
    rows = [row(1, Step.ROLL_BACK), row(2, Step.FETCH)]
    assert [one.id for one in waiting(rows, {1})] == [2]


@pytest.mark.parametrize(
    ("step", "other", "makes"),
    [
        (Step.FETCH, row(2, Step.ROLL_BACK), True),
        (Step.FETCH, row(2, Step.KEEP), True),
        (Step.FETCH, row(2, Step.FETCH, "policy"), True),
        (Step.FETCH, row(2, Step.GATE), False),
        (Step.GATE, row(2, Step.ROLL_BACK), False),
    ],
)
def test_a_fetch_makes_way(step: Step, other: UpdateRow, makes: bool) -> None:
    now = row(1, step)
    assert makes_way(now, [now, other], NOW_MS, set()) is makes
