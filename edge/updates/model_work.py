"""Stages and gates a model in a process of its own: what a bad model does to its runtime must not reach a turn.

Run by `edge.apart`. Knows no site.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.apart import Done, serve
from edge.updates.model_rules import FAILED
from models.build import gate_into
from models.catalog import EncoderEntry
from models.encoder import Encoder, open_encoder, open_planned, plan_encoder
from models.errors import GateFailed
from models.golden import encoder_golden
from models.importing import stage_model, staged_entry
from models.progress import Report
from models.records import GateRecord


def work(task: dict[str, Any], report: Report) -> Done:
    """`do`: stage (`source` → `folder`) or gate (`folder` → figures). Raises ModelError."""
    if task["do"] == "stage":
        return Done({"folder": str(stage_model(Path(task["source"]), Path(task["models"]), report))})
    folder = Path(task["folder"])
    entry = staged_entry(folder)
    kind = "encoder" if isinstance(entry, EncoderEntry) else "llm"
    try:
        gate = gate_into(entry, folder, report)
    except GateFailed as failed:
        return Done({"kind": kind, FAILED: failed.detail, **failed.figures})
    if isinstance(entry, EncoderEntry):
        return Done(_encoder_figures(entry, folder, gate, Path(task["models"]), task["serves"]))
    return Done({"kind": kind, **_fastest(gate)})


def _fastest(gate: GateRecord) -> dict[str, float]:
    verdict = gate.verdict(gate.fastest)
    return dict(verdict.figures) if verdict is not None else {}


def _encoder_figures(
    entry: EncoderEntry, folder: Path, gate: GateRecord, models_dir: Path, serves: str
) -> dict[str, Any]:
    """Its own gate, and beside what serves on Postern's golden set: right answers of both, and where they agree."""
    golden = encoder_golden()
    expected = np.array([passage for _, passage in golden.questions])
    new = open_planned(folder, entry, plan_encoder(folder, entry, "auto", 0, "cpu"), None, None)
    try:
        found = _best(new, golden.texts, len(golden.sentences), len(golden.passages))
    finally:
        new.close()
    told = {"kind": "encoder", **_fastest(gate), "right": float((found == expected).mean())}
    if not serves:
        return told
    old = open_encoder(models_dir, model=serves, device="cpu")
    try:
        before = _best(old, golden.texts, len(golden.sentences), len(golden.passages))
    finally:
        old.close()
    return told | {
        "right_before": float((before == expected).mean()),
        "agreement": float((found == before).mean()),
    }


def _best(encoder: Encoder, texts: Sequence[str], first: int, passages: int) -> np.ndarray[Any, Any]:
    """Which passage is nearest to each question: [questions]."""
    vectors = encoder.embed(texts)
    scores = vectors[first + passages :] @ vectors[first : first + passages].T
    return np.asarray(scores.argmax(axis=1))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, work)
