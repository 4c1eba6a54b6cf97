"""Moving weights: little for few examples, much for many, never against their sense, never to more wrong answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.chat.answers.features import QUESTION_FEATURES, QUESTION_SENSE
from edge.chat.answers.model import Linear
from edge.chat.learning.fitting import Judged, Ranking, refit_evidence, refit_ranking
from edge.knowledge import ranking
from edge.knowledge.features import FEATURES

WIDTH = len(QUESTION_FEATURES)
COSINE = QUESTION_FEATURES.index("cosine")
EVIDENCE_MIN = 0.25
CUT = float(np.log(EVIDENCE_MIN / (1 - EVIDENCE_MIN)))


def shipped(bias: float = -2.0) -> Linear:
    weights = np.array([0.3 * QUESTION_SENSE[name] for name in QUESTION_FEATURES], np.float32)
    return Linear(QUESTION_FEATURES, np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32), weights, bias)


def row(seed: int, **values: float) -> npt.NDArray[np.float32]:
    features = np.random.default_rng(seed).normal(0, 0.5, WIDTH).astype(np.float32)
    for name, value in values.items():
        features[QUESTION_FEATURES.index(name)] = value
    return features


def judged(count: int, right: bool, first: int = 0, **values: float) -> list[Judged]:
    return [Judged(row(seed, **values), right) for seed in range(first, first + count)]


def shown(model: Linear, examples: list[Judged], *, right: bool) -> int:
    some = [one.features for one in examples if one.right is right]
    return int((model.log_odds(np.stack(some)) >= CUT).sum()) if some else 0


def test_without_examples_nothing_moves() -> None:
    assert refit_evidence(shipped(), [], judged(5, True), EVIDENCE_MIN) is not None
    found = refit_evidence(shipped(), [], judged(5, True), EVIDENCE_MIN)
    assert (found.weights == shipped().weights).all()
    assert found.bias == shipped().bias


def test_few_examples_move_a_little_and_many_a_lot() -> None:
    """Three of four answers to such questions are right; the shipped weights say one of six."""

    def moved(count: int) -> float:
        right, wrong = (
            judged(count * 3 // 4, True, cosine=1.0),
            judged(count // 4, False, first=900, cosine=1.0),
        )
        found = refit_evidence(shipped(), right + wrong, [], EVIDENCE_MIN)
        return float(
            found.log_odds(row(0, cosine=1.0)[None])[0] - shipped().log_odds(row(0, cosine=1.0)[None])[0]
        )

    few, some, many = moved(4), moved(20), moved(500)
    assert 0 < few < some < many
    assert few < many / 3


def test_many_examples_are_followed_against_the_prior() -> None:
    examples = judged(500, True, cosine=2.0) + judged(500, False, first=500, cosine=-2.0)
    found = refit_evidence(shipped(), examples, [], EVIDENCE_MIN)
    odds = found.log_odds(np.stack([one.features for one in examples]))
    assert np.mean((odds > 0) == np.array([one.right for one in examples])) > 0.95


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=60), st.integers(1, 3))
def test_no_weight_turns_against_its_sense(said: list[tuple[int, bool]], scale: int) -> None:
    examples = [Judged(row(seed) * scale, right) for seed, right in said]
    found = refit_evidence(shipped(), examples, [], EVIDENCE_MIN)
    assert np.isfinite(found.weights).all()
    for name, weight in zip(QUESTION_FEATURES, found.weights.tolist(), strict=True):
        assert QUESTION_SENSE[name] * weight >= 0 or QUESTION_SENSE[name] == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 80), st.floats(0, 2))
def test_no_more_wrong_golden_answers_are_shown_than_before(seed: int, count: int, apart: float) -> None:
    golden = judged(40, True, first=seed, cosine=apart) + judged(40, False, first=seed + 40)
    examples = judged(count, True, first=seed + 80, cosine=apart / 2)
    found = refit_evidence(shipped(), examples, golden, EVIDENCE_MIN)
    assert shown(found, golden, right=False) <= shown(shipped(), golden, right=False)


def test_golden_questions_alone_never_make_it_bolder() -> None:
    golden = judged(40, True, cosine=2.0)
    bold = refit_evidence(shipped(), judged(20, False, first=90), golden, EVIDENCE_MIN)
    assert bold.bias < shipped().bias
    assert shown(bold, golden, right=True) <= shown(shipped(), golden, right=True)


@pytest.mark.parametrize("evidence_min", [0.0, 1.0])
def test_thresholds_at_the_ends_need_no_cut(evidence_min: float) -> None:
    found = refit_evidence(shipped(), judged(20, True), judged(5, False), evidence_min)
    assert np.isfinite(found.bias)


# --- ranking ---


def choice(seed: int, winner: str, candidates: int = 6) -> Ranking:
    """A question whose right candidate is told from the others by one feature."""
    features = np.random.default_rng(seed).uniform(0, 1, (candidates, len(FEATURES)))
    right = np.zeros(candidates, np.bool_)
    right[int(features[:, FEATURES.index(winner)].argmax())] = True
    return Ranking(features, right)


def firsts(model: ranking.RankingModel, examples: list[Ranking]) -> int:
    return sum(bool(one.right[int(model.score(one.features).argmax())]) for one in examples)


def test_the_ranking_learns_what_tells_the_right_candidate() -> None:
    taught, unseen = ([choice(seed, "anywhere") for seed in seeds] for seeds in (range(300), range(300, 400)))
    few, many = refit_ranking(ranking.shipped(), taught[:20]), refit_ranking(ranking.shipped(), taught)
    before = firsts(ranking.shipped(), unseen)
    assert before <= firsts(few, unseen) < firsts(many, unseen)
    place = FEATURES.index("anywhere")
    assert ranking.shipped().weights[place] < few.weights[place] < many.weights[place]


def test_what_does_not_tell_candidates_apart_teaches_nothing() -> None:
    features = np.random.default_rng(1).uniform(0, 1, (4, len(FEATURES)))
    same = [Ranking(features, np.full(4, value)) for value in (True, False)]
    assert refit_ranking(ranking.shipped(), same) is ranking.shipped()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(FEATURES)), min_size=1, max_size=40))
def test_a_ranking_is_kept_as_it_was_judged(said: list[tuple[int, str]]) -> None:
    found = refit_ranking(ranking.shipped(), [choice(seed, winner) for seed, winner in said])
    assert (found.weights >= 0).all()
    again = ranking.RankingModel.from_json(found.to_json())
    assert (again.weights == found.weights).all()
    assert again.repeat == found.repeat
