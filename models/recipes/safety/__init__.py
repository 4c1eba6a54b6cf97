"""The weights of the safety check's second stage, from phrases of each kind and ordinary questions. Arrays in and out.

One logistic regression over all kinds and "ordinary"; a kind's score is its logit less the ordinary one. Where it
begins to count is set by ordinary questions, each scored by a regression that has not seen it: a card that comes up at
those is soon ignored, so recall takes what is left. `tests.bench.safety --train` collects the examples of the model
that is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

Floats = npt.NDArray[np.float64]

ORDINARY = ""
"""The label of an ordinary question."""

# Inverse strength of the pull of the weights to nought.
INVERSE_L2 = 10.0
ITERATIONS_MAX = 3000
FOLDS = 5
SEED = 11
# Share of the ordinary questions that one kind may claim. Strangers ask what those do not: seven kinds together may
# claim no more than half of the .5 % that strangers' questions may (bench `safety`), so three in 10,000 each.
CLAIMED_MAX = 3e-4


def fit(
    vectors: npt.NDArray[np.float32], labels: Sequence[str], kinds: Sequence[str]
) -> tuple[Floats, Floats]:
    """Weights [dim, kinds] and bias [kinds] of scores that count above nought.

    `vectors` [n, dim] with `labels`, each one of `kinds` or ORDINARY.
    """
    table, names = np.asarray(vectors, np.float64), np.asarray(labels)
    model = LogisticRegression(C=INVERSE_L2, max_iter=ITERATIONS_MAX)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    left_out = cross_val_predict(model, table, names, cv=folds, method="decision_function")
    model.fit(table, names)
    order = list(model.classes_)
    columns, ordinary = [order.index(kind) for kind in kinds], order.index(ORDINARY)
    weights = (model.coef_[columns] - model.coef_[ordinary]).T
    bias = model.intercept_[columns] - model.intercept_[ordinary]
    scores = (left_out[:, columns] - left_out[:, [ordinary]])[names == ORDINARY]
    claimed = int(CLAIMED_MAX * len(scores))
    # Where "ordinary" is the likelier, nothing is claimed, whatever the ordinary questions say.
    thresholds = np.maximum(np.sort(scores, axis=0)[-1 - claimed], 0.0)
    return weights, bias - thresholds
