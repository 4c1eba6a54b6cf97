"""What a person may do with models: list, build, verify, bench. The command line formats what these return."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.build import Built, alone, build_all
from models.catalog import EncoderEntry, entry, names
from models.errors import ModelError
from models.placement import Placement
from models.progress import Report, silent
from models.records import check_gate, check_servable, model_folder, read_gate

__all__ = [
    "BenchRow",
    "Built",
    "Listed",
    "Verified",
    "bench",
    "build_all",
    "list_models",
    "tune",
    "verify",
]

BENCH_ROUNDS: Final = 7
"""Rounds a row; the median is reported with the extremes beside it."""


@dataclass(frozen=True)
class Listed:
    """A model of the catalogue and its state here."""

    model: str
    version: str
    title: str
    kind: str
    licence: str
    languages: tuple[str, ...]
    state: str
    """`ready`, or why it is not."""
    runtime: str
    size_bytes: int


@dataclass(frozen=True)
class Verified:
    """Whether a model's files are those that passed the gate on this machine."""

    model: str
    ok: bool
    detail: str
    remedy: str


@dataclass(frozen=True)
class BenchRow:
    """Speed of the encoder on one runtime."""

    model: str
    runtime: str
    device: str
    batch_rows: int
    texts_per_s: float
    slowest_texts_per_s: float
    fastest_texts_per_s: float


def list_models(models_dir: Path) -> tuple[Listed, ...]:
    """Every model that Postern builds, and every one that was imported."""
    return tuple(_listed(models_dir, name) for name in names(models_dir))


def verify(models_dir: Path) -> tuple[Verified, ...]:
    """Hash every file of every model against its records."""
    return tuple(_verify_one(models_dir, name) for name in names(models_dir))


def tune(models_dir: Path, seconds: float, report: Report = silent) -> tuple[Placement, ...]:
    """Measure where every encoder runs best here; `seconds` for each. Raises ModelError."""
    from models.tune import tune_encoder

    found = []
    for name in names(models_dir):
        if isinstance(encoder := entry(name, models_dir), EncoderEntry):
            check_servable(models_dir, encoder, encoder.file_names)
            with alone(models_dir):
                found.append(tune_encoder(encoder, model_folder(models_dir, name), seconds, report))
    return tuple(found)


def bench(models_dir: Path, *, batch_sizes: tuple[int, ...] = (1, 8, 32)) -> tuple[BenchRow, ...]:
    """Texts a second of every gated encoder and runtime. Raises ModelError."""
    from models.encoder import RuntimeName, open_encoder
    from models.golden import encoder_golden

    rows = []
    texts = [text for text, _ in encoder_golden().questions]
    for name in names(models_dir):
        if not isinstance(found := entry(name, models_dir), EncoderEntry):
            continue
        gate = check_gate(models_dir, found)
        runtimes: tuple[RuntimeName, ...] = ("onnxruntime", "openvino")
        for runtime in runtimes:
            if (verdict := gate.verdict(runtime)) is None or not verdict.passed:
                continue
            encoder = open_encoder(models_dir, runtime, model=name)
            for size in batch_sizes:
                speeds = []
                for _ in range(BENCH_ROUNDS):
                    started = time.perf_counter()
                    for start in range(0, len(texts), size):
                        encoder.embed(texts[start : start + size])
                    speeds.append(len(texts) / (time.perf_counter() - started))
                figures = (statistics.median(speeds), min(speeds), max(speeds))
                rows.append(BenchRow(name, runtime, encoder.info.device, size, *figures))
            encoder.close()
    return tuple(rows)


def _listed(models_dir: Path, name: str) -> Listed:
    checked = _verify_one(models_dir, name)
    try:
        found, folder = entry(name, models_dir), model_folder(models_dir, name)
    except ModelError:
        return Listed(name, "", "", "", "", (), checked.detail, "", 0)
    sizes = [(folder / file).stat().st_size for file in found.file_names if (folder / file).is_file()]
    return Listed(
        model=name,
        version=found.version,
        title=found.title,
        kind=found.kind,
        licence=found.licence,
        languages=found.languages,
        state="ready" if checked.ok else checked.detail,
        runtime=read_gate(folder).fastest if checked.ok else "",
        size_bytes=sum(sizes),
    )


def _verify_one(models_dir: Path, name: str) -> Verified:
    try:
        found = entry(name, models_dir)
        check_servable(models_dir, found, found.file_names)
    except ModelError as error:
        return Verified(name, ok=False, detail=error.detail, remedy=error.remedy)
    return Verified(name, ok=True, detail="The files are those that passed the gate here.", remedy="")
