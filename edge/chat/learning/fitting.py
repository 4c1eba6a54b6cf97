"""Moving shipped weights towards a site's examples: the likeliest weights under a normal prior around them. Pure.

The prior is worth a fixed amount of evidence: a few examples move a weight a little, hundreds move it where they
want it (Bishop 2006, 4.5). The weights never go further than what the examples pay for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.chat.answers.features import QUESTION_SENSE
from edge.chat.answers.model import Linear
from edge.knowledge.features import FEATURES
from edge.knowledge.ranking import RankingModel

Floats = npt.NDArray[np.float64]

# How far a site's weights are likely to be from the shipped ones: standard deviations of the prior. For the evidence in
# units of standardised features; its bias, which is where the threshold lies, may be further off than any weight.
EVIDENCE_DEVIATION = 0.2
BIAS_DEVIATION = 0.5
# For the ranking as a share of the weight, as its weights differ in size tenfold; a small one counts as one of 1.
RANKING_DEVIATION_SHARE = 0.15
RANKING_WEIGHT_MIN = 1.0
# Newton's method on a dozen weights; it ends when no weight moves by as much as a rounding in the stored model.
STEPS_MAX = 50
STEP_MIN = 1e-6
# Halvings of a step that would make things worse.
HALVINGS_MAX = 20
# Where no answer is above the wrong one that must not be shown: as far above it as tells in a printed probability.
CUT_ABOVE = 0.01
# Standardised features beyond this are slips of a strange example; they would outweigh all others.
FEATURE_MAX = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A question as the evidence sees it: its features [QUESTION_FEATURES], whether what was chosen answers it."""

    features: npt.NDArray[np.float32]
    right: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """A question as the ranking sees it: its candidates [candidates, FEATURES], and which of them are right."""

    features: Floats
    right: npt.NDArray[np.bool_]
    weight: float = 1.0


def refit_evidence(
    around: Linear, examples: Sequence[Judged], golden: Sequence[Judged], evidence_min: float
) -> Linear:
    """The evidence model after the examples; without any, as it was. No weight turns against its feature's sense.

    Examples are mostly failures and say little of how often the desk is right; golden questions do. So examples move
    the weights and the bias, and where that lets more wrong answers than before reach `evidence_min` among the golden
    questions, the bias is taken back until it does not.
    """
    if not examples:
        return around
    fitted = _fitted_evidence(around, examples)
    if not 0 < evidence_min < 1:
        return fitted
    wanted = float(np.log(evidence_min) - np.log1p(-evidence_min))
    move = min(0.0, wanted - _cut(around, fitted, golden, wanted))
    return replace(fitted, bias=float(np.float32(fitted.bias + move)))


def _fitted_evidence(around: Linear, examples: Sequence[Judged]) -> Linear:
    table = np.stack([one.features for one in examples]).astype(np.float64)
    table = np.clip((table - around.mean) / around.scale, -FEATURE_MAX, FEATURE_MAX)
    rows = np.column_stack([table, np.ones(len(table))])
    right = np.array([one.right for one in examples], np.float64)
    counts = np.array([one.weight for one in examples])
    start = np.append(around.weights.astype(np.float64), around.bias)
    deviation = np.append(np.full(len(around.weights), EVIDENCE_DEVIATION), BIAS_DEVIATION)

    def bent(weights: Floats) -> _Bent:
        odds = rows @ weights
        chance = 1 / (1 + np.exp(-odds))
        loss = float(counts @ (np.logaddexp(0.0, odds) - right * odds))
        curvature = (rows.T * (counts * chance * (1 - chance))) @ rows
        return _Bent(loss, rows.T @ (counts * (chance - right)), curvature)

    sense = np.array([QUESTION_SENSE[name] for name in around.names] + [0])
    bounds = np.where(sense > 0, 0.0, -np.inf), np.where(sense < 0, 0.0, np.inf)
    found = _descend(bent, start, deviation, bounds)
    return replace(around, weights=found[:-1].astype(np.float32), bias=float(np.float32(found[-1])))


