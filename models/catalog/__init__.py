"""The catalogue: which models may exist here, where they come from, and what they must pass.

One TOML file a model that Postern builds, and beside each model that a site brought the manifest it came with. Frozen
once read. It says nothing about what is built on this machine: see `models.records`.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from models.catalog.entries import (
    BertSizes,
    EncoderEntry,
    EncoderGate,
    EncoderShape,
    Entry,
    FolderSource,
    GeneratorEntry,
    GeneratorGate,
    WheelFile,
    WheelSource,
)
from models.catalog.manifest import MANIFEST_FILE, read_manifest
from models.errors import ImportRefused, ModelMissing, ModelRefused
from models.versions import CURRENT_FILE, model_folder

__all__ = [
    "DEFAULT_ENCODER",
    "DEFAULT_LLM",
    "BertSizes",
    "EncoderEntry",
    "EncoderGate",
    "EncoderShape",
    "Entry",
    "FolderSource",
    "GeneratorEntry",
    "GeneratorGate",
    "WheelFile",
    "WheelSource",
    "catalogue",
    "encoder_entry",
    "entry",
    "entry_in",
    "generator_entry",
    "models_dir",
    "names",
]

_FOLDER: Final = Path(__file__).parent
_REPOSITORY: Final = _FOLDER.parent.parent
_SYSTEM_MODELS: Final = Path("/var/lib/postern/models")

DEFAULT_ENCODER: Final = "all-minilm-l6-v2"
DEFAULT_LLM: Final = "smollm2-135m-instruct"


def models_dir() -> Path:
    """Where built models live: $POSTERN_MODELS, else beside a checkout, else the system's folder."""
    if configured := os.environ.get("POSTERN_MODELS"):
        return Path(configured)
    if (_REPOSITORY / "pyproject.toml").is_file():
        return _REPOSITORY / "build" / "models"
    return _SYSTEM_MODELS


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every model that Postern builds, by name. Raises pydantic.ValidationError on a malformed entry."""
    return tuple(_read(path) for path in sorted(_FOLDER.glob("*.toml")))


def names(folder: Path) -> tuple[str, ...]:
    """Every model that Postern builds, then every one that was brought to the models folder `folder`."""
    shipped = [one.name for one in catalogue()]
    brought = sorted(path.parent.name for path in folder.glob(f"*/{CURRENT_FILE}"))
    return (*shipped, *(name for name in brought if name not in shipped))


def entry(name: str, folder: Path | None = None) -> Entry:
    """One model of the catalogue, or of those in `folder` (None: `models_dir()`). Raises ModelMissing, ModelRefused."""
    return entry_in(name, model_folder(folder or models_dir(), name))


def entry_in(name: str, version: Path) -> Entry:
    """As `entry`, of the version of an imported model in the folder `version`. Raises ModelMissing, ModelRefused."""
    for candidate in catalogue():
        if candidate.name == name:
            return candidate
    return _imported(name, version)


def encoder_entry(
    name: str = DEFAULT_ENCODER, folder: Path | None = None, version: Path | None = None
) -> EncoderEntry:
    """One encoder; as `entry`, or as `entry_in` where there is a `version`."""
    found = entry_in(name, version) if version else entry(name, folder)
    if not isinstance(found, EncoderEntry):
        raise ModelMissing(f"{name!r} is not an encoder.", remedy="See `postern models list`.")
    return found


def generator_entry(
    name: str = DEFAULT_LLM, folder: Path | None = None, version: Path | None = None
) -> GeneratorEntry:
    """One language model; as `entry`, or as `entry_in` where there is a `version`."""
    found = entry_in(name, version) if version else entry(name, folder)
    if not isinstance(found, GeneratorEntry):
        raise ModelMissing(f"{name!r} is not a language model.", remedy="See `postern models list`.")
    return found


def _read(path: Path) -> Entry:
    table = tomllib.loads(path.read_text("utf-8"))
    if table.get("kind") == "encoder":
        return EncoderEntry.model_validate(table)
    return GeneratorEntry.model_validate(table)


def _imported(name: str, version: Path) -> Entry:
    """The entry that came with a model. Raises ModelMissing (nothing was brought under that name), ModelRefused."""
    if not (version.parent / CURRENT_FILE).is_file():
        raise ModelMissing(f"The catalogue has no model {name!r}.", remedy="See `postern models list`.")
    try:
        found = read_manifest((version / MANIFEST_FILE).read_bytes())
    except (OSError, ImportRefused) as error:
        raise ModelRefused(f"{name}: {MANIFEST_FILE} cannot be read.", remedy=_AGAIN) from error
    if found.name != name:
        raise ModelRefused(f"{name}: {MANIFEST_FILE} is another model's.", remedy=_AGAIN)
    return found


_AGAIN: Final = "Import the model again: `postern models import DIR`."
