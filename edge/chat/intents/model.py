"""A trained intent model: plain numpy, read from bytes that are checked, never pickled. Pure.

Kernel ridge regression gives a score to each intent: how alike the question and the intent's examples are, in meaning
and in wording (kernel.py). The softmax of the scores, sharpened by a factor fitted on held-back predictions, is a
calibrated confidence (Guo et al., 2017). Whether a question is in scope at all is judged by a score of its own, against
a threshold fitted on the same predictions.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.errors import PosternError
from edge.chat.intents import kernel, ngrams
from edge.chat.intents.examples import INTENTS_MAX, INTENTS_MIN, Example
from edge.chat.intents.scope import SIGNS, Familiar

Floats = npt.NDArray[np.float32]

FORMAT: Final = 2
# Unpacked size at most, bytes: INTENTS_MAX columns of weights in float16, the examples and what goes with them.
UNPACKED_BYTES_MAX: Final = 40 * 1024 * 1024
DIM_MAX: Final = 4096
_INT8_MAX: Final = 127

_DTYPES: Final = {
    "weights": np.float16,
    "wording": np.float16,
    "idf": np.float32,
    "signs": np.float32,
    "vectors": np.int8,
    "utterances": np.uint8,
    "labels": np.uint16,
    "predicted": np.uint16,
    "head": np.uint8,
}


class DamagedIntentModel(PosternError):
    """A stored model is not what training writes."""

    code = "damaged_intent_model"
    title = "The intent model is damaged"
    remedy = "Go back to the version before (postern intents roll-back), or train again."
    status = 500


class WrongEncoder(PosternError):
    """The model was trained on the vectors of another encoder."""

    code = "wrong_encoder"
    title = "The intent model belongs to another encoder"
    remedy = "Train the intents again: their vectors have changed with the encoder."
    status = 409


@dataclass(frozen=True, slots=True)
class Intent:
    """What a question asks for. `confidence` is the probability of `name` among the known intents, 0 to 1."""

    name: str
    confidence: float
    in_scope: bool


@dataclass(frozen=True)
class Scores:
    """Of n questions: `intents` float32 [n, intents], and how well each fits in, `scope` float32 [n]."""

    intents: Floats
    scope: Floats


@dataclass(frozen=True)
class IntentModel:
    """Weights and what was measured of them; m examples.

    weights    float16 [m, intents], of each example's likeness in meaning
    wording    float16 [ngrams.BUCKETS, intents], of the n-grams
    idf        float32 [ngrams.BUCKETS]
    signs      float32 [scope.SIGNS], what each sign of familiarity weighs
    vectors    int8 [m, dim], directions of the examples' embeddings
    familiar   the examples as questions are compared with them
    sharpness  factor of the scores before the softmax
    threshold  least `Scores.scope` of a question that is in scope
    utterances uint8, the texts that it was trained on, as a JSON list of m strings: the next training compares
    labels     uint16 [m], their intents
    predicted  uint16 [m], the intents that models which had not seen them gave them
    """

    names: tuple[str, ...]
    encoder_sha256: str
    weights: npt.NDArray[np.float16]
    wording: npt.NDArray[np.float16]
    idf: Floats
    signs: Floats
    vectors: npt.NDArray[np.int8]
    familiar: Familiar
    sharpness: float
    threshold: float
    utterances: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint16]
    predicted: npt.NDArray[np.uint16]

    @property
    def dim(self) -> int:
        """Dimensions of the encoder's vectors."""
        return int(self.vectors.shape[1])

    def examples(self) -> list[Example]:
        """What it was trained on."""
        texts = json.loads(self.utterances.tobytes())
        return [Example(text, self.names[label]) for text, label in zip(texts, self.labels, strict=True)]

    def scores(self, texts: Sequence[str], embeddings: Floats) -> Scores:
        """Scores of n texts with their embeddings, float32 [n, dim]."""
        grams = ngrams.weigh(ngrams.count(texts), self.idf)
        cosines = embeddings @ self.familiar.vectors.T
        scores = kernel.meaning(cosines.copy()) @ self._weights
        if len(texts):
            parts = self.wording[grams.buckets].astype(np.float32) * grams.weights[:, None]
            scores += np.add.reduceat(parts, grams.starts[:-1])
        return Scores(scores, self.familiar.signs(texts, embeddings, cosines, scores) @ self.signs)

    @cached_property
    def _weights(self) -> Floats:
        """As products of matrices want them."""
        return self.weights.astype(np.float32)

    def predict(self, texts: Sequence[str], embeddings: Floats) -> list[Intent]:
        """The likeliest intent of each text."""
        found = self.scores(texts, embeddings)
        best = found.intents.argmax(axis=1)
        confidence = softmax(self.sharpness * found.intents)[np.arange(len(best)), best]
        inside = found.scope >= self.threshold
        return [
            Intent(self.names[index], float(sure), bool(known))
            for index, sure, known in zip(best, confidence, inside, strict=True)
        ]

    def to_bytes(self) -> bytes:
        """As a compressed npz without pickles."""
        head = {
            "format": FORMAT,
            "names": self.names,
            "encoder": self.encoder_sha256,
            "sharpness": self.sharpness,
            "threshold": self.threshold,
            "ngrams": list(ngrams.LENGTHS),
            "signs": list(SIGNS),
        }
        arrays = {name: getattr(self, name) for name in _DTYPES if name != "head"}
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()


