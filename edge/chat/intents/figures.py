"""What a model did on examples that it had not seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIGITS = 4


@dataclass(frozen=True, slots=True)
class IntentFigures:
    """One intent: `recall` is the share of its examples that were given it; `precision` that of what was given it."""

    name: str
    examples: int
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Held-back figures of a model.

    accuracy         share of examples that were given their intent
    in_scope_recall  share of examples that the scope's threshold lets in
    confidence       mean confidence; near `accuracy` when it is calibrated
    """

    examples: int
    accuracy: float
    in_scope_recall: float
    confidence: float
    intents: tuple[IntentFigures, ...]


def figures_of(
    names: Sequence[str],
    labels: npt.NDArray[np.int64],
    chances: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
) -> Figures:
    """Figures of held-back predictions: labels [n], probabilities [n, intents], in scope [n]."""
    given = chances.argmax(axis=1)
    right = given == labels
    intents = []
    for index, name in enumerate(names):
        own, so_called = labels == index, given == index
        hits = int((own & so_called).sum())
        intents.append(
            IntentFigures(
                name, int(own.sum()), _share(hits, int(own.sum())), _share(hits, int(so_called.sum()))
            )
        )
    return Figures(
        examples=len(labels),
        accuracy=_share(int(right.sum()), len(labels)),
        in_scope_recall=_share(int(inside.sum()), len(labels)),
        confidence=round(float(chances.max(axis=1).mean()), DIGITS),
        intents=tuple(intents),
    )


def _share(part: int, of: int) -> float:
    return round(part / of, DIGITS) if of else 0.0