def _cut(around: Linear, fitted: Linear, golden: Sequence[Judged], wanted: float) -> float:
    """The log-odds of `fitted` that as many wrong answers reach as reach `wanted` with `around`.

    `wanted` itself where that is so there; else half way between the next wrong answer and the nearest one above it.
    """
    wrong = [one.features for one in golden if not one.right]
    if not wrong:
        return wanted
    shown = int((around.log_odds(np.stack(wrong)) >= wanted).sum())
    below = np.append(np.sort(fitted.log_odds(np.stack(wrong)))[::-1], -np.inf)
    everything = fitted.log_odds(np.stack([one.features for one in golden]))
    above = everything[everything > below[shown]].min(initial=np.inf)
    if below[shown] < wanted <= above:
        return wanted
    return float((below[shown] + above) / 2 if np.isfinite(above) else below[shown] + CUT_ABOVE)


def refit_ranking(around: RankingModel, examples: Sequence[Ranking]) -> RankingModel:
    """The ranking after the examples; those without a right candidate, or with nothing else, teach nothing.

    No weight becomes negative, as in `models.recipes.ranking`. `repeat` keeps its share of the cosine's weight.
    """
    usable = [one for one in examples if one.right.any() and not one.right.all()]
    if not usable:
        return around
    deviation = RANKING_DEVIATION_SHARE * np.maximum(around.weights, RANKING_WEIGHT_MIN)

    def bent(weights: Floats) -> _Bent:
        parts = [_choice(one, weights) for one in usable]
        return _Bent(
            sum(part.loss for part in parts),
            np.sum([part.gradient for part in parts], axis=0),
            np.sum([part.curvature for part in parts], axis=0),
        )

    bounds = np.zeros(len(FEATURES)), np.full(len(FEATURES), np.inf)
    weights = _descend(bent, around.weights, deviation, bounds)
    place = FEATURES.index("cosine")
    repeat = around.repeat * float(weights[place] / around.weights[place]) if around.weights[place] else 0.0
    return RankingModel.from_json(RankingModel(weights, repeat).to_json())


@dataclass(frozen=True, slots=True, eq=False)
class _Bent:
    """A loss with its slope, and a curvature that is nowhere negative."""

    loss: float
    gradient: Floats
    curvature: Floats


_Loss = Callable[[Floats], _Bent]


def _choice(example: Ranking, weights: Floats) -> _Bent:
    """Conditional logit (McFadden 1974) of one question: minus the log chance that a right candidate is first.

    The curvature leaves out the part of the right ones among themselves, which would make it negative.
    """
    scores = example.features @ weights
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    within = chances * example.right
    mass = max(float(within.sum()), float(np.finfo(np.float64).tiny))
    mean = chances @ example.features
    spread = (example.features.T * chances) @ example.features - np.outer(mean, mean)
    slope = mean - (within / mass) @ example.features
    return _Bent(-float(np.log(mass)) * example.weight, slope * example.weight, spread * example.weight)


def _descend(bent: _Loss, start: Floats, deviation: Floats, bounds: tuple[Floats, Floats]) -> Floats:
    """The weights within `bounds` with the least loss and squared distance from `start`, in deviations.

    Newton's method, halved and cut to the bounds (Bertsekas 1982): what a bound holds back is left out of the step.
    """
    precision = 1 / deviation**2

    def total(weights: Floats) -> float:
        return bent(weights).loss + 0.5 * float(precision @ (weights - start) ** 2)

    weights = np.clip(start, *bounds)
    loss = total(weights)
    for _ in range(STEPS_MAX):
        found = bent(weights)
        slope = found.gradient + precision * (weights - start)
        held = ((weights <= bounds[0]) & (slope > 0)) | ((weights >= bounds[1]) & (slope < 0))
        free = np.flatnonzero(~held)
        step = np.zeros_like(weights)
        step[free] = np.linalg.solve((found.curvature + np.diag(precision))[np.ix_(free, free)], slope[free])
        shares = (np.clip(weights - step / 2**halvings, *bounds) for halvings in range(HALVINGS_MAX))
        tried = next((one for one in shares if total(one) < loss), weights)
        moved = float(np.abs(tried - weights).max())
        weights, loss = tried, total(tried)
        if moved < STEP_MIN:
            break
    return weights
