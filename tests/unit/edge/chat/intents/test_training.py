"""Training: what held-back models say is what models trained without those examples say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from edge.chat.intents import kernel, ngrams, training
from edge.chat.intents.training import _inverse, _solve
from tests.unit.edge.chat.intents import corpus

FOUND = corpus.examples()
TEXTS = [example.text for example in FOUND]
LABELS = np.unique([example.intent for example in FOUND], return_inverse=True)[1].astype(np.int64)
VECTORS = corpus.embeddings(FOUND)
COUNTED = ngrams.count(TEXTS)
GRAMS = ngrams.weigh(COUNTED, ngrams.rarity(COUNTED))
WORDING = csr_matrix((GRAMS.weights, GRAMS.buckets, GRAMS.starts), shape=(len(FOUND), ngrams.BUCKETS))


def test_held_back_scores_are_those_of_a_model_that_never_saw_them() -> None:
    unseen, seen = np.arange(0, 160, 5), np.setdiff1d(np.arange(160), np.arange(0, 160, 5))
    whole = _solve(TEXTS, VECTORS, LABELS, WORDING)
    without = _solve([TEXTS[row] for row in seen], VECTORS[seen], LABELS[seen], WORDING[seen])
    likeness = kernel.meaning(VECTORS[unseen] @ VECTORS[seen].T)
    likeness += kernel.WORDING * (WORDING[unseen] @ WORDING[seen].T).toarray()
    np.testing.assert_allclose(whole.scores_unseen(unseen), likeness @ without.weights, atol=1e-3)
    assert np.abs(whole.scores_unseen(unseen) - whole.targets[unseen]).max() > 0.1


@pytest.mark.parametrize("block", [1, 7, 40, 64])
def test_a_matrix_is_inverted_in_blocks_of_any_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BLOCK_ROWS", block)
    factor = np.random.default_rng(1).normal(size=(40, 40)).astype(np.float32)
    matrix = factor @ factor.T + 40 * np.eye(40, dtype=np.float32)
    inverse = _inverse(matrix.copy())
    np.testing.assert_allclose(inverse @ matrix, np.eye(40), atol=1e-4)
    np.testing.assert_array_equal(inverse, inverse.T)
