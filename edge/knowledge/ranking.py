"""From what both legs found to one order: a linear model over the features of each candidate. A pure rule.

The model is a handful of weights: trained here (`models/recipes/ranking`), shipped as JSON, and refitted by a site on
its own corrections (`ModelKind.RANKING`). Ties go to the lower id, so that a ranking is repeatable.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

import numpy as np
import numpy.typing as npt

from core.errors import PosternError
from edge.knowledge.features import FEATURES, Floats

# A model of other features is refused; raise it with every change of what a feature means.
VERSION = 2


class UnusableRanking(PosternError):
    """A ranking model that does not fit this program."""

    code = "unusable_ranking"
    title = "The ranking model does not fit"
    remedy = "Train it again with this version, or go back to the one that Postern ships."
    status = 500


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk with its scores; `lexical` is 0.0 where that leg did not find it."""

    chunk_id: int
    score: float
    lexical: float
    cosine: float


@dataclass(frozen=True)
class RankingModel:
    """A weight a feature, and what a further chunk of a section loses that has a better one.

    The few passages of an answer should come from different places unless one place is far better.
    """

    weights: npt.NDArray[np.float64]  # [len(FEATURES)]
    repeat: float
    encoder: str = ""  # hash of the one that a site fitted it with; "": Postern's default

    def score(self, features: Floats) -> Floats:
        """A score for each row of [candidates, features]: comparable for one question only."""
        return features @ self.weights

    def to_json(self) -> bytes:
        """The model as it is kept."""
        weights = dict(zip(FEATURES, (round(weight, 4) for weight in self.weights.tolist()), strict=True))
        table = {"version": VERSION, "weights": weights, "repeat": round(self.repeat, 4)}
        own = {"encoder": self.encoder} if self.encoder else {}
        return json.dumps(table | own, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read a model. Raises UnusableRanking."""
        try:
            table = json.loads(content)
            weights: Mapping[str, float] = table["weights"]
            if table["version"] != VERSION or set(weights) != set(FEATURES):
                raise UnusableRanking(f"It is of version {table['version']} and has {len(weights)} weights.")
            fitted = np.array([float(weights[name]) for name in FEATURES])
            model = cls(fitted, float(table["repeat"]), str(table.get("encoder", "")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnusableRanking("It cannot be read.") from error
        if not np.isfinite([*model.weights, model.repeat]).all():
            raise UnusableRanking("A weight is not a number.")
        return model


# For an encoder that no ranking was fitted on, whatever its cosines are: the place by meaning and the share of the best
# score by words, alike (after reciprocal ranks: Cormack, Clarke and Büttcher, SIGIR 2009).
PLAIN = RankingModel(np.array([float(name in {"cosine_place", "bm25"}) for name in FEATURES]), repeat=0.1)


@cache
def shipped() -> RankingModel:
    """The model that Postern ships."""
    return RankingModel.from_json(files("models.adapters").joinpath("ranking.json").read_bytes())


def order(
    chunk_ids: Sequence[int], scores: Floats, sections: Sequence[Hashable], repeat: float, k: int
) -> list[tuple[int, float]]:
    """Rows of the `k` best with their final scores, after what repeats of a section lose."""
    ranked = sorted(zip((-scores).tolist(), chunk_ids, range(len(chunk_ids)), strict=True))
    seen: set[Hashable] = set()
    final = []
    for score, chunk_id, row in ranked:
        final.append((score + repeat if sections[row] in seen else score, chunk_id, row))
        seen.add(sections[row])
    return [(row, -score) for score, _, row in sorted(final)[:k]]
