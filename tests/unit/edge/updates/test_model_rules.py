"""Whether a model may serve here, as a table."""

from __future__ import annotations

import pytest

from edge.updates.installer import Figures
from edge.updates.model_rules import figures_of, refusal_of

ENCODER = {
    "kind": "encoder",
    "right": 0.9,
    "right_before": 0.95,
    "agreement": 0.8,
    "texts_per_s": 100.0,
    "top1_correct": 1.0,
}
LLM = {"kind": "llm", "answered": 0.8, "tokens_per_s": 20.0}


@pytest.mark.parametrize(
    ("told", "changes", "reason"),
    [
        (ENCODER, {}, ""),
        (ENCODER, {"right": 0.85}, ""),
        (ENCODER, {"right": 0.84}, "golden"),
        (ENCODER, {"right": float("nan")}, "golden"),
        (ENCODER, {"agreement": 0.5}, ""),
        (ENCODER, {"agreement": 0.49}, "agreement"),
        (ENCODER, {"agreement": float("nan")}, "agreement"),
        (ENCODER, {"texts_per_s": 10.0}, ""),
        (ENCODER, {"texts_per_s": 9.9}, "latency"),
        (ENCODER, {"texts_per_s": 0.0}, "latency"),
        (LLM, {}, ""),
        (LLM, {"answered": 0.5}, ""),
        (LLM, {"answered": 0.49}, "golden"),
        (LLM, {"tokens_per_s": 4.0}, ""),
        (LLM, {"tokens_per_s": 3.9}, "latency"),
    ],
)
def test_refused(told: dict[str, object], changes: dict[str, object], reason: str) -> None:
    assert refusal_of(told | changes) == reason


def test_an_encoder_beside_none_is_judged_by_itself() -> None:
    alone = {name: value for name, value in ENCODER.items() if name not in {"right_before", "agreement"}}
    assert refusal_of(alone | {"right": 0.1}) == ""


def test_figures() -> None:
    assert figures_of(ENCODER) == Figures(900, 800, 10_000)
    assert figures_of(LLM) == Figures(800, None, 50_000)
