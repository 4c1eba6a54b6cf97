"""The fit of a ranking's weights: it learns what tells right candidates from wrong ones, and nothing else."""

from __future__ import annotations

import numpy as np

from models.recipes.ranking import Example, fit

QUESTIONS, CANDIDATES = 200, 10


def examples(weight: float = 1.0) -> list[Example]:
    """The first feature is high where a candidate is right, the third where it is wrong; the second is chance."""
    chance = np.random.default_rng(7)
    made = []
    for _ in range(QUESTIONS):
        right = np.arange(CANDIDATES) == chance.integers(CANDIDATES)
        noise = chance.random((CANDIDATES, 3)) * 0.8
        made.append(
            Example(noise + np.outer(right, [0.5, 0, 0]) + np.outer(~right, [0, 0, 0.5]), right, weight)
        )
    return made


def test_the_telling_feature_gets_the_weight() -> None:
    weights = fit(examples())
    assert weights[0] > 5 * weights[1]
    assert weights[2] == 0.0


def test_questions_count_by_their_share_only() -> None:
    assert np.allclose(fit(examples(1.0)), fit(examples(0.01)), atol=1e-3)


def test_a_question_without_an_answer_teaches_nothing() -> None:
    extra = Example(np.ones((3, 3)), np.zeros(3, bool), 1.0)
    assert np.allclose(fit([*examples(), extra]), fit(examples()))
