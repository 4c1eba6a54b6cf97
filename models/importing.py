"""Brings a model from a folder into the models of this machine, without a network: `postern models import DIR`.

The manifest says what should be there; every file is copied once, hashed as it is copied, and looked at where it now
lies, so that nobody can change it in between. The copy stands beside the version that serves until it has passed its
golden set here; one rename then makes it the one that is opened next. Whatever goes wrong before leaves that one whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models import inspection
from models.build import alone, built_now, gate_into, loud_when_full
from models.catalog import EncoderEntry, Entry, FolderSource, GeneratorEntry, catalogue
from models.catalog.manifest import MANIFEST_FILE, read_manifest
from models.errors import ImportRefused, ModelDiskFull, ModelError
from models.golden import read_encoder_golden
from models.machine import this_machine
from models.progress import Report, silent
from models.recipes.files import TOKENIZER_FILE
from models.recipes.generator import convert_gguf
from models.recipes.wheel import WHEELS
from models.records import BUILD_FILE, BuildRecord, check_servable, model_folder, sha256_of, write_record
from models.servable import version_to_keep
from models.versions import READABLE, activate, begin, discard

MANIFEST_BYTES_MAX: Final = 64 * 1024
"""64 files with their hashes are 8 KB."""
FILE_BYTES_MAX: Final = 64 * 2**30
"""A model of 30 billion parameters in 16 bits; no node of this kind runs a larger one."""
TOTAL_BYTES_MAX: Final = 96 * 2**30
"""Of one model: its weights, once, and what goes with them."""
SPARE_BYTES: Final = 512 * 2**20
"""Must be left on the disk afterwards: the store and its log write to the same one on most nodes."""

_COPY_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Imported:
    """What came in. `new`: False when the same version was here and in order already."""

    model: str
    kind: str
    version: str
    licence: str
    new: bool
    runtime: str
    size_bytes: int
    figures: dict[str, float]


def import_model(source: Path, models_dir: Path, report: Report = silent) -> Imported:
    """Take the model in the folder `source` in, gate it here, let it be opened next under its name.

    Raises ImportRefused (what is in the folder), ModelDiskFull, ModelBuildFailed (its gate). In every case what was
    there before is as it was.
    """
    entry, manifest = _read(source)
    sizes = _look(source, entry)
    models_dir.mkdir(parents=True, exist_ok=True)
    with alone(models_dir), loud_when_full(models_dir):
        if (same := _as_before(entry, models_dir, sum(sizes.values()))) is not None:
            return same
        _check_space(models_dir, entry, sum(sizes.values()))
        folder = _bring(source, models_dir, entry, manifest, sizes, report)
        try:
            gate = gate_into(entry, folder, report)
            activate(folder, before=version_to_keep(models_dir, entry.name))
        except BaseException:
            discard(folder)
            raise
    passed = next(verdict for verdict in gate.verdicts if verdict.runtime == gate.fastest)
    return _told(entry, gate.fastest, sum(sizes.values()), passed.figures, new=True)


def stage_model(source: Path, models_dir: Path, report: Report = silent) -> Path:
    """Take the model in the folder `source` in beside what serves: its new folder. It serves only once it was gated
    (`models.build.gate_into`) and activated (`models.versions.activate`). Raises ImportRefused, ModelDiskFull.
    """
    entry, manifest = _read(source)
    sizes = _look(source, entry)
    models_dir.mkdir(parents=True, exist_ok=True)
    with alone(models_dir), loud_when_full(models_dir):
        _check_space(models_dir, entry, sum(sizes.values()))
        return _bring(source, models_dir, entry, manifest, sizes, report)


def staged_entry(folder: Path) -> Entry:
    """What `stage_model` took in. Raises ImportRefused, OSError."""
    return read_manifest((folder / MANIFEST_FILE).read_bytes())


def _bring(
    source: Path, models_dir: Path, entry: Entry, manifest: bytes, sizes: dict[str, int], report: Report
) -> Path:
    """A folder of its own with the files, looked at and recorded; nothing is left where one is refused."""
    folder = begin(models_dir, entry.name, entry.version)
    try:
        _take(source, folder, entry, sizes, report)
        (folder / MANIFEST_FILE).write_bytes(manifest)
        (folder / MANIFEST_FILE).chmod(READABLE)
        decisions = _check(folder, entry, report)
        _record(folder, entry, decisions)
    except BaseException:
        discard(folder)
        raise
    return folder


def _read(source: Path) -> tuple[Entry, bytes]:
    """The entry that the manifest describes, and its bytes. Raises ImportRefused."""
    path = source / MANIFEST_FILE
    if not source.is_dir():
        raise ImportRefused(f"There is no folder {source.name}.")
    if not path.is_file() or path.is_symlink():
        raise ImportRefused(f"The folder has no {MANIFEST_FILE}.", remedy=_HOW)
    if path.stat().st_size > MANIFEST_BYTES_MAX:
        raise ImportRefused(f"{MANIFEST_FILE} has over {MANIFEST_BYTES_MAX // 1024} KB.")
    content = path.read_bytes()
    entry = read_manifest(content)
    if entry.name == WHEELS or entry.name in {one.name for one in catalogue()}:
        raise ImportRefused(f"name: {entry.name!r} is Postern's own. Choose another.")
    return entry, content


_HOW: Final = 'Write one: docs/operations.md, "A model of your own".'


def _look(source: Path, entry: Entry) -> dict[str, int]:
    """Sizes of the listed files. Raises ImportRefused: something else is there, or a name or size that may not be."""
    listed = _listed(entry)
    for found in sorted(os.scandir(source), key=lambda one: one.name):
        if found.is_symlink():
            raise ImportRefused(f"{found.name} is a symbolic link; put the file itself there.")
        if found.name == MANIFEST_FILE:
            continue
        inspection.check_name(found.name, listed)
        if found.name not in listed:
            raise ImportRefused(
                f"{found.name} is not listed in {MANIFEST_FILE}: list it with its hash, or remove it."
            )
        if not found.is_file():
            raise ImportRefused(f"{found.name} is no plain file.")
    sizes = {name: _size(source / name) for name in listed}
    if sum(sizes.values()) > TOTAL_BYTES_MAX:
        raise ImportRefused(f"The files have over {TOTAL_BYTES_MAX // 2**30} GB together.")
    return sizes


def _size(path: Path) -> int:
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        raise ImportRefused(f"{path.name} is listed in {MANIFEST_FILE} and is not there.") from None
    if not size:
        raise ImportRefused(f"{path.name} is empty.")
    if size > FILE_BYTES_MAX:
        raise ImportRefused(f"{path.name} has over {FILE_BYTES_MAX // 2**30} GB.")
    return size


def _listed(entry: Entry) -> dict[str, str]:
    assert isinstance(entry.source, FolderSource)
    return dict(entry.source.files)


def _as_before(entry: Entry, models_dir: Path, size_bytes: int) -> Imported | None:
    """What the same manifest brought, where that is still in order here."""
    try:
        gate = check_servable(model_folder(models_dir, entry.name), entry, entry.file_names)
    except ModelError:
        return None
    passed = next(verdict for verdict in gate.verdicts if verdict.runtime == gate.fastest)
    return _told(entry, gate.fastest, size_bytes, passed.figures, new=False)


def _check_space(models_dir: Path, entry: Entry, size_bytes: int) -> None:
    """Raises ModelDiskFull: room for the copy, twice where a GGUF becomes another file, and some to spare."""
    converted = size_bytes if any(name.endswith(".gguf") for name in _listed(entry)) else 0
    needed, free = size_bytes + converted + SPARE_BYTES, shutil.disk_usage(models_dir).free
    if free < needed:
        raise ModelDiskFull(
            f"{entry.name} needs {needed / 1e9:.1f} GB in {models_dir}, {free / 1e9:.1f} GB are free."
        )


def _take(source: Path, folder: Path, entry: Entry, sizes: dict[str, int], report: Report) -> None:
    what, total, done = f"Copying {entry.name}", sum(sizes.values()), 0
    for name, expected in _listed(entry).items():
        report(what, done, total)
        if _copy(source / name, folder / name, sizes[name]) != expected:
            raise ImportRefused(f"{name} is not the file that {MANIFEST_FILE} names: its SHA-256 is another.")
        inspection.check_head(folder / name)
        done += sizes[name]
    report(what, total, total)


def _copy(source: Path, target: Path, size_bytes: int) -> str:
    """Copy a plain file durably; its hash. Raises ImportRefused: it is none any more, or grows meanwhile."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise ImportRefused(f"{source.name} cannot be read ({error.strerror}).") from None
    digest, copied = hashlib.sha256(), 0
    with os.fdopen(descriptor, "rb") as file, target.open("xb") as copy:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ImportRefused(f"{source.name} is no plain file.")
        while chunk := file.read(_COPY_BYTES):
            copied += len(chunk)
            if copied > size_bytes:
                raise ImportRefused(f"{source.name} grew while it was copied.")
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    target.chmod(READABLE)
    return digest.hexdigest()


