"""The fit of the safety check's second stage: kinds apart, and ordinary questions left alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.recipes.safety import CLAIMED_MAX, ORDINARY, fit

KINDS = ("a", "b")
DIM = 6
PER_KIND = 60
ORDINARY_COUNT = 600
NEAR = 8000
SPREAD = 0.1


def cloud(chance: np.random.Generator, axis: int, count: int) -> npt.NDArray[np.float32]:
    """`count` points about the unit vector of `axis`."""
    return (np.eye(DIM)[axis] + SPREAD * chance.standard_normal((count, DIM))).astype(np.float32)


def test_kinds_are_found_and_ordinary_questions_left_alone() -> None:
    chance = np.random.default_rng(1)
    vectors = np.concatenate(
        [cloud(chance, 0, PER_KIND), cloud(chance, 1, PER_KIND), cloud(chance, 2, ORDINARY_COUNT)]
    )
    labels = ["a"] * PER_KIND + ["b"] * PER_KIND + [ORDINARY] * ORDINARY_COUNT
    weights, bias = fit(vectors, labels, KINDS)
    assert weights.shape == (DIM, len(KINDS))
    fresh = cloud(chance, 0, PER_KIND) @ weights + bias
    assert (fresh[:, 0] > 0).mean() > 0.9
    assert (fresh.argmax(axis=1) == 0).all()
    ordinary = cloud(chance, 2, NEAR) @ weights + bias
    assert (ordinary > 0).any(axis=1).mean() <= len(KINDS) * CLAIMED_MAX


def test_the_thresholds_hold_on_questions_that_look_like_danger() -> None:
    chance = np.random.default_rng(2)
    near = (0.8 * cloud(chance, 0, NEAR) + 0.2 * cloud(chance, 2, NEAR)).astype(np.float32)
    vectors = np.concatenate([cloud(chance, 0, PER_KIND), cloud(chance, 1, PER_KIND), near])
    labels = ["a"] * PER_KIND + ["b"] * PER_KIND + [ORDINARY] * NEAR
    weights, bias = fit(vectors, labels, KINDS)
    claimed = ((near @ weights + bias) > 0).sum(axis=0)
    assert (
        claimed <= 2 * CLAIMED_MAX * NEAR
    ).all()  # the weights are those of one more fit, not of the folds
