"""What was built on this machine, and what passed its gate here: two JSON files beside a model's files.

A model is served only from files whose hashes stand in both records. Nothing here builds or measures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.files import write_atomic
from models.catalog import Entry
from models.errors import ModelMissing, ModelRefused
from models.machine import Machine, differences, this_machine
from models.versions import READABLE, model_folder

__all__ = [
    "BUILD_FILE",
    "GATE_FILE",
    "READABLE",
    "BuildRecord",
    "GateRecord",
    "RuntimeVerdict",
    "check_files",
    "check_gate",
    "check_servable",
    "model_folder",
    "read_build",
    "read_gate",
    "sha256_of",
    "write_record",
]

BUILD_FILE: Final = "build.json"
GATE_FILE: Final = "gate.json"
_CHUNK_BYTES: Final = 1 << 20


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_R = TypeVar("_R", bound=_Record)


class BuildRecord(_Record):
    """How the files came to be."""

    model: str
    version: str
    recipe: str
    source_sha256: str
    files: dict[str, str]
    decisions: dict[str, str]
    tools: dict[str, str]
    built_at: str


class RuntimeVerdict(_Record):
    """What one runtime did with the model on this machine."""

    runtime: str
    device: str
    passed: bool
    figures: dict[str, float]
    reason: str = ""


class GateRecord(_Record):
    """The model passed its golden set on this machine, with these runtimes."""

    model: str
    files: dict[str, str]
    machine: Machine
    verdicts: tuple[RuntimeVerdict, ...]
    fastest: str
    gated_at: str

    def verdict(self, runtime: str) -> RuntimeVerdict | None:
        """The verdict on one runtime, if it was tried."""
        return next((verdict for verdict in self.verdicts if verdict.runtime == runtime), None)


def sha256_of(path: Path) -> str:
    """Hex digest of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_record(folder: Path, name: str, record: BuildRecord | GateRecord) -> None:
    """Write one record durably."""
    write_atomic(folder / name, record.model_dump_json(indent=2).encode() + b"\n", READABLE)


def read_build(folder: Path) -> BuildRecord:
    """Raises ModelMissing (none) or ModelRefused (unreadable)."""
    return _read(folder / BUILD_FILE, BuildRecord)


def read_gate(folder: Path) -> GateRecord:
    """Raises ModelMissing (none) or ModelRefused (unreadable)."""
    return _read(folder / GATE_FILE, GateRecord)


def check_servable(folder: Path, entry: Entry, files: tuple[str, ...]) -> GateRecord:
    """`check_gate` and `check_files`."""
    gate = check_gate(folder, entry)
    check_files(folder, entry, files)
    return gate


def check_gate(folder: Path, entry: Entry) -> GateRecord:
    """The gate record in `folder`, if it is of today's build from the catalogue's source, on this machine.

    Raises ModelMissing or ModelRefused, saying which of these does not hold.
    """
    build, gate = read_build(folder), read_gate(folder)
    if (build.recipe, build.source_sha256) != (entry.recipe, entry.source.sha256):
        raise ModelRefused(
            f"{entry.name} was built from another source or recipe than the catalogue's.",
            remedy=_remedy(entry),
        )
    if gate.files != build.files:
        raise ModelRefused(f"{entry.name} was rebuilt after it passed its gate.")
    if gate.machine != this_machine():
        raise ModelRefused(
            f"{entry.name} passed its gate on another processor or with other runtime versions: "
            f"{differences(gate.machine, this_machine())}."
        )
    return gate


def check_files(
    folder: Path, entry: Entry, files: tuple[str, ...], made_later: Mapping[str, str] | None = None
) -> None:
    """Hash the files that are about to be served. Raises ModelMissing or ModelRefused.

    `made_later`: hashes of files that were made here from the build's; for a file of the build its own record counts.
    """
    recorded = {**(made_later or {}), **read_build(folder).files}
    for name in files:
        _check_file(folder / name, recorded.get(name), entry)


def _check_file(path: Path, expected: str | None, entry: Entry) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelMissing(
            f"{entry.name}: {path.name} cannot be read ({error.strerror}).", remedy=_remedy(entry)
        ) from error
    if found != expected:
        raise ModelRefused(
            f"{entry.name}: {path.name} is not the file that passed the gate.", remedy=_remedy(entry)
        )


def _remedy(entry: Entry) -> str | None:
    """What brings the right files back; None: the error's own."""
    return "Import the model again: `postern models import DIR`." if entry.imported else None


def _read(path: Path, kind: type[_R]) -> _R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelMissing(f"{path.parent.name} has no {path.name} in {path.parent}.") from error
    except (OSError, ValidationError) as error:
        raise ModelRefused(f"{path.parent.name}: {path.name} cannot be read.") from error
