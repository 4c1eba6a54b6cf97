"""What a question means, where its words said nothing: a linear model on the question's embedding. Pure.

The second stage of the check. The turn has its embedding from the encoder anyway, so it costs one product of a
vector with a small matrix. It can only add a card, never take one away. Ships as one file of arrays
(models/adapters/safety.npz, card in models/cards/safety.md).
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from core.errors import PosternError
from edge.chat.safety.kind import Kind

Floats = npt.NDArray[np.float32]

SHIPPED = "safety.npz"


class SafetyModelUnusable(PosternError):
    """Weights that do not fit this release."""

    code = "safety_model_unusable"
    title = "The weights of the safety model do not fit this release"
    remedy = "Install the release again, or go back to the version before."
    status = 503


@dataclass(frozen=True, slots=True, eq=False)
class SafetyModel:
    """A score for each of `kinds`; above nought it holds.

    weights  float32 [dim, kinds]
    bias     float32 [kinds]: holds the thresholds, too
    encoder  name of the encoder whose embeddings it reads; another's mean something else
    """

    kinds: tuple[Kind, ...]
    weights: Floats
    bias: Floats
    encoder: str

    def scores(self, embeddings: Floats) -> Floats:
        """float32 [n, kinds] for `embeddings` [n, dim]."""
        return embeddings @ self.weights + self.bias

    def kind(self, embedding: Floats) -> Kind | None:
        """The likeliest kind of one question's `embedding` [dim], or None."""
        scores = self.scores(embedding)
        best = int(scores.argmax())
        return self.kinds[best] if scores[best] > 0 else None

    def save(self) -> bytes:
        """As an npz without pickles."""
        head = json.dumps({"kinds": self.kinds, "encoder": self.encoder}).encode()
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            weights=self.weights.astype(np.float16),
            bias=self.bias,
            head=np.frombuffer(head, np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read `save`. Raises SafetyModelUnusable."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                head = json.loads(arrays["head"].tobytes())
                weights, bias = (arrays[name].astype(np.float32) for name in ("weights", "bias"))
            model = cls(tuple(Kind(name) for name in head["kinds"]), weights, bias, str(head["encoder"]))
        except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile) as error:
            raise SafetyModelUnusable("The file cannot be read.") from error
        fits = bias.shape == (len(model.kinds),) and weights.shape[1:] == bias.shape and len(bias)
        if not fits or not all(np.isfinite(part).all() for part in (weights, bias)):
            raise SafetyModelUnusable("The weights are damaged.")
        return model


def shipped(encoder: str) -> SafetyModel | None:
    """The model that comes with this release; None for another `encoder`. Raises SafetyModelUnusable."""
    model = SafetyModel.load((files("models") / "adapters" / SHIPPED).read_bytes())
    return model if model.encoder == encoder else None