def _check(folder: Path, entry: Entry, report: Report) -> dict[str, str]:
    """Look into every file; a GGUF becomes OpenVINO's own files. What was decided. Raises ImportRefused."""
    listed = _listed(entry)
    for name in listed:
        suffix = Path(name).suffix
        if suffix == ".onnx":
            inspection.check_onnx(folder / name, listed)
        elif suffix == ".xml":
            inspection.check_ir(folder / name)
        elif suffix == ".gguf":
            inspection.check_gguf(folder / name)
    if isinstance(entry, EncoderEntry):
        return _check_encoder(folder, entry)
    return _convert(folder, entry, report)


def _check_encoder(folder: Path, entry: EncoderEntry) -> dict[str, str]:
    inspection.check_tokenizer(folder / TOKENIZER_FILE)
    for runtime, name in entry.runtimes.items():
        inspection.check_served(runtime, name)
    for name in {*entry.runtimes.values(), entry.reference} - {""}:
        if name.endswith(".onnx"):
            inspection.check_encoder_graph(folder / name, entry.shape.dim)
        else:
            inspection.check_ir(folder / name, (*inspection.ENCODER_INPUTS, *inspection.ENCODER_OUTPUTS))
    if entry.golden:
        read_encoder_golden(folder / entry.golden)
    return {"weights": "as they came"}


