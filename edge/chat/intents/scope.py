"""Is this one of the site's intents at all? Signs of familiarity, weighed by what was learnt without any stranger.

A classifier is sure of strangers, too; what gives them away is that nothing like them was ever said. The signs compare
a question with the examples: nearness, spread of the intent's examples, words in common. Their weights are learnt by
leaving whole intents out in turn, whose examples then play the strangers (training.py). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIGNS: Final = (
    "nearest of all",  # cosine of the nearest example
    "nearest of its intent",
    "three nearest of its intent",
    "score",  # of its intent: low where no example is near
    "margin",  # to the second intent
    "distance",  # from its intent's centre, Mahalanobis (Lee et al., 2018)
    "words of its intent",  # share of the question's words, rare ones weighing more
    "words of any intent",
    "length",
)
NEIGHBOURS: Final = 3
# Added to the spread of the examples, so that directions without any do not count for everything; of unit vectors.
RIDGE: Final = 5e-4
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class Familiar:
    """The examples as questions are compared with them; m examples, k intents, v words.

    vectors    float32 [m, dim], of length 1
    rows       the examples of each intent
    centres    float32 [k, dim], of the intents, whitened
    whitening  float32 [dim, dim]
    words      index of each word
    rarity     float32 [v + 1], weight of each word; the last is that of words never seen
    known      bool [v + 1, k], whether an example of the intent has the word
    """

    vectors: Floats
    rows: tuple[npt.NDArray[np.int64], ...]
    centres: Floats
    whitening: Floats
    words: dict[str, int]
    rarity: Floats
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, texts: Sequence[str], vectors: Floats, labels: npt.NDArray[np.integer], intents: int
    ) -> Familiar:
        """From examples with their embeddings [m, dim] and labels [m]; an intent may have none."""
        rows = tuple(np.flatnonzero(labels == intent) for intent in range(intents))
        centres = np.zeros((intents, vectors.shape[1]), np.float32)
        for intent, own in enumerate(rows):
            if own.size:
                centres[intent] = vectors[own].mean(axis=0)
        spread = vectors - centres[labels]
        covariance = spread.T @ spread / len(vectors) + RIDGE * np.eye(vectors.shape[1])
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
        words, rarity, known = _vocabulary(texts, labels, intents)
        return cls(vectors, rows, (centres @ whitening).astype(np.float32), whitening, words, rarity, known)

    def signs(self, texts: Sequence[str], embeddings: Floats, cosines: Floats, scores: Floats) -> Floats:
        """float32 [n, SIGNS] of n texts: embeddings [n, dim], cosines with the examples [n, m], scores [n, k]."""
        found = np.zeros((len(texts), len(SIGNS)), np.float32)
        if not len(texts):
            return found
        chosen = scores.argmax(axis=1)
        ordered = np.partition(scores, -2, axis=1)
        found[:, 0] = cosines.max(axis=1)
        found[:, 3] = ordered[:, -1]
        found[:, 4] = ordered[:, -1] - ordered[:, -2]
        found[:, 5] = -np.square(embeddings @ self.whitening - self.centres[chosen]).sum(axis=1)
        for row, intent in enumerate(chosen):
            own = cosines[row, self.rows[intent]]
            best = np.partition(own, -NEIGHBOURS)[-NEIGHBOURS:] if len(own) > NEIGHBOURS else own
            found[row, 1], found[row, 2] = (best.max(), best.mean()) if len(best) else (-1.0, -1.0)
            found[row, 6:8] = self._words_in_common(texts[row], intent)
            found[row, 8] = np.log1p(len(texts[row]))
        return found

    def _words_in_common(self, text: str, intent: int) -> tuple[float, float]:
        unseen = len(self.words)
        places = [self.words.get(word, unseen) for word in _words_of(text)]
        if not places:
            return 0.0, 0.0
        weights = self.rarity[places]
        total = float(weights.sum())
        seen = np.array(places) < unseen
        return float(weights[self.known[places, intent]].sum()) / total, float(weights[seen].sum()) / total


def _vocabulary(
    texts: Sequence[str], labels: npt.NDArray[np.integer], intents: int
) -> tuple[dict[str, int], Floats, npt.NDArray[np.bool_]]:
    """Words, their weights ln((1 + m) ÷ (1 + examples that have it)) + 1, and the intents that use them."""
    words: dict[str, int] = {}
    uses = [[words.setdefault(word, len(words)) for word in _words_of(text)] for text in texts]
    counts = np.zeros(len(words) + 1)
    known = np.zeros((len(words) + 1, intents), np.bool_)
    for places, label in zip(uses, labels, strict=True):
        counts[places] += 1
        known[places, label] = True
    return words, (np.log((1 + len(texts)) / (1 + counts)) + 1).astype(np.float32), known


def _words_of(text: str) -> list[str]:
    """Each word once."""
    return list(dict.fromkeys(_WORD.findall(text.casefold())))
