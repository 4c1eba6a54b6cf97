"""Opens the language model, only from files that passed the gate on this node. Runs in the worker, not in the node."""

from __future__ import annotations

from pathlib import Path

from models.catalog import DEFAULT_LLM, GeneratorEntry, generator_entry
from models.errors import RuntimeUnavailable
from models.machine import usable_cpus
from models.records import check_servable
from models.runtimes.port import TextGenerator
from models.servable import Setback, first_servable


def open_generator(models_dir: Path, model: str = DEFAULT_LLM, threads: int = 0) -> TextGenerator:
    """The language model; `threads` 0 is every core. A version that was refused is told in its `fallback`.

    Raises ModelMissing, ModelRefused or RuntimeUnavailable.
    """

    def open_in(folder: Path, setback: Setback | None) -> TextGenerator:
        entry = generator_entry(model, version=folder)
        check_servable(folder, entry, entry.file_names)
        return load_generator(entry, folder, threads=threads, setback=setback)

    return first_servable(models_dir, model, open_in)


def load_generator(
    entry: GeneratorEntry, folder: Path, *, threads: int = 0, setback: Setback | None = None
) -> TextGenerator:
    """The model in `folder`, gate or no gate: for the gate itself. Raises RuntimeUnavailable."""
    try:
        from models.runtimes.genai_runtime import GenAiGenerator
    except ImportError as error:
        raise RuntimeUnavailable("openvino-genai is not installed.") from error
    # Answers here quote passages: guessing from the prompt pays (docs/adr/0024).
    return GenAiGenerator(
        folder,
        threads=threads or usable_cpus(),
        context_tokens=entry.context_tokens,
        prompt_lookup=True,
        fallback=str(setback or ""),
    )
