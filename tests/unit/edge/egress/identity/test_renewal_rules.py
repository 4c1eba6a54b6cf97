"""When a certificate is renewed, as a table."""

from __future__ import annotations

import pytest

from edge.egress.identity.renewal_rules import (
    RETRIES_PER_LIFE,
    RETRY_S,
    RETRY_S_MAX,
    RETRY_S_MIN,
    due_unix_s,
    pause_s,
)

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S


@pytest.mark.parametrize(
    ("chance", "due_days"),
    [(0.0, 182.5), (0.5, 200.75), (0.999_999, 219.0)],
)
def test_at_half_life_each_node_at_its_own_moment(chance: float, due_days: float) -> None:
    issued = 1_700_000_000.0
    assert due_unix_s(issued, issued + YEAR_S, chance) - issued == pytest.approx(due_days * DAY_S, abs=10)


@pytest.mark.parametrize(
    ("failures", "life_s", "longest_s"),
    [
        (1, YEAR_S, RETRY_S),
        (2, YEAR_S, 2 * RETRY_S),
        (6, YEAR_S, 32 * RETRY_S),
        (7, YEAR_S, RETRY_S_MAX),
        (1_000, YEAR_S, RETRY_S_MAX),
        (1, 20 * RETRY_S, RETRY_S),
        (1, 19 * RETRY_S, 19 * RETRY_S / RETRIES_PER_LIFE),
    ],
)
def test_pauses_double_up_to_a_limit(failures: int, life_s: float, longest_s: float) -> None:
    assert pause_s(failures, life_s, 1.0) == pytest.approx(longest_s)
    assert pause_s(failures, life_s, 0.0) == pytest.approx(longest_s / 2)


def test_a_certificate_without_a_life_is_no_reason_to_ask_in_a_loop() -> None:
    assert pause_s(1, 0.0, 0.0) == RETRY_S_MIN
