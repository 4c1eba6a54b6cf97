"""Opens the language model, only from files that passed the gate on this node. Runs in the worker, not in the node."""

from __future__ import annotations

from pathlib import Path

from models.catalog import DEFAULT_LLM, GeneratorEntry, generator_entry
from models.errors import RuntimeUnavailable
from models.machine import usable_cpus
from models.records import check_servable, model_folder
from models.runtimes.port import TextGenerator


def open_generator(models_dir: Path, model: str = DEFAULT_LLM, threads: int = 0) -> TextGenerator:
    """The language model; `threads` 0 is every core. Raises ModelMissing, ModelRefused or RuntimeUnavailable."""
    entry = generator_entry(model, models_dir)
    check_servable(models_dir, entry, entry.file_names)
    return load_generator(entry, model_folder(models_dir, entry.name), threads=threads)


def load_generator(entry: GeneratorEntry, folder: Path, *, threads: int = 0) -> TextGenerator:
    """The model in `folder`, gate or no gate: for the gate itself. Raises RuntimeUnavailable."""
    try:
        from models.runtimes.genai_runtime import GenAiGenerator
    except ImportError as error:
        raise RuntimeUnavailable("openvino-genai is not installed.") from error
    # Answers here quote passages: guessing from the prompt pays (docs/adr/0024).
    return GenAiGenerator(
        folder, threads=threads or usable_cpus(), context_tokens=entry.context_tokens, prompt_lookup=True
    )
