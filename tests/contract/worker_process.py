"""The real worker as a process: `python worker_process.py SOCKET scripted|model [ALLOWED_UID]`. SIGTERM stops it.

Its encoders: `openvino` on the CPU; `onnxruntime`, which takes it for any device; and `scripted`, which meets the
trouble named in SOCKET.trouble.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from core.supervision import stop_on_signals
from edge.inference.encoders import EncoderChoice
from edge.inference.worker import PATIENCE, Patience, serve
from models.catalog import DEFAULT_LLM, models_dir
from models.errors import ModelRefused
from models.generator import open_generator
from models.loading import open_runtime
from models.recipes.files import RUNTIME_FILES
from models.records import model_folder
from models.runtimes.port import Floats, GenerationResult, Ids, Runtime, TextGenerator
from models.runtimes.scripted import ScriptedGenerator, ScriptedRuntime, Trouble

PAUSE_S = 0.01
WAITING_MAX = 2
DIM = 384
IMPATIENT = Patience(pass_grace_s=0.2, generation_grace_s=0.2, stall_s=2.0)


class FromFile(ScriptedRuntime):
    """Meets the trouble that the file names when a pass begins."""

    def __init__(self, path: Path) -> None:
        super().__init__(dim=DIM)
        self._path = path

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        trouble = cast("Trouble", self._path.read_text() if self._path.exists() else "")
        if trouble != self.trouble:
            self.trouble = trouble
        return super().run(input_ids, attention_mask, want_states=want_states)


def open_encoder(trouble: Path, choice: EncoderChoice) -> Runtime:
    if choice.runtime == "scripted":
        return FromFile(trouble)
    folder = model_folder(models_dir(), choice.model)
    runtime = open_runtime(choice.runtime, folder / RUNTIME_FILES[choice.runtime], threads=1)
    if choice.runtime == "onnxruntime":
        runtime.device = choice.device  # type: ignore[misc]
    return runtime


class Hung(ScriptedGenerator):
    """A model that says nothing and does not stop."""

    def generate(self, *_: object, **__: object) -> GenerationResult:
        threading.Event().wait()
        raise AssertionError


def open_scripted() -> TextGenerator:
    return ScriptedGenerator(("word ",), pause_s=PAUSE_S, endless=True)


MODELS: dict[str, Callable[[], TextGenerator]] = {
    "scripted": open_scripted,
    "hung": Hung,
    "model": partial(open_generator, models_dir()),
}


def open_named(name: str) -> TextGenerator:
    """Another model, whose every word is its name; `damaged` cannot be loaded."""
    if name == "damaged":
        raise ModelRefused("damaged: weights.bin is not the file that passed the gate.")
    return ScriptedGenerator((f"{name} ",), pause_s=PAUSE_S, endless=True)


async def main(socket_path: str, kind: str, *uids: str) -> None:
    stop = stop_on_signals()
    await serve(
        Path(socket_path),
        MODELS[kind],
        stop,
        open_named=open_named,
        open_encoder=partial(open_encoder, Path(f"{socket_path}.trouble")),
        allowed_uids={int(uid) for uid in uids} or None,
        model_name=DEFAULT_LLM,
        waiting_max=WAITING_MAX,
        patience=PATIENCE if kind == "model" else IMPATIENT,
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
