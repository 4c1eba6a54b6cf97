"""From a candidate to a loaded runtime: which file, which buckets. No gate, no record: those come before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from models.catalog import EncoderEntry
from models.errors import RuntimeUnavailable
from models.machine import usable_cpus
from models.placement import Candidate, default_candidate
from models.runtimes.buckets import LENGTHS, Buckets, static_buckets, up_to
from models.runtimes.port import Runtime

HALF_FILE: Final = "encoder.fp16.onnx"
"""Made by `models.tune` where there is a GPU; its hash stands in the placement."""

POSITIONS_MAX: Final = 512
"""Tokens of the longest bucket where nobody says how long texts may be: what BERT encoders have positions for."""

_PRECISIONS: Final[Mapping[str, str]] = {"int8": "f32", "fp16": "f16", "fp32": "f32", "own": "f32"}
"""OpenVINO's hint: int8 weights are multiplied as they are, the rest is computed in fp32."""


def forms(entry: EncoderEntry) -> dict[str, str]:
    """The file of each "RUNTIME PRECISION" of a model; OpenVINO makes its own fp16 of the fp32 file."""
    if entry.imported:
        return {f"{runtime} own": file for runtime, file in entry.runtimes.items()}
    return {
        **{f"{runtime} int8": file for runtime, file in entry.runtimes.items()},
        **{f"{runtime} fp32": entry.reference for runtime in entry.runtimes},
        "onnxruntime fp16": HALF_FILE,
        "openvino fp16": entry.reference,
    }


def file_of(entry: EncoderEntry, candidate: Candidate) -> str:
    """The model's file that a candidate reads."""
    return forms(entry)[f"{candidate.runtime} {candidate.precision}"]


def opened_files(entry: EncoderEntry, candidate: Candidate) -> tuple[str, ...]:
    """All files that are read; of an imported model every one, for a graph's weights may lie beside it."""
    return entry.file_names if entry.imported else (file_of(entry, candidate), entry.tokenizer)


def default_for(entry: EncoderEntry, runtime: str, cores: int) -> Candidate:
    """How a runtime runs this model on the CPU when nothing was measured."""
    found = default_candidate(runtime, cores)
    return found.model_copy(update={"precision": "own"}) if entry.imported else found


def load(entry: EncoderEntry, folder: Path, candidate: Candidate) -> Runtime:
    """The candidate's runtime, warm. Raises RuntimeUnavailable, DeviceMissing among it."""
    return open_runtime(
        candidate.runtime,
        folder / file_of(entry, candidate),
        threads=candidate.threads,
        device=candidate.device,
        precision=candidate.precision,
        shapes=candidate.shapes,
        tokens_max=entry.shape.max_tokens,
    )


def open_runtime(
    name: str,
    path: Path,
    *,
    threads: int,
    device: str = "CPU",
    precision: str = "int8",
    shapes: str = "",
    tokens_max: int = POSITIONS_MAX,
    buckets: Buckets | None = None,
) -> Runtime:
    """One runtime on one file. `shapes` empty: the runtime's own on the CPU; `buckets`: others than the shapes' own.

    Raises RuntimeUnavailable, DeviceMissing among it.
    """
    threads = threads or usable_cpus()
    buckets = buckets or _buckets(name, device, shapes, tokens_max)
    try:
        if name == "onnxruntime":
            from models.runtimes.onnx_runtime import OnnxRuntime

            graphs = shapes == "graphs"
            return OnnxRuntime(path, threads=threads, device=device, buckets=buckets, graphs=graphs)
        if name == "openvino":
            from models.runtimes.openvino_runtime import OpenVinoRuntime

            assert buckets is not None
            hint = _PRECISIONS[precision]
            return OpenVinoRuntime(path, threads=threads, device=device, precision=hint, buckets=buckets)
    except ImportError as error:
        raise RuntimeUnavailable(f"{name} is not installed.") from error
    raise RuntimeUnavailable(
        f"There is no runtime {name!r}.", remedy="Use `auto`, `onnxruntime` or `openvino`."
    )


def _buckets(name: str, device: str, shapes: str, tokens_max: int) -> Buckets | None:
    if shapes in {"static", "graphs"}:
        return static_buckets(device, tokens_max)
    return Buckets(up_to(LENGTHS, tokens_max)) if name == "openvino" else None