def _convert(folder: Path, entry: GeneratorEntry, report: Report) -> dict[str, str]:
    gguf = next((name for name in _listed(entry) if name.endswith(".gguf")), "")
    if not gguf:
        return {"weights": "as they came"}
    report(f"Converting {entry.name}", 0, 1)
    weights = convert_gguf(entry.name, folder / gguf)
    for name in entry.file_names:
        (folder / name).chmod(READABLE)
    report(f"Converting {entry.name}", 1, 1)
    return {"weights": weights, "gguf_sha256": _listed(entry)[gguf]}


def _record(folder: Path, entry: Entry, decisions: dict[str, str]) -> None:
    record = BuildRecord(
        model=entry.name,
        version=entry.version,
        recipe=entry.recipe,
        source_sha256=entry.source.sha256,
        files={name: sha256_of(folder / name) for name in entry.file_names},
        decisions=decisions,
        tools=dict(this_machine().runtimes),
        built_at=built_now(),
    )
    write_record(folder, BUILD_FILE, record)


def _told(entry: Entry, runtime: str, size_bytes: int, figures: dict[str, float], *, new: bool) -> Imported:
    return Imported(
        model=entry.name,
        kind=entry.kind,
        version=entry.version,
        licence=entry.licence,
        new=new,
        runtime=runtime,
        size_bytes=size_bytes,
        figures=figures,
    )
