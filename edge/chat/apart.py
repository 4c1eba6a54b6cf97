"""Training and learning in a process of their own (`edge.apart`), which opens the encoder for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from core.errors import PosternError
from edge import apart
from edge.apart import NICENESS_BESIDE_TURNS, Done, serve
from models.progress import Report

if TYPE_CHECKING:
    from models.encoder import Encoder

__all__ = [
    "NICENESS_BESIDE_TURNS",
    "Done",
    "TrainingFailed",
    "TrainingSettings",
    "open_processor",
    "serve",
    "work_apart",
]

# Far beyond the largest permitted work on a slow machine; past it the process hangs.
TIMEOUT_S: Final = 1_800.0


class TrainingFailed(PosternError):
    """The training process ended without a model."""

    code = "training_failed"
    title = "The training did not end well"
    remedy = "Look at the node's log; the machine may be short of memory. Then train again."


@dataclass(frozen=True)
class TrainingSettings:
    """Which encoder the vectors come from; `threads` 0 takes every core. `niceness`: 19 gets what turns leave over."""

    model: str
    runtime: Literal["auto", "onnxruntime", "openvino"]
    threads: int
    niceness: int = 0


def open_processor(settings: TrainingSettings) -> Encoder:
    """The child's own encoder: on the processor, wherever the node's runs, for a device is the worker's alone.

    Raises ModelError.
    """
    from models.catalog import models_dir
    from models.encoder import open_encoder

    return open_encoder(models_dir(), settings.runtime, settings.threads, device="cpu", model=settings.model)


async def work_apart(module: str, task: Mapping[str, Any], report: Report) -> Done:
    """Run `module` as a child on `task`. Raises TrainingFailed, also with what the child says is wrong."""
    return await apart.work_apart(module, task, report, TrainingFailed, TIMEOUT_S)
