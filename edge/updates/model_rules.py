"""Whether a model that passed its own gate here may serve here: beside what serves now, and fast enough. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from edge.updates.installer import Figures

WORSE_BY: Final = 0.1
"""Of Postern's golden set (60 questions), by which it may find less than what serves: six questions."""

AGREEMENT_MIN: Final = 0.5
"""Share of golden questions for which both find the same passage. Two encoders that work agree on most; one whose
weights are another's, or noise, agrees by chance, on one in twenty."""

PASS_US_MAX: Final = 100_000
"""A question is one pass: an encoder that takes a tenth of a second for each cannot answer a waiting room in time."""

TOKEN_US_MAX: Final = 250_000
"""Of a language model: four tokens a second are read as slowly as they are written."""

FAILED: Final = "failed"
"""Of what is told: how the model failed its own gate, in words for the node's log."""

ANSWERED_MIN: Final = 0.5
"""Share of the golden set that a language model answers, whatever its own manifest asks for."""


def figures_of(told: Mapping[str, Any]) -> Figures:
    """What goes up."""
    if FAILED in told:
        return _failed_figures(told)
    if told["kind"] == "llm":
        return Figures(
            golden_permille=_permille(told.get("answered")),
            golden_permille_min=_permille(ANSWERED_MIN),
            latency_us=_us(told.get("tokens_per_s")),
            latency_us_max=TOKEN_US_MAX,
        )
    before = told.get("right_before")
    return Figures(
        golden_permille=_permille(told.get("right")),
        golden_permille_min=None if before is None else _permille(before - WORSE_BY),
        agreement_permille=_permille(told.get("agreement")),
        agreement_permille_min=None if before is None else _permille(AGREEMENT_MIN),
        latency_us=_us(told.get("texts_per_s")),
        latency_us_max=PASS_US_MAX,
    )


def _failed_figures(told: Mapping[str, Any]) -> Figures:
    """Of a model that failed its own gate: agreement is with its reference."""
    if told["kind"] == "llm":
        return Figures(
            golden_permille=_permille(told.get("answered")),
            golden_permille_min=_permille(told.get("answered_min")),
            latency_us=_us(told.get("tokens_per_s")),
        )
    return Figures(
        golden_permille=_permille(told.get("top1_correct")),
        golden_permille_min=_permille(told.get("top1_correct_min")),
        agreement_permille=_permille(told.get("top1_agreement")),
        agreement_permille_min=_permille(told.get("top1_agreement_min")),
        cosine_permille=_permille(told.get("cosine_mean")),
        cosine_permille_min=_permille(told.get("cosine_mean_min")),
        cosine_least_permille=_permille(told.get("cosine_min")),
        cosine_least_permille_min=_permille(told.get("cosine_min_min")),
    )


def refusal_of(told: Mapping[str, Any]) -> str:
    """Why it may not serve, as a short code; empty when it may."""
    if FAILED in told:
        return "gate"
    figures = figures_of(told)
    slowest = TOKEN_US_MAX if told["kind"] == "llm" else PASS_US_MAX
    if told["kind"] == "llm" and not float(told.get("answered", 0.0)) >= ANSWERED_MIN:
        return "golden"
    before = told.get("right_before")
    if before is not None and not told["right"] >= before - WORSE_BY:
        return "golden"
    if before is not None and not told["agreement"] >= AGREEMENT_MIN:
        return "agreement"
    return "latency" if figures.latency_us is None or figures.latency_us > slowest else ""


def _permille(share: float | None) -> int | None:
    """Within 0 and 1,000: vectors that are none have cosines of any size."""
    if share is None or math.isnan(share):
        return None
    return round(1000 * min(1.0, max(0.0, share)))


def _us(per_second: float | None) -> int | None:
    return round(1e6 / per_second) if per_second else None
