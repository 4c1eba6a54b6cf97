"""Grouping of questions: what is near stands together, whatever the order; every row is in one group."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.chat.clusters import cluster


def turned(*degrees: float) -> np.ndarray:
    """Unit vectors in a plane at these angles, float32."""
    radians = np.deg2rad(np.array(degrees, dtype=np.float32))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def groups(*degrees: float, similar: float = 0.9) -> list[tuple[int, ...]]:
    return [found.rows for found in cluster(turned(*degrees), similar)]


def test_near_rows_stand_together_and_the_largest_group_comes_first() -> None:
    assert groups(0, 90, 91, 5, 92) == [(1, 2, 4), (0, 3)]


def test_the_row_in_the_middle_stands_for_its_group() -> None:
    # 25.8 degrees apart is a cosine of .9: the outer two do not see each other, the middle one sees both.
    assert groups(0, 40, 20) == [(2, 0, 1)]


def test_alone_and_none() -> None:
    assert groups(0, 180) == [(0,), (1,)]
    assert cluster(np.empty((0, 2), np.float32)) == []


@given(st.lists(st.integers(0, 359), min_size=1, max_size=40), st.randoms())
def test_every_row_is_in_one_group_and_the_order_does_not_matter(degrees: list[int], random: object) -> None:
    found = groups(*degrees)
    assert sorted(row for group in found for row in group) == list(range(len(degrees)))
    for seed, *others in found:
        assert all(turned(degrees[seed])[0] @ turned(degrees[row])[0] >= 0.9 - 1e-4 for row in others)
    again = groups(*degrees)
    assert again == found
