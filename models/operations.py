"""What a person may do with models: list, build, verify, bench. The command line formats what these return."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from models.build import Built, alone
from models.build import build_all as build_models
from models.catalog import EncoderEntry, Entry, entry, entry_in, names
from models.errors import ModelError
from models.placement import Placement, current
from models.progress import Report, silent
from models.records import check_gate, check_servable, model_folder, read_gate
from models.servable import Setback, first_servable

__all__ = [
    "BenchRow",
    "Built",
    "Listed",
    "Placement",
    "Verified",
    "bench",
    "build_all",
    "list_models",
    "tune",
    "tune_what_changed",
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
    placement: str
    """Where it runs, as measured; why that does not count; empty for what is not placed."""
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


def build_all(models_dir: Path, report: Report = silent) -> tuple[Built, ...]:
    """Build and gate what is missing, then measure where encoders run best. Raises ModelBuildFailed and its kin."""
    built = build_models(models_dir, report)
    tune_what_changed(models_dir, report)
    return built


def verify(models_dir: Path) -> tuple[Verified, ...]:
    """Hash every file of every model against its records."""
    return tuple(_verify_one(models_dir, name) for name in names(models_dir))


def tune(models_dir: Path, seconds: float, report: Report = silent) -> tuple[Placement, ...]:
    """Measure where every encoder runs best here; `seconds` for each. Raises ModelError."""
    from models.tune import tune_encoder

    found = []
    for name in names(models_dir):
        if isinstance(encoder := entry(name, models_dir), EncoderEntry):
            folder = model_folder(models_dir, name)
            check_servable(folder, encoder, encoder.file_names)
            with alone(models_dir):
                found.append(tune_encoder(encoder, folder, seconds, report))
    return tuple(found)


def tune_what_changed(models_dir: Path, report: Report = silent) -> tuple[Placement, ...]:
    """As `tune`, for encoders whose placement is missing or out of date: at a build, and behind a node's back."""
    from models.tune import SECONDS, tune_encoder

    found = []
    for name in names(models_dir):
        encoder = entry(name, models_dir)
        if isinstance(encoder, EncoderEntry):
            folder = model_folder(models_dir, name)
            gate = check_servable(folder, encoder, encoder.file_names)
            with alone(models_dir):  # whoever waited here may find it done
                if current(folder, gate.files)[1]:
                    found.append(tune_encoder(encoder, folder, SECONDS, report))
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
        gate = check_gate(model_folder(models_dir, name), found)
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
        return Listed(name, "", "", "", "", (), checked.detail, "", "", 0)
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
        placement=_placement(found, folder) if checked.ok else "",
        size_bytes=sum(sizes),
    )


def _placement(entry: Entry, folder: Path) -> str:
    if not isinstance(entry, EncoderEntry):
        return ""
    placement, stale = current(folder, read_gate(folder).files)
    return stale if placement is None or stale else placement.chosen.label


def _verify_one(models_dir: Path, name: str) -> Verified:
    try:
        setback = first_servable(models_dir, name, partial(_check, name))
    except ModelError as error:
        return Verified(name, ok=False, detail=error.detail, remedy=error.remedy)
    if setback is not None:
        return Verified(name, ok=False, detail=f"{setback}", remedy=setback.remedy)
    return Verified(name, ok=True, detail="The files are those that passed the gate here.", remedy="")


def _check(name: str, folder: Path, setback: Setback | None) -> Setback | None:
    found = entry_in(name, folder)
    check_servable(folder, found, found.file_names)
    return setback
