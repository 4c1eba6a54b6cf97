"""The two small linear models behind an answer: which sentence, and whether it is one.

Both are logistic regressions on standardised features. They ship as one file of arrays (models/adapters/answers.npz,
card in models/cards/answers.md), and as another for sites so large that passages are only skimmed (`reading`); a site
may refit the second one from its own corrections (`postern learn`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from core.errors import PosternError
from edge.chat.answers.features import QUESTION_FEATURES, SENTENCE_FEATURES, TokenWeights

Floats = npt.NDArray[np.float32]

SHIPPED = "answers.npz"
SHIPPED_SKIMMING = "answers-skimming.npz"
# Features that are cosines, or differences of scores that are mostly cosines.
OF_MEANING = frozenset({"cosine", "passage_cosine", "stands_out", "passage_behind"})


class AnswerModelUnusable(PosternError):
    """Weights that do not fit this release."""

    code = "answer_model_unusable"
    title = "The weights of the answer model do not fit this release"
    remedy = "Install the release again, or go back to the version before."
    status = 503


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Logistic regression: `names` say which features, in which order."""

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: float

    def log_odds(self, table: Floats) -> Floats:
        """float32 [rows] for `table` [rows, features]."""
        odds = ((table - self.mean) / self.scale) @ self.weights + self.bias
        return odds.astype(np.float32)

    def without(self, names: Collection[str]) -> Self:
        """The same, for which the features of these names always have their mean."""
        return replace(self, weights=np.where([name in names for name in self.names], 0.0, self.weights))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a site's own model."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }

    @classmethod
    def from_json(cls, content: bytes, expected: Sequence[str]) -> Self:
        """Read `to_json`. Raises AnswerModelUnusable."""
        try:
            found = json.loads(content)
            mean, scale, weights = (np.array(found[key], np.float32) for key in ("mean", "scale", "weights"))
            model = cls(tuple(found["names"]), mean, scale, weights, float(found["bias"]))
        except (ValueError, KeyError, TypeError) as error:
            raise AnswerModelUnusable("The weights cannot be read.") from error
        model.check(expected)
        return model

    def check(self, expected: Sequence[str]) -> None:
        """Raise AnswerModelUnusable unless this is for `expected` features and finite."""
        arrays = (self.mean, self.scale, self.weights)
        fits = all(array.shape == (len(expected),) and np.isfinite(array).all() for array in arrays)
        if self.names != tuple(expected) or not fits or not np.isfinite(self.bias) or (self.scale <= 0).any():
            raise AnswerModelUnusable("The weights are for other features, or damaged.")


@dataclass(frozen=True, slots=True, eq=False)
class AnswerModel:
    """What chooses sentences and says how sure it is.

    directions  float32 [dim, STATE_DIM]: how token states are made small (`Reader`); [dim, 0] for one that skims
    encoder     hash of the encoder it was trained on; with another one its figures do not hold
    """

    directions: Floats
    tokens: TokenWeights
    sentence: Linear
    question: Linear
    encoder: str

    @property
    def skims(self) -> bool:
        """Whether it goes without sentences' vectors and token states."""
        return not self.directions.size

    def by_words(self, encoder: str) -> Self:
        """Without what it takes from vectors, beside another `encoder` (a hash): as if all were usually near."""
        return replace(
            self,
            sentence=self.sentence.without(OF_MEANING),
            question=self.question.without(OF_MEANING),
            encoder=encoder,
        )

    def save(self) -> bytes:
        """As an npz without pickles."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            directions=self.directions.astype(np.float16),
            share=self.tokens.share,
            need=self.tokens.need,
            met=np.array([self.tokens.need_bias, self.tokens.met_from], np.float32),
            sentence=np.frombuffer(json.dumps(self.sentence.to_json()).encode(), np.uint8),
            question=np.frombuffer(json.dumps(self.question.to_json()).encode(), np.uint8),
            encoder=np.frombuffer(self.encoder.encode(), np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read `save`. Raises AnswerModelUnusable."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                directions = arrays["directions"].astype(np.float32)
                need_bias, met_from = arrays["met"].tolist()
                tokens = TokenWeights(arrays["share"], arrays["need"], need_bias, met_from)
                parts = {name: arrays[name].tobytes() for name in ("sentence", "question", "encoder")}
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise AnswerModelUnusable("The file cannot be read.") from error
        return cls(
            directions,
            tokens,
            Linear.from_json(parts["sentence"], SENTENCE_FEATURES),
            Linear.from_json(parts["question"], QUESTION_FEATURES),
            parts["encoder"].decode(),
        )


def shipped(*, skims: bool = False) -> AnswerModel:
    """The model that comes with this release. Raises AnswerModelUnusable."""
    name = SHIPPED_SKIMMING if skims else SHIPPED
    return AnswerModel.load((files("models") / "adapters" / name).read_bytes())
