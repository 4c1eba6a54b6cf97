"""Of what kind a text is: a small network on its embedding and its words. Pure.

Whoever asks has the embedding from the encoder anyway, so it costs one product of a vector with a matrix of 384 by
256. An embedding says what a text is about, its words who speaks and when ("my", "is", "was").
"""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Kind = TypeVar("Kind", bound=str)

# Rows that words share by their hash, so that no list of words is kept: some 9,000 occur in what the safety check's
# network is trained on, and four times the rows find no more.
WORD_ROWS = 2048
_ARRAYS = ("hidden", "hidden_bias", "weights", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class KindNetwork(Generic[Kind]):
    """A score for each of `kinds`; above nought it holds.

    hidden       float32 [dim + WORD_ROWS, units]: what the embedding says to each unit, and below what words say
    hidden_bias  float32 [units]
    weights      float32 [units, kinds]
    bias         float32 [kinds]: holds the thresholds, too
    encoder      name of the encoder whose embeddings it reads; another's mean something else
    """

    kinds: tuple[Kind, ...]
    hidden: Floats
    hidden_bias: Floats
    weights: Floats
    bias: Floats
    encoder: str

    def scores(self, embedding: Floats, words: Iterable[str]) -> Floats:
        """float32 [kinds] for one text's `embedding` [dim] and its plain `words`."""
        rows = word_rows(words)
        said = self.hidden[len(embedding) + rows].sum(axis=0) * word_share(rows)
        units = embedding @ self.hidden[: len(embedding)] + said + self.hidden_bias
        scores: Floats = np.maximum(units, 0.0) @ self.weights + self.bias
        return scores

    def kind(self, embedding: Floats, words: Iterable[str], above: float = 0.0) -> Kind | None:
        """The likeliest kind of one text, or None where its score is not above `above`."""
        scores = self.scores(embedding, words)
        best = int(scores.argmax())
        return self.kinds[best] if scores[best] > above else None

    def save(self) -> bytes:
        """As an npz without pickles."""
        head = json.dumps({"kinds": self.kinds, "encoder": self.encoder}).encode()
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            hidden=self.hidden.astype(np.float16),
            hidden_bias=self.hidden_bias,
            weights=self.weights,
            bias=self.bias,
            head=np.frombuffer(head, np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def read(cls, content: bytes, kind: Callable[[str], Kind]) -> Self:
        """What `save` wrote; `kind` makes one of its name. Raises ValueError with a sentence."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                head = json.loads(arrays["head"].tobytes())
                parts = {name: arrays[name].astype(np.float32) for name in _ARRAYS}
            kinds = tuple(kind(name) for name in head["kinds"])
            network = cls(kinds=kinds, encoder=str(head["encoder"]), **parts)
        except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile) as error:
            raise ValueError("The file cannot be read.") from error
        if not network._fits() or not all(np.isfinite(part).all() for part in parts.values()):
            raise ValueError("The weights are damaged.")
        return network

    def _fits(self) -> bool:
        units, kinds = len(self.hidden_bias), len(self.kinds)
        return (
            kinds > 0
            and self.hidden.shape[1:] == self.hidden_bias.shape == (units,)
            and len(self.hidden) > WORD_ROWS
            and self.weights.shape == (units, kinds)
            and self.bias.shape == (kinds,)
        )


def word_rows(words: Iterable[str]) -> npt.NDArray[np.intp]:
    """Which of WORD_ROWS `words` have, each once."""
    return np.array(sorted({zlib.crc32(word.encode()) % WORD_ROWS for word in words}), np.intp)


def word_share(rows: npt.NDArray[np.intp]) -> float:
    """What each of a text's `rows` counts: together they have length one, as the embedding has."""
    return 1.0 / math.sqrt(max(len(rows), 1))
