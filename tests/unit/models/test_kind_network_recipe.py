"""The fit of a network of kinds: kinds apart, and strangers' ordinary questions left alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack, vstack

from models.recipes.kind_network import ORDINARY, PHRASES, fit

CLAIMED_MAX = 2e-3
KINDS = {"a": CLAIMED_MAX, "b": CLAIMED_MAX}
DIM = 6
WORDS = 4
PER_KIND = 300
PER_SOURCE = 400
SOURCES = 4
SPREAD = 0.1


def cloud(chance: np.random.Generator, axis: int, count: int) -> npt.NDArray[np.float32]:
    """`count` points about the unit vector of `axis`."""
    return (np.eye(DIM)[axis] + SPREAD * chance.standard_normal((count, DIM))).astype(np.float32)


def said(row: int, count: int) -> csr_matrix:
    """`count` questions of one word."""
    return csr_matrix(np.tile(np.eye(WORDS)[row], (count, 1)))


def test_kinds_are_found_by_meaning_or_word_and_ordinary_questions_left_alone() -> None:
    chance = np.random.default_rng(1)
    ordinary = PER_SOURCE * SOURCES
    vectors = np.concatenate(
        [cloud(chance, 0, PER_KIND), cloud(chance, 2, PER_KIND), cloud(chance, 2, ordinary)]
    )
    words = csr_matrix(vstack([said(0, PER_KIND), said(1, PER_KIND), said(0, ordinary)]))
    labels = ["a"] * PER_KIND + ["b"] * PER_KIND + [ORDINARY] * ordinary
    sources = [PHRASES] * 2 * PER_KIND + [f"site-{index % SOURCES}" for index in range(ordinary)]
    network = fit(vectors, words, labels, sources, KINDS)

    def scores(axis: int, row: int) -> npt.NDArray[np.float64]:
        fresh = cloud(chance, axis, PER_KIND)
        return network.scores(csr_matrix(hstack([fresh, said(row, PER_KIND)])))

    assert ((meaning := scores(0, 0))[:, 0] > 0).mean() > 0.9
    assert (meaning.argmax(axis=1) == 0).all()
    assert (scores(2, 1)[:, 1] > 0).mean() > 0.9  # meant like an ordinary question, said otherwise
    assert (scores(2, 0) > 0).any(axis=1).mean() <= len(KINDS) * CLAIMED_MAX


def test_a_source_that_was_not_seen_sets_the_thresholds() -> None:
    chance = np.random.default_rng(2)
    odd = cloud(chance, 0, PER_SOURCE) + cloud(chance, 3, PER_SOURCE)  # looks like danger to who never saw it
    plain = cloud(chance, 2, PER_SOURCE)
    labels = ["a"] * PER_KIND + ["b"] * PER_KIND + [ORDINARY] * 2 * PER_SOURCE
    vectors = np.concatenate([cloud(chance, 0, PER_KIND), cloud(chance, 1, PER_KIND), odd, plain])
    words = said(0, len(vectors))

    def threshold(odd_source: str) -> float:
        sources = [PHRASES] * 2 * PER_KIND + [odd_source] * PER_SOURCE + ["plain"] * PER_SOURCE
        return -float(fit(vectors, words, labels, sources, KINDS).bias[0])

    assert threshold("odd") > threshold(PHRASES)
