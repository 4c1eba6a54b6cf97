"""May a new model serve? Its held-back figures against those of the one that serves, example by example. Pure.

Both sides are judged only on examples that they had not seen: the new model by its held-back predictions, the old
one by its own held-back predictions where it knows the example, else by predicting it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edge.chat.intents.examples import Example, normal
from edge.chat.intents.figures import DIGITS, Figures
from edge.chat.intents.model import Floats, IntentModel

# Below this share of right intents, hand-offs and standing answers would go astray more often than a clerk would.
ACCURACY_MIN: Final = 0.5
# One-sided 95 % point of the normal distribution, for McNemar's test on the examples that only one side has right.
Z: Final = 1.645
# A loss of accuracy that is refused even where the test lacks examples to be sure.
ACCURACY_LOSS_MAX: Final = 0.02
# An intent is worse when this many more of its examples go wrong, and this share of them.
INTENT_LOSSES_MIN: Final = 3
INTENT_LOSS_SHARE: Final = 0.15
# Intents that a reason names.
NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class IntentChange:
    """Recall of one intent, before and after."""

    name: str
    examples: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both models on the same held-back examples, of intents that both know.

    lost, won  examples that only the old, only the new model has right
    missing    intents of the old model that the new one does not know
    """

    examples: int
    before: float
    after: float
    lost: int
    won: int
    missing: tuple[str, ...]
    intents: tuple[IntentChange, ...]


def compare(
    candidate: IntentModel, examples: Sequence[Example], embeddings: Floats, active: IntentModel
) -> Comparison:
    """`candidate` was trained on `examples` with their embeddings [n, dim]; `active` serves."""
    wanted = np.array([example.intent for example in examples])
    shared = np.isin(wanted, active.names)
    after = np.array(candidate.names)[candidate.predicted] == wanted
    before = _held_back_names(active, examples, embeddings) == wanted
    names = [name for name in candidate.names if name in active.names]
    return Comparison(
        examples=int(shared.sum()),
        before=_mean(before[shared]),
        after=_mean(after[shared]),
        lost=int((before & ~after & shared).sum()),
        won=int((after & ~before & shared).sum()),
        missing=tuple(name for name in active.names if name not in candidate.names),
        intents=tuple(
            IntentChange(name, int(own.sum()), _mean(before[own]), _mean(after[own]))
            for name in names
            for own in [wanted == name]
        ),
    )


def reasons_against(figures: Figures, comparison: Comparison | None) -> list[str]:
    """Why the new model should not serve, as sentences; none: it may."""
    found = []
    if figures.accuracy < ACCURACY_MIN:
        found.append(
            f"It gives only {figures.accuracy:.1%} of held-back examples their intent; {ACCURACY_MIN:.0%} is the least."
        )
    if comparison is not None:
        if comparison.missing:
            found.append(f"It no longer knows {_named(comparison.missing)}.")
        if _is_worse(comparison):
            found.append(
                f"Of the same {comparison.examples:,} held-back examples it has {comparison.after:.1%} right, "
                f"the one that serves {comparison.before:.1%}."
            )
        worse = [f"{c.name} ({c.before:.0%} → {c.after:.0%})" for c in comparison.intents if _has_lost(c)]
        if worse:
            found.append(f"It knows these intents less well: {_named(worse)}.")
    return found


def _is_worse(found: Comparison) -> bool:
    net = found.lost - found.won
    beyond_chance = net > Z * math.sqrt(found.lost + found.won)
    return (net > 0 and beyond_chance) or found.before - found.after > ACCURACY_LOSS_MAX


def _has_lost(change: IntentChange) -> bool:
    share = change.before - change.after
    return share >= INTENT_LOSS_SHARE and round(share * change.examples) >= INTENT_LOSSES_MIN


def _held_back_names(
    active: IntentModel, examples: Sequence[Example], embeddings: Floats
) -> npt.NDArray[np.str_]:
    known = {
        normal(example.text): active.names[index]
        for example, index in zip(active.examples(), active.predicted, strict=True)
    }
    predicted = active.predict([example.text for example in examples], embeddings)
    return np.array(
        [known.get(normal(e.text), intent.name) for e, intent in zip(examples, predicted, strict=True)]
    )


def _mean(right: npt.NDArray[np.bool_]) -> float:
    return round(float(right.mean()), DIGITS) if right.size else 0.0


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
