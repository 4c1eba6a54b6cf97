"""By what an update goes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.updates.watching import (
    EGRESS_FLOOR_BYTES_PER_S,
    EGRESS_SECONDS_MIN,
    EGRESS_TIMES,
    STARTS_MAX,
    TURNS_MIN,
    Baseline,
    Vitals,
    judge,
)

AT = Vitals(turns=1000, unanswered=100, egress_bytes=5000, probes=0.9, fallbacks=("keys:in_file",))
BEFORE = Baseline(AT, unanswered_share=0.1, egress_per_s=100.0)
ALLOWED = int((EGRESS_TIMES * 100 + EGRESS_FLOOR_BYTES_PER_S) * EGRESS_SECONDS_MIN)


@pytest.mark.parametrize(
    ("changes", "watched_s", "starts", "reason"),
    [
        ({}, 900, 0, ""),
        ({}, 900, STARTS_MAX, ""),
        ({}, 900, STARTS_MAX + 1, "restarts"),
        ({"fallbacks": ("keys:in_file", "encoder:setback")}, 1, 0, "fallback"),
        ({"fallbacks": ()}, 1, 0, ""),
        ({"probes": 0.8}, 1, 0, ""),
        ({"probes": 0.79}, 1, 0, "quality"),
        ({"probes": None}, 1, 0, ""),
        ({"turns": 1000 + TURNS_MIN, "unanswered": 100 + TURNS_MIN}, 1, 0, "quality"),
        ({"turns": 1000 + TURNS_MIN - 1, "unanswered": 100 + TURNS_MIN - 1}, 1, 0, ""),
        ({"turns": 1100, "unanswered": 135}, 1, 0, ""),
        ({"turns": 1100, "unanswered": 136}, 1, 0, "quality"),
        ({"egress_bytes": 5000 + ALLOWED}, EGRESS_SECONDS_MIN, 0, ""),
        ({"egress_bytes": 5000 + ALLOWED + 1}, EGRESS_SECONDS_MIN, 0, "egress"),
        ({"egress_bytes": 5000 + 10 * ALLOWED}, EGRESS_SECONDS_MIN - 1, 0, ""),
    ],
)
def test_judged(changes: dict[str, object], watched_s: float, starts: int, reason: str) -> None:
    assert judge(BEFORE, replace(AT, **changes), watched_s, starts) == reason


def test_a_site_without_turns_before_is_not_judged_by_their_share() -> None:
    now = replace(AT, turns=2000, unanswered=1100)
    assert judge(replace(BEFORE, unanswered_share=None), now, 1, 0) == ""
