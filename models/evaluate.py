"""The gate: does this build of a model do on this machine what its catalogue entry promises?

The encoder is held against its own fp32 reference (vectors and retrieval). Figures and a verdict come out; records
are written elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.catalog import EncoderGate
from models.golden import EncoderGolden, GeneratorCase
from models.runtimes.port import Floats


@dataclass(frozen=True)
class EncoderFigures:
    """What was measured on the golden set."""

    cosine_mean: float
    cosine_min: float
    top1_agreement: float
    top1_correct: float

    def as_dict(self) -> dict[str, float]:
        """For a record: four decimals are what the golden set can tell."""
        return {name: round(value, 4) for name, value in vars(self).items()}


def compare_encoders(reference: Floats, candidate: Floats, golden: EncoderGolden) -> EncoderFigures:
    """Both arrays are the embeddings of `golden.texts`, in order, L2-normalised."""
    cosines = np.sum(reference * candidate, axis=1)
    expected = np.array([passage for _, passage in golden.questions])
    wanted, found = _best_passages(reference, golden), _best_passages(candidate, golden)
    return EncoderFigures(
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        top1_agreement=float((wanted == found).mean()),
        top1_correct=float((found == expected).mean()),
    )


def encoder_shortfalls(figures: EncoderFigures, gate: EncoderGate) -> list[str]:
    """Each bound that is missed, in words; empty when the build is good. A NaN misses every bound."""
    bounds = (
        ("mean cosine to the reference", figures.cosine_mean, gate.cosine_mean_min),
        ("least cosine to the reference", figures.cosine_min, gate.cosine_min_min),
        ("same best passage as the reference", figures.top1_agreement, gate.top1_agreement_min),
        ("right best passage", figures.top1_correct, gate.top1_correct_min),
    )
    return [f"{what} {value:.3f} < {least}" for what, value, least in bounds if not value >= least]


def vector_faults(embeddings: Floats, dim: int) -> str:
    """What keeps vectors from being compared by their products, in words; empty when nothing does."""
    if embeddings.shape[1:] != (dim,):
        return f"the vectors have {embeddings.shape[-1]} numbers, not {dim}"
    norms = np.linalg.norm(embeddings, axis=1)
    if not np.all(np.abs(norms - 1.0) <= NORM_ERROR_MAX):
        return "the vectors are not L2-normalised"
    return ""


NORM_ERROR_MAX: Final = 0.01
"""float16 arithmetic leaves some 0.001; a model without the norm is off by tens of percent. NaN is never below."""


def answers(case: GeneratorCase, text: str) -> bool:
    """Whether the text carries the answer; an empty one never does."""
    said = text.casefold()
    return any(word in said for word in case.any_of)


def _best_passages(embeddings: Floats, golden: EncoderGolden) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    first = len(golden.sentences)
    last = first + len(golden.passages)
    scores = embeddings[last:] @ embeddings[first:last].T
    return np.asarray(scores.argmax(axis=1))
