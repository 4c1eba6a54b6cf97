"""Whether a model may serve here, as a table."""

from __future__ import annotations

import pytest

from edge.updates import model_work
from edge.updates.installer import Figures
from edge.updates.model_rules import figures_of, refusal_of
from models.catalog import DEFAULT_ENCODER, entry
from models.errors import GateFailed

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
    assert figures_of(ENCODER) == Figures(
        golden_permille=900,
        golden_permille_min=850,
        agreement_permille=800,
        agreement_permille_min=500,
        latency_us=10_000,
        latency_us_max=100_000,
    )
    assert figures_of(LLM) == Figures(
        golden_permille=800, golden_permille_min=500, latency_us=50_000, latency_us_max=250_000
    )


def test_a_model_that_failed_its_own_gate_is_refused_with_its_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `model_work` tells it. Vectors that are none have cosines of any size; no record may go up with them."""
    told = {
        "kind": "encoder",
        "failed": "words",
        "top1_correct": 0.417,
        "top1_correct_min": 0.9,
        "cosine_mean": -0.2,
        "cosine_min": float("nan"),
        "cosine_min_min": 0.98,
    }
    assert refusal_of(told) == "gate"
    assert figures_of(told) == Figures(
        golden_permille=417,
        golden_permille_min=900,
        cosine_permille=0,
        cosine_least_permille_min=980,
    )
    rest = {name: value for name, value in told.items() if name not in {"kind", "failed"}}

    def fails(*_: object) -> None:
        raise GateFailed("words", rest, remedy="none")

    monkeypatch.setattr(model_work, "staged_entry", lambda _: entry(DEFAULT_ENCODER))
    monkeypatch.setattr(model_work, "gate_into", fails)
    task = {"do": "gate", "folder": "x", "models": "x", "serves": ""}
    assert model_work.work(task, lambda *_: None).result == told
    llm = {"kind": "llm", "failed": "words", "answered": 0.3, "answered_min": 0.6, "tokens_per_s": 20.0}
    assert figures_of(llm) == Figures(golden_permille=300, golden_permille_min=600, latency_us=50_000)
    assert figures_of({"kind": "encoder", "failed": "it does not run"}) == Figures()
