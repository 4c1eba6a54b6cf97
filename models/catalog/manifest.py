"""`model.toml`: what somebody who brings a model says of it. Docs: docs/operations.md, "A model of your own".

Pure: text in, an entry of the catalogue out. What it says is checked against the files by `models.importing`.
"""

from __future__ import annotations

import hashlib
import tomllib
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from models.catalog.entries import (
    IMPORTED,
    EncoderEntry,
    EncoderGate,
    EncoderShape,
    Entry,
    FolderSource,
    Frozen,
    GeneratorEntry,
    GeneratorGate,
    Sha256,
)
from models.errors import ImportRefused
from models.recipes.files import LLM_FILES, TOKENIZER_FILE

MANIFEST_FILE: Final = "model.toml"

FILES_MAX: Final = 64
"""A language model as OpenVINO writes it has about a dozen files, one with external data some more."""

TOP1_CORRECT_FLOOR: Final = 0.6
"""Of the golden questions, at rank one. Words alone find .6 of them; an encoder below that would only do harm."""

ANSWERED_FLOOR: Final = 0.6
"""What the smallest language model of the catalogue must reach; nothing that a site brings may be held to less."""

_NO_LICENCE: Final = frozenset({"", "?", "-", "none", "unknown", "todo", "tbd", "n/a"})

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
_Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_Languages = Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...], Field(min_length=1)]


class _Manifest(Frozen):
    name: _Name
    version: _Version
    title: str = Field(min_length=1, max_length=120)
    licence: str = Field(min_length=1, max_length=200)
    origin: str = Field(min_length=1, max_length=300)
    languages: _Languages
    files: dict[_FileName, Sha256] = Field(min_length=1, max_length=FILES_MAX)

    @field_validator("licence")
    @classmethod
    def _stated(cls, licence: str) -> str:
        if licence.strip().casefold() in _NO_LICENCE:
            raise ValueError("state under which licence the weights may be used here")
        return licence

    @field_validator("files")
    @classmethod
    def _does_not_list_itself(cls, files: dict[str, str]) -> dict[str, str]:
        if MANIFEST_FILE in files:
            raise ValueError(f"{MANIFEST_FILE} cannot hold its own hash")
        return files

    def of_both(self, sha256: str) -> dict[str, Any]:
        """What entries of either kind hold. `sha256`: of the manifest."""
        told = ("name", "version", "title", "licence", "languages")
        source = FolderSource(sha256=sha256, files=self.files)
        return {name: getattr(self, name) for name in told} | {"recipe": IMPORTED, "source": source}

    def require(self, *names: str) -> None:
        """Raises ValueError: one of the files is not listed."""
        if missing := [name for name in names if name and name not in self.files]:
            raise ValueError(f"[files] lacks {', '.join(missing)}")


class _EncoderGate(EncoderGate):
    top1_correct_min: float = Field(default=TOP1_CORRECT_FLOOR, ge=TOP1_CORRECT_FLOOR, le=1)


class _EncoderManifest(_Manifest):
    kind: Literal["encoder"]
    shape: EncoderShape
    runtimes: dict[Literal["onnxruntime", "openvino"], _FileName] = Field(min_length=1)
    reference: str = ""
    golden: str = ""
    gate: _EncoderGate = _EncoderGate()

    @model_validator(mode="after")
    def _complete(self) -> _EncoderManifest:
        self.require(TOKENIZER_FILE, self.reference, self.golden, *self.runtimes.values())
        if "en" not in self.languages and not self.golden:
            raise ValueError("golden: a model without English needs golden questions of its own")
        return self

    def entry(self, sha256: str) -> EncoderEntry:
        return EncoderEntry(
            kind="encoder",
            **self.of_both(sha256),
            shape=self.shape,
            gate=EncoderGate(**self.gate.model_dump()),
            runtimes={str(name): file for name, file in self.runtimes.items()},
            reference=self.reference,
            golden=self.golden,
        )


class _GeneratorGate(GeneratorGate):
    answered_min: float = Field(default=ANSWERED_FLOOR, ge=ANSWERED_FLOOR, le=1)
    max_new_tokens: int = Field(default=48, ge=16, le=512)


class _GeneratorManifest(_Manifest):
    kind: Literal["generator"]
    context_tokens: int = Field(ge=512, le=1_048_576)
    gate: _GeneratorGate = _GeneratorGate()

    @model_validator(mode="after")
    def _complete(self) -> _GeneratorManifest:
        ggufs = [name for name in self.files if name.endswith(".gguf")]
        if len(ggufs) > 1:
            raise ValueError("[files] names more than one GGUF")
        if not ggufs:
            self.require(*LLM_FILES)
        return self

    def entry(self, sha256: str) -> GeneratorEntry:
        return GeneratorEntry(
            kind="generator",
            **self.of_both(sha256),
            context_tokens=self.context_tokens,
            gate=GeneratorGate(**self.gate.model_dump()),
        )


_KINDS: Final[dict[str, type[_EncoderManifest] | type[_GeneratorManifest]]] = {
    "encoder": _EncoderManifest,
    "generator": _GeneratorManifest,
}


def read_manifest(content: bytes) -> Entry:
    """The catalogue's entry for what a manifest describes. Raises ImportRefused, naming each setting that is wrong."""
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImportRefused(f"{MANIFEST_FILE} is not valid TOML: {error}") from None
    kind = _KINDS.get(str(table.get("kind")))
    if kind is None:
        raise ImportRefused(f'{MANIFEST_FILE}: kind must be one of "encoder" and "generator".')
    try:
        return kind.model_validate(table).entry(hashlib.sha256(content).hexdigest())
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ImportRefused(f"{MANIFEST_FILE}: {found}") from None