def from_bytes(content: bytes) -> IntentModel:
    """Read what `to_bytes` wrote. Raises DamagedIntentModel for anything else."""
    try:
        arrays = _arrays(content)
        head = json.loads(arrays.pop("head").tobytes())
        names = tuple(head["names"])
        texts = json.loads(arrays["utterances"].tobytes())
        model = IntentModel(
            names=names,
            encoder_sha256=str(head["encoder"]),
            sharpness=float(head["sharpness"]),
            threshold=float(head["threshold"]),
            familiar=Familiar.of(texts, unpack_vectors(arrays["vectors"]), arrays["labels"], len(names)),
            **arrays,
        )
        forms = (head["format"], head["ngrams"], head["signs"])
        known = forms == (FORMAT, list(ngrams.LENGTHS), list(SIGNS))
    except (
        Exception
    ):  # zipfile, zlib and numpy's reader of headers raise a dozen kinds for bytes that are not theirs
        raise DamagedIntentModel("The stored intent model cannot be read.") from None
    if not known:
        raise DamagedIntentModel("The stored intent model has a form that this release does not know.")
    _check(model)
    return model


def pack_texts(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """As `IntentModel.utterances` holds them."""
    return np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), np.uint8)


def pack_vectors(vectors: Floats) -> npt.NDArray[np.int8]:
    """Directions of vectors [m, dim] in a quarter of the space; cosines move by some thousandths."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / np.maximum(largest, np.finfo(np.float32).tiny) * _INT8_MAX
    packed: npt.NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return packed


def unpack_vectors(packed: npt.NDArray[np.int8]) -> Floats:
    """Unit vectors, float32 [m, dim]."""
    vectors = packed.astype(np.float32)
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
    return unit


def softmax(scores: Floats) -> Floats:
    """Probabilities [n, k] of scores [n, k]."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def _arrays(content: bytes) -> dict[str, Any]:
    """The arrays of an npz, none of them larger unpacked than a model may be. Raises what zipfile and numpy raise."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(item.file_size for item in archive.infolist()) > UNPACKED_BYTES_MAX:
            raise ValueError("too large")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in _DTYPES}
    if any(array.dtype != _DTYPES[name] for name, array in arrays.items()):
        raise ValueError("another type")
    return arrays


def _check(model: IntentModel) -> None:
    """Shapes that fit each other and finite numbers. Raises DamagedIntentModel."""
    count = len(model.names)
    dim = model.vectors.shape[1] if model.vectors.ndim == 2 else 0
    fits = (
        INTENTS_MIN <= count <= INTENTS_MAX
        and len(set(model.names)) == count
        and all(isinstance(name, str) for name in model.names)
        and 0 < dim <= DIM_MAX
        and model.weights.shape == (len(model.labels), count)
        and model.wording.shape == (ngrams.BUCKETS, count)
        and model.signs.shape == (len(SIGNS),)
        and model.vectors.shape == (len(model.labels), dim)
        and model.idf.shape == (ngrams.BUCKETS,)
        and model.labels.ndim == 1
        and model.labels.shape == model.predicted.shape
        and all(not rows.size or int(rows.max()) < count for rows in (model.labels, model.predicted))
    )
    fitted = np.array([model.sharpness, model.threshold])
    numbers = (model.weights, model.wording, model.idf, model.signs, fitted)
    if not fits or not all(np.isfinite(part).all() for part in numbers):
        raise DamagedIntentModel("The stored intent model's numbers do not fit together.")
