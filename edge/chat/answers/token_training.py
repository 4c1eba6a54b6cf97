"""Learning which sentence answers: weights of features, and which tokens of the question matter. Offline; numpy only.

Gradient descent (Adam, Kingma and Ba 2015) on two losses at once: is this sentence the answer (each alone), and which
sentence of all, or none (softmax with a score of its own for "none"). After each step a weight that works against its
feature's sense is set to nothing: such weights fit the training sites and mislead on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.chat.answers.features import PLAIN_GAIN, SENTENCE_FEATURES, SENTENCE_SENSE, STATE_GAIN, TokenWeights
from edge.chat.answers.model import Linear

Floats = npt.NDArray[np.float32]
Parameters = dict[str, Floats]

_MET, _MISSED = (SENTENCE_FEATURES.index(name) for name in ("tokens_met", "tokens_missed"))
# What `met` is counted from, so that its gain does not shift every score.
MET_MIDDLE = 0.5
# Longer questions are learned from their end, further candidates not at all: both are rare.
TOKENS_MAX = 28
CANDIDATES_MAX = 40
STEPS = 1_200
BATCH = 256
RATE = 0.02
RATE_DECAY = 0.1
# Pull of the tokens' directions to nothing, chosen by leaving out one site at a time.
PULL = 3e-3
LINEAR_PULL = 1e-3
# How the two losses weigh: most sentences of most passages are plainly no answer.
ALONE_WEIGHT = 10.0
MET_GAIN = 8.0
MISSED_GAIN = 4.0
_SEED = 11
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class TokenExample:
    """One question: `states` [tokens, dim], `plain` [tokens], `near` [sentences, tokens], features, labels.

    Where passages are skimmed there are no tokens: what is learned of them stays unused.
    """

    states: Floats
    plain: Floats
    near: Floats
    table: Floats
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    states: Floats
    present: Floats
    plain: Floats
    near: Floats
    table: Floats
    right: Floats
    real: Floats


def learn(examples: Sequence[TokenExample]) -> tuple[TokenWeights, Linear]:
    """The weights of tokens and of features that tell answers from other sentences best."""
    tables = np.concatenate([example.table for example in examples])
    mean, scale = tables.mean(axis=0), np.maximum(tables.std(axis=0), 1e-6)
    packed = _pack(examples, mean, scale)
    # These two columns are what is being learned: the model makes them itself.
    packed.table[:, :, [_MET, _MISSED]] = 0.0
    parameters = _start(tables.shape[1], examples[0].states.shape[1])
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in parameters.items()}
    chance = np.random.default_rng(_SEED)
    sense = np.array([SENTENCE_SENSE[name] for name in SENTENCE_FEATURES])
    for step in range(STEPS):
        rows = chance.choice(len(examples), min(BATCH, len(examples)), replace=False)
        batch = _Batch(*(getattr(packed, name)[rows] for name in _Batch.__slots__))
        gradients = _gradients(parameters, batch)
        rate = RATE * (RATE_DECAY + (1 - RATE_DECAY) * 0.5 * (1 + np.cos(np.pi * step / STEPS)))
        _descend(parameters, gradients, moments, step + 1, rate)
        parameters["linear"][parameters["linear"] * sense < 0] = 0.0
    return _results(parameters, mean, scale)


def _results(p: Parameters, mean: Floats, scale: Floats) -> tuple[TokenWeights, Linear]:
    """As the node computes it: the two learned columns are features like the others, unscaled."""
    weights, mean, scale = p["linear"].copy(), mean.copy(), scale.copy()
    weights[_MET], mean[_MET], scale[_MET] = MET_GAIN * p["met"], MET_MIDDLE, 1.0
    weights[_MISSED], mean[_MISSED], scale[_MISSED] = -MISSED_GAIN * np.logaddexp(0, p["missed"]), 0.0, 1.0
    tokens = TokenWeights(p["share"], p["need"], float(p["need_bias"]), float(p["met_from"]))
    # Against "none": log-odds above nothing mean that it is rather this sentence than none.
    bias = float(p["bias"] - p["none"])
    return tokens, Linear(SENTENCE_FEATURES, mean, scale, weights.astype(np.float32), bias)


def _start(features: int, state_dim: int) -> Parameters:
    values: Mapping[str, object] = {
        "share": np.zeros(state_dim),
        "need": np.zeros(state_dim),
        "need_bias": -1.0,
        "met_from": 0.6,
        "linear": np.zeros(features),
        "bias": -3.0,
        "met": 1.0,
        "missed": 0.5,
        "none": 1.0,
    }
    return {name: np.array(value, np.float32) for name, value in values.items()}


def _pack(examples: Sequence[TokenExample], mean: Floats, scale: Floats) -> _Batch:
    count, features = len(examples), len(mean)
    packed = _Batch(
        np.zeros((count, TOKENS_MAX, examples[0].states.shape[1]), np.float32),
        np.zeros((count, TOKENS_MAX), np.float32),
        np.zeros((count, TOKENS_MAX), np.float32),
        np.zeros((count, CANDIDATES_MAX, TOKENS_MAX), np.float32),
        np.zeros((count, CANDIDATES_MAX, features), np.float32),
        np.zeros((count, CANDIDATES_MAX), np.float32),
        np.zeros((count, CANDIDATES_MAX), np.float32),
    )
    for row, example in enumerate(examples):
        tokens = min(len(example.states), TOKENS_MAX)
        sentences = min(len(example.table), CANDIDATES_MAX)
        packed.states[row, :tokens] = example.states[-tokens:]
        packed.present[row, :tokens] = 1
        packed.plain[row, :tokens] = example.plain[-tokens:]
        packed.near[row, :sentences, :tokens] = example.near[:sentences, -tokens:]
        packed.table[row, :sentences] = (example.table[:sentences] - mean) / scale
        packed.right[row, :sentences] = example.right[:sentences]
        packed.real[row, :sentences] = 1
    return packed


def _gradients(p: Parameters, batch: _Batch) -> Parameters:
    """Of the loss, by hand: the model is two attention-like sums and a linear part."""
    # The same sums as TokenWeights makes, for many questions at once.
    raised = STATE_GAIN * batch.states @ p["share"] + PLAIN_GAIN * batch.plain
    shares = np.exp(raised) * batch.present
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    needs_raised = STATE_GAIN * batch.states @ p["need"] + PLAIN_GAIN * (batch.plain - 0.5) + p["need_bias"]
    needs = np.logaddexp(0, needs_raised) * batch.present
    short = np.maximum(p["met_from"] - batch.near, 0)
    met = np.einsum("nt,nct->nc", shares, batch.near)
    missed = np.einsum("nt,nct->nc", needs, short)
    cost = np.logaddexp(0, p["missed"])
    scores = (
        batch.table @ p["linear"]
        + p["bias"]
        + MET_GAIN * p["met"] * (met - MET_MIDDLE)
        - MISSED_GAIN * cost * missed
    )
    pushes, none = _pushes(scores, p["none"], batch)

    on_shares = MET_GAIN * p["met"] * np.einsum("nc,nct->nt", pushes, batch.near)
    on_raised = shares * (on_shares - (shares * on_shares).sum(axis=1, keepdims=True))
    on_needs = -MISSED_GAIN * cost * np.einsum("nc,nct->nt", pushes, short)
    on_needs_raised = on_needs * batch.present * _sigmoid(needs_raised)
    below = np.einsum("nc,nct,nt->", pushes, (short > 0).astype(np.float32), needs)
    return {
        "share": STATE_GAIN * np.einsum("nt,ntd->d", on_raised, batch.states) + 2 * PULL * p["share"],
        "need": STATE_GAIN * np.einsum("nt,ntd->d", on_needs_raised, batch.states) + 2 * PULL * p["need"],
        "need_bias": on_needs_raised.sum(),
        "met_from": -MISSED_GAIN * cost * below,
        "linear": np.einsum("nc,ncf->f", pushes, batch.table) + 2 * LINEAR_PULL * p["linear"],
        "bias": pushes.sum(),
        "met": MET_GAIN * (pushes * (met - MET_MIDDLE)).sum(),
        "missed": -MISSED_GAIN * (pushes * missed).sum() * _sigmoid(p["missed"]),
        "none": none,
    }


def _pushes(scores: Floats, none: Floats, batch: _Batch) -> tuple[Floats, Floats]:
    """The loss's gradient by score [questions, sentences], and by the score of "none"."""
    alone = ALONE_WEIGHT * (_sigmoid(scores) - batch.right) * batch.real / batch.real.sum()
    allowed = np.where(batch.real > 0, scores, -np.inf)
    everything = np.concatenate([np.full((len(scores), 1), none, np.float32), allowed], axis=1)
    chances = np.exp(everything - everything.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    wanted = np.concatenate([(batch.right.sum(axis=1) == 0)[:, None].astype(np.float32), batch.right], axis=1)
    wanted = wanted * chances
    wanted /= np.maximum(wanted.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    together = (chances - wanted) / len(scores)
    return (alone + together[:, 1:]).astype(np.float32), together[:, 0].sum()


def _descend(
    parameters: Parameters,
    gradients: Parameters,
    moments: Mapping[str, tuple[Floats, Floats]],
    step: int,
    rate: float,
) -> None:
    for name, value in parameters.items():
        first, second = moments[name]
        gradient = gradients[name]
        first *= _FIRST
        first += (1 - _FIRST) * gradient
        second *= _SECOND
        second += (1 - _SECOND) * gradient**2
        value -= rate * (first / (1 - _FIRST**step)) / (np.sqrt(second / (1 - _SECOND**step)) + _TINY)


def _sigmoid(x: Floats) -> Floats:
    return (1 / (1 + np.exp(-x))).astype(np.float32)
