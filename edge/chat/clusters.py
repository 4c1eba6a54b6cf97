"""Questions that mean nearly the same, together. Pure and the same whatever the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Cosine from which two questions count as one matter; chosen on the sample sites' paraphrases, not fitted.
SIMILAR = 0.7


@dataclass(frozen=True)
class Cluster:
    """Row numbers that belong together: the one that stands for them first, then the others in order."""

    rows: tuple[int, ...]


def cluster(vectors: npt.NDArray[np.float32], similar: float = SIMILAR) -> list[Cluster]:
    """Groups of rows of `vectors` [n, dim], unit length; the largest group first.

    The row with the most neighbours that are still free takes them all, until none is free; of equals the first.
    """
    count = len(vectors)
    near = vectors @ vectors.T >= similar
    np.fill_diagonal(near, True)
    free, neighbours = np.ones(count, dtype=bool), near.sum(axis=1)
    found: list[Cluster] = []
    while free.any():
        seed = int(np.argmax(np.where(free, neighbours, -1)))
        taken = np.flatnonzero(near[seed] & free)
        found.append(Cluster((seed, *(int(row) for row in taken if row != seed))))
        free[taken] = False
        neighbours = neighbours - near[:, taken].sum(axis=1)
    return found
