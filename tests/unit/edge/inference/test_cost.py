"""What a pass will take, and a share of the lanes' time: tables, no clock."""

from __future__ import annotations

import pytest

from edge.inference.cost import Allowance, Cost, Stretch


def fitted(*passes: tuple[float, float]) -> Cost:
    cost = Cost()
    for tokens, seconds in passes:
        cost.observe(tokens, seconds)
    return cost


def test_nothing_is_predicted_before_anything_was_seen() -> None:
    assert not Cost().known
    assert Cost().predict(100) == 0.0


@pytest.mark.parametrize(
    ("passes", "a", "b"),
    [
        ([(100, 0.03), (200, 0.05), (50, 0.02)], 0.0002, 0.01),
        ([(100, 0.02)] * 3, 0.0002, 0.0),  # all alike: nothing can be told of an offset
        ([(200, 0.01), (100, 0.05)], 0.0, 0.03),  # longer is never cheaper
        ([(100, 0.01), (200, 0.05)], 0.0002, 0.0),  # and a pass over nothing never earns time
    ],
)
def test_a_line_through_what_was_seen(passes: list[tuple[float, float]], a: float, b: float) -> None:
    found_a, found_b = fitted(*passes).line()
    assert found_a == pytest.approx(a, abs=5e-6)
    assert found_b == pytest.approx(b, abs=5e-4)


def test_offsets_count_for_each_pass() -> None:
    cost = fitted((100, 0.03), (200, 0.05))
    assert cost.predict(300, passes=3) - cost.predict(300) == pytest.approx(2 * cost.line()[1])


def test_a_machine_that_became_slower_is_noticed() -> None:
    cost = fitted(*[(tokens, tokens * 1e-4) for tokens in (50, 100, 200)] * 20)
    for _ in range(100):
        for tokens in (50, 100, 200):
            cost.observe(tokens, tokens * 3e-4)
    assert cost.predict(100) == pytest.approx(0.03, rel=0.02)


@pytest.mark.parametrize(
    ("seconds", "least_s", "most_s"),
    [
        (0.1, 0.1, 0.2),  # the first passes of a cold node
        (0.49, 0.7, 0.85),  # until less than half is not what a pass takes
        (0.51, 0.9, 1.0),  # as ever: about the last fifty
    ],
)
def test_what_took_far_longer_than_now_is_soon_forgotten(
    seconds: float, least_s: float, most_s: float
) -> None:
    cost = fitted(*[(100.0, 1.0)] * 50)
    for _ in range(5):
        cost.observe(100.0, seconds)
    assert least_s <= cost.predict(100.0) <= most_s


@pytest.mark.parametrize(
    ("spent_s", "after_s", "left"),
    [
        (0.0, 0.0, True),
        (0.19, 0.0, True),
        (0.2, 0.0, False),  # exactly what was saved
        (0.3, 0.1, False),  # 0.2 - 0.3 + 0.1 * 0.6 < 0
        (0.3, 0.2, True),
        (9.9, 0.3, False),  # a debt has an end: 0.2
        (9.9, 0.4, True),
    ],
)
def test_a_share_and_what_is_saved_of_it(spent_s: float, after_s: float, left: bool) -> None:
    allowance = Allowance(per_s=0.6, saved_s_max=0.2)
    assert allowance.left(100.0)
    allowance.spend(spent_s)
    assert allowance.left(100.0 + after_s) is left


def test_no_more_is_saved_than_the_limit() -> None:
    allowance = Allowance(per_s=0.6, saved_s_max=0.2)
    assert allowance.left(1e6)
    allowance.spend(0.21)
    assert not allowance.left(1e6)


def test_predictions_that_are_too_short_are_stretched_until_they_hold() -> None:
    stretch = Stretch()
    for _ in range(100):
        stretch.observe(stretch.of(0.1), 0.15)
    assert stretch.of(0.1) == pytest.approx(0.15, rel=0.01)
    for _ in range(100):
        stretch.observe(stretch.of(0.1), 0.05)
    assert stretch.of(0.1) == 0.1  # never below what is known to be ahead


def test_one_wait_out_of_all_proportion_hardly_counts() -> None:
    stretch = Stretch()
    stretch.observe(0.1, 3600.0)
    assert stretch.of(0.1) < 0.11
    stretch.observe(0.001, 3600.0)  # nor does one that was no wait
    assert stretch.of(0.1) < 0.11


def test_a_stretch_has_an_end() -> None:
    stretch = Stretch()
    for _ in range(1000):
        stretch.observe(0.1, 3600.0)
    assert stretch.of(0.1) == pytest.approx(0.8)
