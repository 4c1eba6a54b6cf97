"""Training: labelled utterances and their embeddings in, a candidate model with its figures out. No I/O, no clock.

Only the training process imports this module's libraries (scikit-learn, SciPy); the node predicts without them.
Every figure is of held-back examples: kernel ridge regression is solved once, for all examples, and what it would
have said of some of them had it not seen them follows from that solution exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack, solve
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from edge.chat.intents import kernel, ngrams
from edge.chat.intents.examples import Example, check_examples
from edge.chat.intents.figures import Figures, figures_of
from edge.chat.intents.model import Floats, IntentModel, pack_texts, pack_vectors, softmax, unpack_vectors
from edge.chat.intents.scope import SIGNS, Familiar
from models.encoder import Encoder
from models.progress import Report, silent

Labels = npt.NDArray[np.int64]

FOLDS: Final = 5
SEED: Final = 7
# Share of known questions, held back from training, that the threshold lets in. The model that serves has seen a
# quarter more examples than those that judged them, and lets in .01 more: .941 in the mean of six splits of
# BANKING77's train rows.
IN_SCOPE_RECALL: Final = 0.932
# Groups of intents that are left out in turn, and parts of the others' examples: in each round three of four are seen.
GROUPS: Final = 4
STEPS: Final = 1 + FOLDS + GROUPS
# With fewer, what is left is no classifier of several intents any more.
INTENTS_TO_LEAVE_OUT_MIN: Final = 3
SIGNS_C: Final = 0.1
SIGNS_ITERATIONS_MAX: Final = 300
# Score of an intent that a model was not shown: below any that it was.
UNKNOWN: Final = -1.0
# Factors of the scores that are tried as the sharpness of the confidence.
SHARPNESS_BOUNDS: Final = (0.1, 100.0)
# Texts of one call of the encoder: progress moves, and memory stays small.
EMBED_ROWS: Final = 256
# Rows of the matrix of all pairs that are worked on at a time: little memory beside the matrix itself.
BLOCK_ROWS: Final = 1_024


@dataclass(frozen=True)
class Candidate:
    """A trained model and what it did on examples that it had not seen."""

    model: IntentModel
    figures: Figures


@dataclass(frozen=True)
class _Solved:
    """The examples and the solution of all of them; n examples, k intents.

    vectors  float32 [n, dim], of length 1
    targets  float32 [n, k], 1 at each example's intent
    inverse  float32 [n, n], of the kernel's matrix with its ridge
    weights  float32 [n, k]
    """

    texts: Sequence[str]
    vectors: Floats
    labels: Labels
    targets: Floats
    inverse: Floats
    weights: Floats

    def scores_unseen(self, unseen: Labels) -> Floats:
        """What a model without these examples says of them, [unseen, k] (Rasmussen and Williams, 2006, eq. 5.12)."""
        block = self.inverse[np.ix_(unseen, unseen)]
        found: Floats = self.targets[unseen] - solve(block, self.weights[unseen], assume_a="pos")
        return found

    def signs_unseen(self, unseen: Labels, scores: Floats) -> Floats:
        """Signs of familiarity with the other examples, [unseen, SIGNS]."""
        seen = np.setdiff1d(np.arange(len(self.labels)), unseen)
        known = [self.texts[row] for row in seen]
        familiar = Familiar.of(known, self.vectors[seen], self.labels[seen], self.targets.shape[1])
        asked = self.vectors[unseen]
        return familiar.signs(
            [self.texts[row] for row in unseen], asked, asked @ self.vectors[seen].T, scores
        )


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
    report("Learning", 0, STEPS)
    names, found = np.unique([example.intent for example in examples], return_inverse=True)
    labels = found.astype(np.int64)
    texts = [example.text for example in examples]
    counted = ngrams.count(texts)
    idf = ngrams.rarity(counted)
    grams = ngrams.weigh(counted, idf)
    wording = csr_matrix((grams.weights, grams.buckets, grams.starts), shape=(len(texts), ngrams.BUCKETS))
    vectors = pack_vectors(embeddings)
    solved = _solve(texts, unpack_vectors(vectors), labels, wording)
    scores, known = _held_back(solved, report)
    sharpness = _sharpness(scores, labels)
    signs = _weigh_signs(solved, report)
    scope = known @ signs
    threshold = float(np.quantile(scope, 1 - IN_SCOPE_RECALL))
    report("Learning", STEPS, STEPS)
    model = IntentModel(
        names=tuple(str(name) for name in names),
        encoder_sha256=encoder_sha256,
        weights=solved.weights.astype(np.float16),
        wording=(kernel.WORDING * (wording.T @ solved.weights)).astype(np.float16),
        idf=idf,
        signs=signs,
        vectors=vectors,
        familiar=Familiar.of(texts, solved.vectors, labels, len(names)),
        sharpness=sharpness,
        threshold=threshold,
        utterances=pack_texts(texts),
        labels=labels.astype(np.uint16),
        predicted=scores.argmax(axis=1).astype(np.uint16),
    )
    return Candidate(model, figures_of(model.names, labels, softmax(sharpness * scores), scope >= threshold))


def _solve(texts: Sequence[str], vectors: Floats, labels: Labels, wording: csr_matrix) -> _Solved:
    matrix = kernel.meaning(vectors @ vectors.T)
    for start in range(0, len(matrix), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        matrix[rows] += kernel.WORDING * (wording[rows] @ wording.T).toarray()
    matrix[np.diag_indices_from(matrix)] += kernel.RIDGE
    inverse = _inverse(matrix)
    targets = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    return _Solved(texts, vectors, labels, targets, inverse, inverse @ targets)


def _inverse(matrix: Floats) -> Floats:
    """Of a symmetric, positive definite matrix, in its own memory."""
    # LAPACK reads columns first: the lower triangle of the transpose is the upper one here.
    factor, _ = lapack.spotrf(matrix.T, lower=True, overwrite_a=True)
    inverse = lapack.spotri(factor, lower=True, overwrite_c=True)[0].T
    for start in range(0, len(inverse), BLOCK_ROWS):
        stop = start + BLOCK_ROWS
        corner = np.triu(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.triu(corner, 1).T
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
    found: Floats = inverse
    return found


def _held_back(solved: _Solved, report: Report) -> tuple[Floats, Floats]:
    """Scores [n, k] and signs [n, SIGNS] of every example, each by a model that had not seen its part."""
    scores = np.zeros_like(solved.targets)
    signs = np.zeros((len(scores), len(SIGNS)), np.float32)
    for number, unseen in enumerate(_parts(solved.labels, FOLDS)):
        report("Learning", 1 + number, STEPS)
        scores[unseen] = solved.scores_unseen(unseen)
        signs[unseen] = solved.signs_unseen(unseen, scores[unseen])
    return scores, signs


def _weigh_signs(solved: _Solved, report: Report) -> Floats:
    """What each sign weighs, [SIGNS], where intents that were left out play the strangers."""
    intents = solved.targets.shape[1]
    if intents < INTENTS_TO_LEAVE_OUT_MIN:
        return np.array([name == "nearest of its intent" for name in SIGNS], np.float32)
    groups = np.random.default_rng(SEED).permutation(intents) % GROUPS
    signs, familiar = [], []
    for group, held_back in enumerate(_parts(solved.labels, GROUPS)):
        report("Learning", 1 + FOLDS + group, STEPS)
        strange = groups[solved.labels] == group
        unseen = np.union1d(np.flatnonzero(strange), held_back)
        scores = solved.scores_unseen(unseen)
        scores[:, groups == group] = UNKNOWN
        signs.append(solved.signs_unseen(unseen, scores))
        familiar.append(~strange[unseen])
    found = np.concatenate(signs)
    spread = found.std(axis=0) + np.finfo(np.float32).eps
    judge = LogisticRegression(C=SIGNS_C, class_weight="balanced", max_iter=SIGNS_ITERATIONS_MAX)
    judge.fit((found - found.mean(axis=0)) / spread, np.concatenate(familiar))
    return np.asarray(judge.coef_[0] / spread, np.float32)


def _parts(labels: Labels, count: int) -> Iterator[Labels]:
    """Rows in `count` parts, every intent spread evenly."""
    folds = StratifiedKFold(count, shuffle=True, random_state=SEED)
    return (unseen for _, unseen in folds.split(labels, labels))


def _sharpness(scores: Floats, labels: Labels) -> float:
    """The factor under which the true intents are likeliest."""

    def loss(factor: float) -> float:
        chances = softmax(factor * scores)
        return float(-np.log(chances[np.arange(len(labels)), labels] + np.finfo(np.float32).tiny).mean())

    return float(minimize_scalar(loss, bounds=SHARPNESS_BOUNDS, method="bounded").x)
