"""The weights of a `KindNetwork`, from phrases of each kind and ordinary questions. Arrays in and out.

A network with one hidden layer over all kinds and "ordinary"; a kind's score is its logit less the ordinary one. Where
it begins to count is set by ordinary questions that strangers asked, each scored by a network that has not seen its
source: what comes up at those is soon ignored, so recall takes what is left. `tests.bench.safety --train` and
`tests.bench.pii_special --train` collect the examples of the models that are shipped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from models.kind_network import WORD_ROWS, word_rows, word_share

Floats = npt.NDArray[np.float64]

ORDINARY = ""
"""The label of an ordinary question."""
PHRASES = ""
"""The source of a phrase that was written for this: it sets no threshold."""

# Chosen by leaving out one author of phrases after the other (ADR 12). Half the units find 2 in 100 fewer.
UNITS = 256
# Later the network learns its authors by heart; earlier it is no worse.
EPOCHS = 6
LEARNING_RATE = 2e-3
BATCH = 256
L2 = 1e-2
# Inputs of length one would leave the first steps too small; words are half as heavy as meanings.
EMBEDDING_SCALE, WORDS_SCALE = 8.0, 4.0
FOLDS = 5
SEED = 11


class Network(NamedTuple):
    """hidden [inputs, units], hidden_bias [units], weights [units, kinds], bias [kinds]; see `KindNetwork`."""

    hidden: Floats
    hidden_bias: Floats
    weights: Floats
    bias: Floats

    def scores(self, table: csr_matrix) -> Floats:
        """[n, kinds]; those above nought count."""
        scores: Floats = np.maximum(table @ self.hidden + self.hidden_bias, 0.0) @ self.weights + self.bias
        return scores


def fit(
    vectors: npt.NDArray[np.float32],
    said: csr_matrix,
    labels: Sequence[str],
    sources: Sequence[str],
    kinds: Mapping[str, float],
) -> Network:
    """A network on `vectors` [n, dim] beside `said` [n, word rows], with `labels`, each one of `kinds` or ORDINARY.

    `sources`: whence each comes; those that are not PHRASES set thresholds. `kinds`: each with the share of their
    ordinary questions that it may claim, asked of networks that have not seen the source.
    """
    table = csr_matrix(hstack([vectors, said]), dtype=np.float64)
    scale = np.repeat([EMBEDDING_SCALE, WORDS_SCALE], [vectors.shape[1], said.shape[1]])
    names, places = np.asarray(labels), np.asarray(sources)
    strangers = sorted(set(sources) - {PHRASES})
    left_out = [np.isin(places, strangers[fold::FOLDS]) for fold in range(min(FOLDS, len(strangers)))]
    order = list(kinds)
    scores = [
        _network(table[~left], names[~left], scale, order).scores(table[left & (names == ORDINARY)])
        for left in left_out
    ]
    claimed = np.sort(np.concatenate(scores), axis=0)[::-1]
    highest = (np.array(list(kinds.values())) * len(claimed)).astype(int)
    # Where "ordinary" is the likelier, nothing is claimed, whatever the ordinary questions say.
    thresholds = np.maximum(claimed[highest, np.arange(len(order))], 0.0)
    network = _network(table, names, scale, order)
    return network._replace(bias=network.bias - thresholds)


def said(texts: Iterable[Iterable[str]]) -> csr_matrix:
    """[n, WORD_ROWS] as a `KindNetwork` reads the words of each text."""
    rows = [word_rows(words) for words in texts]
    ends = np.cumsum([0, *map(len, rows)])
    shares = np.concatenate([np.full(len(row), word_share(row)) for row in rows])
    return csr_matrix((shares, np.concatenate(rows), ends), shape=(len(rows), WORD_ROWS))


def _network(table: csr_matrix, names: npt.NDArray[np.str_], scale: Floats, kinds: Sequence[str]) -> Network:
    model = MLPClassifier(
        (UNITS,),
        alpha=L2,
        batch_size=min(BATCH, len(names)),
        learning_rate_init=LEARNING_RATE,
        max_iter=EPOCHS,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose
        model.fit(table.multiply(scale).tocsr(), names)
    order = list(model.classes_)
    columns, ordinary = [order.index(kind) for kind in kinds], order.index(ORDINARY)
    (hidden, weights), (hidden_bias, bias) = model.coefs_, model.intercepts_
    return Network(
        hidden * scale[:, None],
        hidden_bias,
        weights[:, columns] - weights[:, [ordinary]],
        bias[columns] - bias[ordinary],
    )
