"""Signs of familiarity: what each of them sees, and that a row does not depend on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from edge.chat.intents.scope import SIGNS, Familiar
from tests.unit.edge.chat.intents import corpus

FOUND = corpus.examples()
NAMES = sorted({example.intent for example in FOUND})
LABELS = np.array([NAMES.index(example.intent) for example in FOUND])
TEXTS = [example.text for example in FOUND]
VECTORS = corpus.embeddings(FOUND)
FAMILIAR = Familiar.of(TEXTS, VECTORS, LABELS, len(NAMES))


def signs(texts: list[str], vectors: np.ndarray, intent: str = "parking") -> dict[str, float]:  # type: ignore[type-arg]
    """Of the first text, said to be of `intent`."""
    scores = np.zeros((len(texts), len(NAMES)), np.float32)
    scores[:, NAMES.index(intent)] = 2.0
    rows = FAMILIAR.signs(texts, vectors, vectors @ VECTORS.T, scores)
    return dict(zip(SIGNS, rows[0].tolist(), strict=True))


def test_an_example_is_as_familiar_as_can_be() -> None:
    row = FOUND.index(next(e for e in FOUND if e.intent == "parking"))
    found = signs([TEXTS[row]], VECTORS[row : row + 1])
    assert found["nearest of all"] == pytest.approx(1, abs=1e-5)
    assert found["nearest of its intent"] == pytest.approx(1, abs=1e-5)
    assert found["words of its intent"] == found["words of any intent"] == pytest.approx(1)
    assert found["margin"] == found["score"] == 2.0


def test_under_another_intent_it_is_less_familiar() -> None:
    row = FOUND.index(next(e for e in FOUND if e.text == "where can I park today"))
    own = signs([TEXTS[row]], VECTORS[row : row + 1])
    other = signs([TEXTS[row]], VECTORS[row : row + 1], "lost_card")
    assert other["nearest of all"] == own["nearest of all"]
    for name in ("nearest of its intent", "three nearest of its intent", "distance", "words of its intent"):
        assert other[name] < own[name], name


def test_words_never_said_weigh_most() -> None:
    vector = VECTORS[:1]
    some = signs(["where can I park"], vector)["words of any intent"]
    fewer = signs(["where can I park zeppelin"], vector)["words of any intent"]
    none = signs(["zeppelin"], vector)["words of any intent"]
    assert some == 1 > fewer > none == 0
    assert fewer < 4 / 5


def test_alone_or_among_others_and_none() -> None:
    scores = np.random.default_rng(1).normal(size=(9, len(NAMES))).astype(np.float32)
    together = FAMILIAR.signs(TEXTS[:9], VECTORS[:9], VECTORS[:9] @ VECTORS.T, scores)
    for row in range(9):
        part = slice(row, row + 1)
        alone = FAMILIAR.signs(TEXTS[part], VECTORS[part], VECTORS[part] @ VECTORS.T, scores[part])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-4)
    assert FAMILIAR.signs([], VECTORS[:0], VECTORS[:0] @ VECTORS.T, scores[:0]).shape == (0, len(SIGNS))


def test_no_words_and_an_intent_without_examples() -> None:
    sparse = Familiar.of(TEXTS, VECTORS, LABELS, len(NAMES) + 1)
    scores = np.zeros((1, len(NAMES) + 1), np.float32)
    scores[0, -1] = 1.0
    found = dict(
        zip(
            SIGNS, sparse.signs(["?!"], VECTORS[:1], VECTORS[:1] @ VECTORS.T, scores)[0].tolist(), strict=True
        )
    )
    assert found["nearest of its intent"] == -1
    assert found["words of any intent"] == 0
    assert all(np.isfinite(value) for value in found.values())
