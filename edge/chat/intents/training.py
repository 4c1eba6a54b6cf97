"""Training: labelled utterances and their embeddings in, a candidate model with its figures out. No I/O, no clock.

Only the training process imports this module's libraries (scikit-learn, SciPy); the node predicts without them.
Every figure is of held-back examples: the examples are cut into FOLDS parts, and each part is predicted by models
that were trained without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from edge.chat.intents import ngrams
from edge.chat.intents.examples import Example, check_examples
from edge.chat.intents.figures import Figures, figures_of
from edge.chat.intents.model import Floats, IntentModel, pack_texts, pack_vectors, softmax, unpack_vectors
from edge.chat.intents.scope import SIGNS, Familiar
from models.encoder import Encoder
from models.progress import Report, silent

Labels = npt.NDArray[np.int64]

FOLDS: Final = 3
SEED: Final = 7
# Inverse strengths of the L2 penalty. On three parts of BANKING77 the mixture of 20 and 10 was right for .927 of the
# examples; the embedding alone for .919, n-grams alone for .895; 5 to 40 differ by less than chance.
MEANING_C: Final = 20.0
WORDING_C: Final = 10.0
ITERATIONS_MAX: Final = 300
MEANING_TOLERANCE: Final = 1e-4
# Stops the n-grams' model earlier: further steps cost seconds and change nothing in the mixture.
WORDING_TOLERANCE: Final = 1e-3
# Share of known questions, held back from training, that the threshold lets in. The model that serves has seen half as
# many examples again as those that judged them, and lets in .017 more of BANKING77: .945, above the .94 asked for.
IN_SCOPE_RECALL: Final = 0.928
# Groups of intents that are left out in turn, and parts of the others' examples: in each round three of four are seen.
GROUPS: Final = 4
STEPS: Final = FOLDS + GROUPS + 1
# With fewer, what is left is no classifier of several intents any more.
INTENTS_TO_LEAVE_OUT_MIN: Final = 3
SIGNS_C: Final = 0.1
# Score of an intent that a model does not know; below any other.
UNKNOWN: Final = -1e6
# Texts of one call of the encoder: progress moves, and memory stays small.
EMBED_ROWS: Final = 256


@dataclass(frozen=True)
class Candidate:
    """A trained model and what it did on examples that it had not seen."""

    model: IntentModel
    figures: Figures


@dataclass(frozen=True)
class _Features:
    meaning: Floats  # [n, dim]
    wording: csr_matrix  # [n, buckets that occur]

    def __getitem__(self, rows: Labels) -> _Features:
        return _Features(self.meaning[rows], self.wording[rows])


@dataclass(frozen=True)
class _Pair:
    """The two linear models; scores [n, intents] each."""

    meaning: LogisticRegression
    wording: LogisticRegression

    def scores(self, features: _Features, intents: int) -> tuple[Floats, Floats]:
        return (
            _decide(self.meaning, features.meaning, intents),
            _decide(self.wording, features.wording, intents),
        )


@dataclass(frozen=True)
class _Part:
    """Rows that models have seen, rows that they have not, and their scores of those [unseen, intents]."""

    seen: Labels
    unseen: Labels
    meaning: Floats
    wording: Floats


def embed(encoder: Encoder, examples: Sequence[Example], report: Report = silent) -> Floats:
    """Embeddings of the examples, float32 [n, dim]."""
    parts = []
    for start in range(0, len(examples), EMBED_ROWS):
        parts.append(encoder.embed([example.text for example in examples[start : start + EMBED_ROWS]]))
        report("Reading the examples", min(start + EMBED_ROWS, len(examples)), len(examples))
    return np.concatenate(parts)


def train(
    examples: Sequence[Example], embeddings: Floats, encoder_sha256: str, report: Report = silent
) -> Candidate:
    """Fit a model on `examples` with their embeddings [n, dim]. Raises BadExamples."""
    check_examples(examples)
    names, found = np.unique([example.intent for example in examples], return_inverse=True)
    labels = found.astype(np.int64)
    counted = ngrams.count([example.text for example in examples])
    idf = ngrams.rarity(counted)
    # Buckets that no example has get no weight: leaving them out makes small sets fast.
    used, columns = np.unique(counted.buckets, return_inverse=True)
    grams = ngrams.weigh(counted, idf)
    sparse = csr_matrix((grams.weights, columns, grams.starts), shape=(len(examples), len(used)))
    features = _Features(embeddings, sparse)
    texts = [example.text for example in examples]
    parts = _held_back(features, labels, report)
    mixture = _mix(_gathered(parts, "meaning"), _gathered(parts, "wording"), labels)
    logits = mixture[0] * _gathered(parts, "meaning") + mixture[1] * _gathered(parts, "wording")
    signs = _weigh_signs(texts, features, labels, mixture, report)
    scope = np.zeros(len(labels), np.float32)
    for part in parts:
        scope[part.unseen] = _signs(texts, features, labels, part, mixture) @ signs
    threshold = float(np.quantile(scope, 1 - IN_SCOPE_RECALL))
    report("Learning", STEPS - 1, STEPS)
    whole = _fit(features, labels)
    report("Learning", STEPS, STEPS)
    vectors = pack_vectors(embeddings)
    by_bucket = np.zeros((ngrams.BUCKETS, len(names)), np.float16)
    by_bucket[used] = mixture[1] * _weights(whole.wording)
    model = IntentModel(
        names=tuple(str(name) for name in names),
        encoder_sha256=encoder_sha256,
        meaning=(mixture[0] * _weights(whole.meaning)).astype(np.float32),
        wording=by_bucket,
        bias=np.stack(
            [mixture[0] * _intercepts(whole.meaning), mixture[1] * _intercepts(whole.wording)]
        ).astype(np.float32),
        idf=idf,
        signs=signs,
        vectors=vectors,
        familiar=Familiar.of(texts, unpack_vectors(vectors), labels, len(names)),
        threshold=threshold,
        utterances=pack_texts(texts),
        labels=labels.astype(np.uint16),
        predicted=logits.argmax(axis=1).astype(np.uint16),
    )
    return Candidate(model, figures_of(model.names, labels, softmax(logits), scope >= threshold))


def _held_back(features: _Features, labels: Labels, report: Report) -> list[_Part]:
    """Each example in one part, scored by models that were trained without the part."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    parts = []
    for number, (seen, unseen) in enumerate(folds.split(labels, labels)):
        report("Learning", number, STEPS)
        parts.append(_scored(features, labels, seen, unseen))
    return parts


