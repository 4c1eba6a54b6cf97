"""The ranking's weights from examples: which candidates answer, of those that were found. Pure: arrays in, arrays out.

A conditional logit (McFadden 1974): the chance that a candidate is the right one is the softmax of the scores of its
question's candidates. No weight is negative: each feature says that a candidate is better, so none can learn from a
small set of examples to say the opposite. `tests.bench.ranking` collects the examples of the model that is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Strength of the pull of each weight to nought, in units of the mean log loss of a question.
L2 = 1e-4
ITERATIONS_MAX = 500
START = 0.1


@dataclass(frozen=True)
class Example:
    """One question: its candidates' features [candidates, features], which are right, and how much it counts."""

    features: Floats
    right: npt.NDArray[np.bool_]
    weight: float


def fit(examples: Sequence[Example], l2: float = L2) -> Floats:
    """One weight a feature. Examples without a right candidate teach nothing and are left out."""
    from scipy.optimize import minimize

    problem = _Problem([example for example in examples if example.right.any()])
    start = np.full(problem.features.shape[1], START)
    result = minimize(
        lambda weights: problem.loss(weights, l2),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(start),
        options={"maxiter": ITERATIONS_MAX},
    )
    return np.asarray(result.x, np.float64)


class _Problem:
    """All candidates of all questions in a row."""

    def __init__(self, examples: Sequence[Example]) -> None:
        sizes = np.array([len(example.features) for example in examples], np.intp)
        self.features = np.concatenate([example.features for example in examples])
        self._starts = np.cumsum(sizes) - sizes
        self._owner = np.repeat(np.arange(len(sizes)), sizes)
        self._right = np.concatenate([example.right for example in examples])
        counts = np.array([example.weight for example in examples])
        self._counts = counts / counts.sum()

    def loss(self, weights: Floats, l2: float) -> tuple[float, Floats]:
        """Mean negative log chance of a right candidate, and its gradient."""
        scores = self.features @ weights
        exps = np.exp(scores - np.maximum.reduceat(scores, self._starts)[self._owner])
        every = np.add.reduceat(exps, self._starts)
        right = np.add.reduceat(exps * self._right, self._starts)
        pull = (exps / every[self._owner] - exps * self._right / right[self._owner]) * self._counts[
            self._owner
        ]
        loss = float(self._counts @ (np.log(every) - np.log(right)) + l2 * weights @ weights)
        return loss, self.features.T @ pull + 2 * l2 * weights