def _scored(features: _Features, labels: Labels, seen: Labels, unseen: Labels) -> _Part:
    meaning, wording = _fit(features[seen], labels[seen]).scores(features[unseen], int(labels.max()) + 1)
    return _Part(seen, unseen, meaning, wording)


def _gathered(parts: Sequence[_Part], which: Literal["meaning", "wording"]) -> Floats:
    """Scores of all examples in their order, [n, intents]."""
    unseen = np.concatenate([part.unseen for part in parts])
    scores: Floats = np.concatenate([getattr(part, which) for part in parts])
    return scores[np.argsort(unseen)]


def _signs(
    texts: Sequence[str], features: _Features, labels: Labels, part: _Part, mixture: tuple[float, float]
) -> Floats:
    """Signs of familiarity of a part's examples with the others, [unseen, SIGNS]."""
    known = [texts[row] for row in part.seen]
    familiar = Familiar.of(known, features.meaning[part.seen], labels[part.seen], part.meaning.shape[1])
    meaning = mixture[0] * part.meaning
    asked = [texts[row] for row in part.unseen]
    return familiar.signs(asked, features.meaning[part.unseen], meaning, meaning + mixture[1] * part.wording)


def _weigh_signs(
    texts: Sequence[str],
    features: _Features,
    labels: Labels,
    mixture: tuple[float, float],
    report: Report,
) -> Floats:
    """What each sign weighs, [SIGNS], where intents that were left out play the strangers."""
    intents = int(labels.max()) + 1
    if intents < INTENTS_TO_LEAVE_OUT_MIN:
        return np.array([name == "nearest of its intent" for name in SIGNS], np.float32)
    groups = np.random.default_rng(SEED).permutation(intents) % GROUPS
    folds = StratifiedKFold(GROUPS, shuffle=True, random_state=SEED).split(labels, labels)
    signs, familiar = [], []
    for group, (seen, held_back) in enumerate(folds):
        report("Learning", FOLDS + group, STEPS)
        seen = seen[groups[labels[seen]] != group]
        strangers = np.flatnonzero(groups[labels] == group)
        unseen = np.concatenate([held_back[groups[labels[held_back]] != group], strangers])
        signs.append(_signs(texts, features, labels, _scored(features, labels, seen, unseen), mixture))
        familiar.append(groups[labels[unseen]] != group)
    found = np.concatenate(signs)
    spread = found.std(axis=0) + np.finfo(np.float32).eps
    judge = LogisticRegression(C=SIGNS_C, class_weight="balanced", max_iter=ITERATIONS_MAX)
    judge.fit((found - found.mean(axis=0)) / spread, np.concatenate(familiar))
    return np.asarray(judge.coef_[0] / spread, np.float32)


def _fit(features: _Features, labels: Labels) -> _Pair:
    with warnings.catch_warnings():
        # Stopped early or not, the held-back figures judge the result.
        warnings.simplefilter("ignore", ConvergenceWarning)
        meaning = LogisticRegression(C=MEANING_C, max_iter=ITERATIONS_MAX, tol=MEANING_TOLERANCE)
        wording = LogisticRegression(C=WORDING_C, max_iter=ITERATIONS_MAX, tol=WORDING_TOLERANCE)
        return _Pair(meaning.fit(features.meaning, labels), wording.fit(features.wording, labels))


def _mix(meaning: Floats, wording: Floats, labels: Labels) -> tuple[float, float]:
    """The weights of both scores under which the true intents are likeliest (temperature and mixture in one)."""

    def loss(logs: npt.NDArray[np.float64]) -> float:
        chances = softmax(np.exp(logs[0]) * meaning + np.exp(logs[1]) * wording)
        return float(-np.log(chances[np.arange(len(labels)), labels] + np.finfo(np.float32).tiny).mean())

    best = minimize(
        loss, [0.0, -1.0], method="Nelder-Mead", options={"maxiter": 60, "xatol": 0.02, "fatol": 1e-4}
    )
    return float(np.exp(best.x[0])), float(np.exp(best.x[1]))


def _decide(model: LogisticRegression, features: Any, intents: int) -> Floats:
    """Scores [n, intents], UNKNOWN for intents the model was not shown; two, in one column, get two."""
    scores = np.asarray(model.decision_function(features), np.float32)
    found = np.full((len(scores), intents), UNKNOWN, np.float32)
    found[:, model.classes_] = scores if scores.ndim == 2 else np.stack([-scores, scores], axis=1) / 2
    return found


def _weights(model: LogisticRegression) -> npt.NDArray[np.float64]:
    """[features, intents]"""
    both = np.concatenate([-model.coef_, model.coef_]) / 2 if len(model.coef_) == 1 else model.coef_
    return np.asarray(both.T)


def _intercepts(model: LogisticRegression) -> npt.NDArray[np.float64]:
    """[intents]"""
    found = model.intercept_
    return np.concatenate([-found, found]) / 2 if len(found) == 1 else np.asarray(found)
